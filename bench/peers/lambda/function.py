"""What bench/lambda.py measures Millrace's first stage beside: a file came, its rows are checked, kept and told of.

Clients are made once, and calls are taken with nothing but Python's own HTTP: less than the runtime of AWS does.
"""

import http.client
import json
import os
import re
from datetime import datetime

import boto3

RESULTS, LEDGER, STATES, QUEUE = (os.environ[f'MILLRACE_{name}'] for name in (
    'RESULTS_BUCKET', 'LEDGER_TABLE', 'STATUS_TABLE', 'QUEUE_URL'))
session = boto3.Session(region_name=os.environ['AWS_REGION'])
s3, dynamo, sqs = (session.client(name) for name in ('s3', 'dynamodb', 'sqs'))


def is_good(row):
    symbol, price, volume, timestamp = row
    try:
        datetime.fromisoformat(timestamp)
        return symbol != '' and float(price) > 0 and float(volume) >= 0
    except ValueError:
        return False


def handle(event):
    written = event['Records'][0]['s3']
    bucket, key, version = written['bucket']['name'], written['object']['key'], written['object']['versionId']
    found = s3.get_object(Bucket=bucket, Key=key, VersionId=version)['Body'].read().decode()
    rows = [line.split(',') for line in found.strip().split('\n')[1:]]
    good = [row for row in rows if is_good(row)]
    report = {'rows': len(rows), 'good': len(good)}
    s3.put_object(Bucket=RESULTS, Key=f'validated/{key}', Body='\n'.join(map(','.join, good)).encode())
    s3.put_object(Bucket=RESULTS, Key=f'reports/{key}', Body=json.dumps(report).encode())
    mark = {'recordGroup': {'S': f'{bucket}/{key}/{version}'}, 'recordId': {'S': 'mark'}}
    put = {'TableName': LEDGER, 'Item': mark, 'ConditionExpression': 'attribute_not_exists(#n0)',
           'ExpressionAttributeNames': {'#n0': 'recordId'}}
    state = {'TableName': STATES, 'Item': {'fileId': {'S': key}, 'status': {'S': 'validated'}}}
    dynamo.transact_write_items(TransactItems=[{'Put': put}, {'Put': state}])
    sqs.send_message(QueueUrl=QUEUE, MessageBody=json.dumps({'key': key, **report}), MessageGroupId='files',
                     MessageDeduplicationId=re.sub(r'[^\w-]', '-', f'{key} {version}'))


def main():
    host = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])

    def ask(method, path, body=None):
        host.request(method, f'/2018-06-01/runtime/{path}', body)
        answer = host.getresponse()
        return answer.headers, answer.read()

    while True:
        headers, event = ask('GET', 'invocation/next')
        call = headers['lambda-runtime-aws-request-id']
        try:
            ask('POST', f'invocation/{call}/response', json.dumps(handle(json.loads(event))))
        except Exception as error:
            ask('POST', f'invocation/{call}/error', json.dumps({'errorMessage': repr(error)}))


if __name__ == '__main__':
    main()
