"""What partners do, and what must come of it: through the front doors, with names from `flat-outputs.json` alone.

    python aws/live/flows.py cfn-outputs/flat-outputs.json [NAME ...]

The account is the one that the environment names, as for the AWS CLI: a real one, where the stacks were made for this
and nobody else uses them, or MiniStack. Who runs this may make users of IAM; they are removed at the end.

Whoever acts is a user with the rights of somebody outside, or of somebody who looks after the stacks; where one may not
do something, that is tried too.
"""

import argparse
import json
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from account import Caller, Users
from listener import Listener

# A file is through in a second or two; a machine that is busy takes longer.
WAIT_SECONDS = 60


def check(found, wanted, what):
    if found != wanted:
        raise AssertionError(f'{what} is {found!r}, not {wanted!r}')


def until(look, what):
    """What `look` answers, as soon as it answers something."""
    ends = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f'{what}: not within {WAIT_SECONDS} seconds')


def denied(call, what, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response['Error']['Code']
        if code in ('AccessDenied', 'AccessDeniedException', '403'):
            return
        raise AssertionError(f'{what} is refused as {code}') from error
    raise AssertionError(f'{what} is not refused')


class Account:
    """Where the stacks are, and what they are called."""

    def __init__(self, outputs, caller, users):
        self.outputs, self.caller, self.users = outputs, caller, users

    def make_user(self, name, statements):
        return self.users.make(name, statements)


class Api:
    """Requests to an API Gateway, by the URL that the stack tells. MiniStack takes them under a path of its own."""

    def __init__(self, account, url):
        at, caller = urllib.parse.urlsplit(url), account.caller
        stage, _, self.path = at.path.lstrip('/').partition('/')
        self.region, self.base = caller.region, f'{at.scheme}://{at.netloc}/{stage}/'
        if caller.endpoint:
            self.base = f"{caller.endpoint}/_aws/execute-api/{at.hostname.split('.')[0]}/{stage}/"
        self.tls = ssl.create_default_context(cafile=caller.certificate)

    def ask(self, method, path=None, body=None, headers=None, signed_by=None):
        url = self.base + (self.path if path is None else path)
        headers = dict(headers or {})
        if signed_by:
            request = AWSRequest(method=method, url=url, data=body, headers=headers)
            SigV4Auth(Credentials(signed_by.access, signed_by.secret), 'execute-api', self.region).add_auth(request)
            headers = dict(request.headers)
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def json(self, *arguments, **named):
        status, _, body = self.ask(*arguments, **named)
        return status, json.loads(body or b'null')


def trades(rows, bad=(), day='2024-01-02'):
    """Trades of one instrument, one a second; those at the indexes of `bad` have a price that is none."""
    lines = ['timestamp,symbol,price,volume']
    for index in range(rows):
        price = '-1' if index in bad else f'{100 + index % 7}.25'
        lines.append(f'{day}T10:{index // 60 % 60:02}:{index % 60:02}Z,ACME,{price},{index + 1}')
    return ('\n'.join(lines) + '\n').encode()


def keys_below(client, bucket, prefix):
    pages = client.get_paginator('list_objects_v2').paginate(Bucket=bucket, Prefix=prefix)
    return [one['Key'] for page in pages for one in page.get('Contents', [])]


def allow(actions, *resources):
    return {'Effect': 'Allow', 'Action': list(actions), 'Resource': list(resources)}


def queues_are_empty(account, names, operator):
    sqs = operator.client('sqs')
    for name in names:
        counts = sqs.get_queue_attributes(QueueUrl=account.outputs[name], AttributeNames=['All'])['Attributes']
        waiting = int(counts['ApproximateNumberOfMessages']) + int(counts['ApproximateNumberOfMessagesNotVisible'])
        check(waiting, 0, f'the number of messages in {name}')


def files(account):
    """A file through three functions and two queues to its bars; copies, versions and bad files of it."""
    names = account.outputs
    bucket, results = names['filesBucketName'], names['filesResultsBucketName']
    partner = account.make_user('partner', [allow(['s3:PutObject'], f'arn:aws:s3:::{bucket}/*')])
    operator = account.make_user('operator', [
        allow(['s3:GetObject', 's3:ListBucket'], f'arn:aws:s3:::{results}', f'arn:aws:s3:::{results}/*'),
        allow(['sqs:GetQueueAttributes'], '*'), allow(['dynamodb:GetItem'], '*')])
    s3, api = partner.client('s3'), Api(account, names['filesApiEndpoint'])

    def status(key):
        code, body = api.json('GET', f'status?fileId={urllib.parse.quote(key)}')
        return body if code == 200 and body['outcome'] != 'in_progress' else None

    key = 'acme/day ä+1.csv'
    s3.put_object(Bucket=bucket, Key=key, Body=trades(600, bad=(3, 77)))
    found = until(lambda: status(key), f'the outcome of {key}')
    check(found['outcome'], 'completed_with_rejects', 'the outcome')
    check(found['status'], 'aggregated', 'the status')
    code, by_path = api.json('GET', 'status/' + urllib.parse.quote(key, safe=''))
    check((code, by_path), (200, found), 'the answer to /status/{proxy+}')
    code, _ = api.json('GET', 'status/no-such-file')
    check(code, 404, 'the answer for a file that nobody sent')
    reading = operator.client('s3')
    rejects = keys_below(reading, results, 'rejects/')
    check(len(rejects), 1, 'the number of files with refused rows')
    text = reading.get_object(Bucket=results, Key=rejects[0])['Body'].read().decode()
    check(text.count('\n'), 3, 'the lines of the refused rows, with their header')
    check(len(keys_below(reading, results, 'contributions/')), 1, 'the number of contributions with bars')
    item = operator.client('dynamodb').get_item(TableName=names['filesProcessingTableName'], Key={'fileId': {'S': key}})
    check(item['Item']['outcome']['S'], 'completed_with_rejects', 'the outcome in the table of states')

    s3.put_object(Bucket=bucket, Key='acme/copy.csv', Body=trades(600, bad=(3, 77)))
    check(until(lambda: status('acme/copy.csv'), 'a copy')['outcome'], 'duplicate', 'the outcome of a copy')
    s3.put_object(Bucket=bucket, Key='acme/other.txt', Body=b'no rows at all')
    check(until(lambda: status('acme/other.txt'), 'a bad file')['outcome'], 'rejected', 'the outcome of a bad file')
    s3.put_object(Bucket=bucket, Key=key, Body=trades(600))
    newer = until(lambda: (one := status(key)) and one['outcome'] == 'completed' and one, 'the newer version')
    check(newer['receiptId'] != found['receiptId'], True, 'that a newer version has a receipt of its own')
    twenty = [f'load/{number}.csv' for number in range(20)]
    for number, name in enumerate(twenty):
        s3.put_object(Bucket=bucket, Key=name, Body=trades(50 + number, day='2024-02-01'))
    for name in twenty:
        check(until(lambda: status(name), name)['outcome'], 'completed', f'the outcome of {name}')

    denied(s3.get_object, 'a partner who reads', Bucket=bucket, Key=key)
    denied(s3.put_object, 'a partner who writes results', Bucket=results, Key='rejects/x', Body=b'x')
    denied(operator.client('s3').delete_object, 'an operator who deletes', Bucket=results, Key=rejects[0])
    queues = ('filesValidatorToProcessorQueueUrl', 'filesProcessorToAggregatorQueueUrl', 'filesValidatorDlqQueueUrl',
              'filesProcessorDlqQueueUrl', 'filesAggregatorDlqQueueUrl')
    queues_are_empty(account, queues, operator)


def market(account):
    """A file and single records through one queue into the table."""
    names = account.outputs
    bucket, results, table = names['marketBucketName'], names['marketResultsBucketName'], names['marketMarketDataStateTableName']
    feeder = account.make_user('feeder', [allow(['s3:PutObject'], f'arn:aws:s3:::{bucket}/*'),
                                             allow(['execute-api:Invoke'], '*')])
    watcher = account.make_user('watcher', [
        allow(['dynamodb:Query', 'sqs:GetQueueAttributes', 's3:ListBucket', 's3:GetObject'], '*')])
    api = Api(account, names['marketApiEndpoint'])
    dynamo = watcher.client('dynamodb')

    def rows(symbol, start=0, end=2 ** 33):
        """Rows of an instrument between two seconds, as anybody asks for them."""
        pages = dynamo.get_paginator('query').paginate(
            TableName=table, KeyConditionExpression='symbol = :s AND #t BETWEEN :from AND :to',
            ExpressionAttributeNames={'#t': 'timestamp'},
            ExpressionAttributeValues={':s': {'S': symbol}, ':from': {'N': str(start)}, ':to': {'N': str(end)}})
        return [item for page in pages for item in page['Items']]

    check(len(rows('ACME')) + len(rows('TSLA')), 0, 'the number of points before')
    with Listener(account, 'desk', bus=names['marketEventBusName']) as desk:
        announced(account, feeder, watcher, api, desk, rows)
    check(len(keys_below(watcher.client('s3'), results, 'rejects/')), 1, 'the number of files with refused rows')
    until(lambda: queues_are_empty(account, ('marketProcessingQueueUrl', 'marketProcessingDLQQueueUrl'), watcher) is None,
          'empty queues')


def announced(account, feeder, watcher, api, desk, rows):
    """What comes into market, which a desk hears of on the event bus; `rows` finds those of an instrument."""
    def points():
        return len(rows('ACME')) + len(rows('TSLA'))

    bucket = account.outputs['marketBucketName']
    feeder.client('s3').put_object(Bucket=bucket, Key='day.csv', Body=trades(1200, bad=(5,)))
    until(lambda: points() >= 1199, '1199 points of a file')
    nine = 1704189600 + 9
    (one,) = rows('ACME', nine, f'{nine}.999999999')
    check([one[name] for name in ('time', 'price', 'volume')],
          [{'S': '2024-01-02T10:00:09Z'}, {'N': '102.25'}, {'N': '10'}], 'what is told of a row')
    check(one['origin']['S'].startswith('r-'), True, 'that a row names its file')
    body = json.dumps([{'symbol': 'TSLA', 'price': 200.5, 'timestamp': f'2024-03-01T10:00:{second:02}Z'}
                       for second in range(10)]).encode()
    headers = {'Content-Type': 'application/json', 'Idempotency-Key': 'once'}
    before = points()
    for _ in range(2):
        code, answer = api.json('POST', body=body, headers=headers, signed_by=feeder)
        check((code, answer.get('accepted'), answer.get('rejected')), (202, 10, 0), 'the answer to /ingest')
    until(lambda: points() >= before + 10, '10 points of a request')
    time.sleep(2)
    check(points(), before + 10, 'the number of points after the same request twice')
    code, answer = api.json('POST', body=b'{"symbol": "TSLA", "price": -1}', signed_by=feeder)
    check(code, 422, 'the answer to a record that is bad')
    check(api.ask('POST', body=body, headers=headers)[0], 403, 'the answer to a request without a signature')
    check(api.ask('POST', body=body, headers=headers, signed_by=watcher)[0], 403,
          'the answer to a request by somebody without the right')
    feeder.client('s3').put_object(Bucket=bucket, Key='bad.csv', Body=b'no rows at all')
    refused = until(lambda: desk.of('file.rejected'), 'the event that a file is refused')
    check((refused['data']['fileId'], refused['data']['bucketName']), ('bad.csv', bucket), 'the file that is refused')

    def kept():
        return sum(event['data']['rows'][1] for event in desk.events().values() if event['type'] == 'rows.kept')

    until(lambda: kept() >= 1199 + 10, 'events of all rows')
    check(kept(), 1199 + 10, 'the number of rows in events, those of a request that came twice counted once')


TRANSACTIONS = b'''transaction_id,amount,currency,timestamp,merchant,status
txn_1,12.50,EUR,2024-01-02T10:00:00Z,Corner Shop,completed
txn_2,7.25,USD,2024-01-02T11:00:00Z,Corner Shop,pending
txn_3,oops,USD,2024-01-02T12:00:00Z,Corner Shop,completed
txn_1,12.50,EUR,2024-01-02T10:00:00Z,Corner Shop,completed
'''


def transactions(account):
    """A file through the API, or through the place that the API names, and through the workflow."""
    names = account.outputs
    bucket, results = names['transactionsBucketName'], names['transactionsResultsBucketName']
    clerk = account.make_user('clerk', [allow(['dynamodb:GetItem', 'dynamodb:Query', 'sqs:GetQueueAttributes', 's3:ListBucket',
                                                  's3:GetObject'], '*')])
    holder = account.make_user('holder', [allow(['apigateway:GET'], '*')])
    key = holder.client('apigateway').get_api_key(apiKey=names['apiKeyId'], includeValue=True)['value']
    api = Api(account, names['transactionsApiEndpoint'])

    def outcome(name):
        found = clerk.client('dynamodb').get_item(TableName=names['transactionsTransactionStatusTableName'],
                                                  Key={'file_id': {'S': name}}).get('Item')
        state = found and found['outcome']['S']
        return state if state != 'in_progress' else None

    table, dynamo = names['transactionsTransactionsTableName'], clerk.client('dynamodb')

    def counting(**asked):
        """Rows that count, of those that a query finds: what is asked of the table is whether their sets do."""
        pages, sets = dynamo.get_paginator('query').paginate(TableName=table, **asked), {}
        rows = [item for page in pages for item in page['Items']]
        for name in {row['file']['S'] for row in rows}:
            standing = {'transaction_id': {'S': name}, 'file': {'S': 'standing'}}
            sets[name] = dynamo.get_item(TableName=table, Key=standing, ConsistentRead=True).get('Item', {})
        return [row for row in rows if sets[row['file']['S']].get('counts') == {'S': 'yes'}]

    def of_id(name):
        return counting(KeyConditionExpression='transaction_id = :t', ExpressionAttributeValues={':t': {'S': name}})

    def of_hours(first, last):
        found = counting(IndexName='by-day', KeyConditionExpression='#d = :d AND #t BETWEEN :from AND :to',
                         ExpressionAttributeNames={'#d': 'day', '#t': 'timestamp'},
                         ExpressionAttributeValues={':d': {'S': '2024-01-02'}, ':from': {'S': f'2024-01-02T{first}'},
                                                    ':to': {'S': f'2024-01-02T{last}'}})
        return sorted(row['transaction_id']['S'] for row in found)

    csv = {'Content-Type': 'text/csv', 'x-api-key': key}
    with Listener(account, 'till', topic=names['topicArn']) as till:
        told = TRANSACTIONS.replace(b'txn_', b'told_').replace(b'2024-01-02', b'2024-01-05')
        code, answer = api.json('POST', 'upload?key=told.csv', body=told, headers=csv)
        check(code, 202, 'the answer to /upload')
        done = until(lambda: till.of('file.completed_with_rejects'), 'the message that told.csv is done')
        check((done['data']['fileId'], done['data']['bucketName'], done['data']['rows']),
              ('told.csv', bucket, [4, 2, 1, 1]), 'what is told of told.csv')
        check(outcome('told.csv'), 'completed_with_rejects', 'the outcome of a file that is told to be done')
        code, answer = api.json('POST', 'upload?key=bad.csv', body=b'no rows at all', headers=csv)
        check(code, 202, 'the answer to /upload')
        refused = until(lambda: till.of('file.rejected'), 'the message that bad.csv is refused')
        check(refused['data']['receiptId'], answer['receiptId'], 'the receipt of what is refused')
        check(len(till.events()), 2, 'the number of messages')
    code, answer = api.json('POST', 'upload?key=cards.csv', body=TRANSACTIONS, headers=csv)
    check((code, answer.get('fileId'), answer.get('bucketName')), (202, 'cards.csv', bucket), 'the answer to /upload')
    check(until(lambda: outcome('cards.csv'), 'cards.csv'), 'completed_with_rejects', 'the outcome')
    (row,) = of_id('txn_1')
    check([row[name] for name in ('amount', 'currency', 'timestamp', 'status', 'line')],
          [{'N': '12.5'}, {'S': 'EUR'}, {'S': '2024-01-02T10:00:00.000000000Z'}, {'S': 'completed'}, {'N': '2'}],
          'what is told of a transaction')
    check(of_id('txn_3'), [], 'what is told of a row that was refused')
    check(of_hours('10', '10:59'), ['txn_1'], 'the transactions of an hour')
    check(of_hours('10', '12'), ['txn_1', 'txn_2'], 'the transactions of two')
    rejects = keys_below(clerk.client('s3'), results, 'rejects/')
    check(len(rejects), 2, 'the number of files with refused rows')

    asked = json.dumps({'fileName': 'large.csv'}).encode()
    code, place = api.json('POST', body=asked, headers={'Content-Type': 'application/json', 'x-api-key': key})
    check((code, place.get('method')), (200, 'PUT'), 'the answer to a request for a place')
    request = urllib.request.Request(place['uploadUrl'], data=TRANSACTIONS.replace(b'txn_', b'big_'), method='PUT')
    with urllib.request.urlopen(request, context=api.tls, timeout=60) as answer:
        check(answer.status, 200, 'the answer to an upload to that place')
    check(until(lambda: outcome('large.csv'), 'large.csv'), 'completed_with_rejects', 'the outcome')
    newer = TRANSACTIONS.replace(b'txn_1,12.50', b'txn_4,1.50')
    code, answer = api.json('POST', 'upload?key=cards.csv', body=newer, headers=csv)
    check(code, 202, 'the answer to an upload of a newer version')
    until(lambda: of_id('txn_4'), 'the transaction of the newer version')
    check((of_id('txn_1'), len(of_id('txn_2'))), ([], 1), 'what is told of transactions of the older one')
    check(api.ask('POST', 'upload?key=x.csv', body=TRANSACTIONS, headers={'Content-Type': 'text/csv'})[0], 403,
          'the answer to a request without a key')
    late_file(account, dynamo, of_id)
    queues_are_empty(account, ('transactionsTransactionsDlqQueueUrl',), clerk)


def late_file(account, dynamo, of_id):
    """A file whose event is lost, and which somebody brings later: files behind it give back the ids that are its own, for
    it sends them to their first stage by an event."""
    names = account.outputs
    bucket, workflow = names['transactionsBucketName'], names['workflowArn']
    keeper = account.make_user('keeper', [
        allow(['s3:PutObject'], f'arn:aws:s3:::{bucket}/*'), allow(['states:StartExecution'], workflow),
        allow(['events:ListRuleNamesByTarget', 'events:DisableRule', 'events:EnableRule'], '*')])
    s3, events = keeper.client('s3'), keeper.client('events')

    def state(key):
        """How a file ended, and how often it was begun anew before; none while it is under way."""
        found = dynamo.get_item(TableName=names['transactionsTransactionStatusTableName'], Key={'file_id': {'S': key}},
                                ConsistentRead=True).get('Item')
        ended = found and found['outcome']['S'] != 'in_progress'
        return (found['outcome']['S'], int(found['generation']['N'])) if ended else None

    def rows(*ids):
        lines = [f'{one},3.25,EUR,2024-01-07T10:00:00Z,Corner Shop,completed' for one in ids]
        return '\n'.join(['transaction_id,amount,currency,timestamp,merchant,status', *lines, '']).encode()

    (rule,) = events.list_rule_names_by_target(TargetArn=workflow, EventBusName='default')['RuleNames']
    # a rule is off after a while in an account, at once on a server for tests
    pause = 0 if account.caller.endpoint else 60
    events.disable_rule(Name=rule)
    try:
        time.sleep(pause)
        written = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())
        version = s3.put_object(Bucket=bucket, Key='late/first.csv', Body=rows('late_1', 'late_3'))['VersionId']
        time.sleep(2)
    finally:
        events.enable_rule(Name=rule)
    time.sleep(pause)
    s3.put_object(Bucket=bucket, Key='late/second.csv', Body=rows('late_1', 'late_2'))
    check(until(lambda: state('late/second.csv'), 'late/second.csv'), ('completed', 0), 'how the second ends at first')
    s3.put_object(Bucket=bucket, Key='late/third.csv', Body=rows('late_2', 'late_4'))
    check(until(lambda: state('late/third.csv'), 'late/third.csv'), ('completed_with_rejects', 0), 'how the third ends')
    check(state('late/first.csv'), None, 'what is known of a file of which nobody was told')
    (before,) = of_id('late_1')
    event = {'version': '0', 'id': 'lost', 'source': 'aws.s3', 'detail-type': 'Object Created', 'time': written,
             'detail': {'bucket': {'name': bucket}, 'object': {'key': 'late/first.csv', 'version-id': version}}}
    keeper.client('stepfunctions').start_execution(stateMachineArn=workflow, input=json.dumps(event))
    check(until(lambda: state('late/first.csv'), 'late/first.csv'), ('completed', 0), 'how the late file ends')
    second = until(lambda: (one := state('late/second.csv')) and one[1] and one, 'the second file, begun anew')
    check(second, ('completed_with_rejects', 1), 'how the second ends, which lost an id to the late one')
    (after,) = until(lambda: (found := of_id('late_1')) and found[0]['file'] != before['file'] and found,
                     'late_1 in the late file')
    # what the second lost may be free for those behind it, so they are looked at again
    third = until(lambda: (one := state('late/third.csv')) and one[1] and one, 'the third file, begun anew')
    check(third, ('completed_with_rejects', 1), 'how the third ends')
    check([len(of_id(f'late_{one}')) for one in (1, 2, 3, 4)], [1, 1, 1, 1], 'how often each counts')


ALL = {'files': files, 'market': market, 'transactions': transactions}


def main():
    parser = argparse.ArgumentParser(description='The flows of all presets, on stacks that are there.')
    parser.add_argument('outputs', type=Path, help='flat-outputs.json, as `millrace deploy` wrote it')
    parser.add_argument('names', nargs='*', help=f'which flows: {", ".join(ALL)}; all without this')
    options = parser.parse_args()
    caller = Caller()
    outputs, code = json.loads(options.outputs.read_text()), 0
    with Users(caller, 'millrace-flows') as users:
        for name in options.names or ALL:
            began = time.monotonic()
            try:
                ALL[name](Account(outputs, caller, users))
                print(f'{name}: as it must be, {time.monotonic() - began:.1f} s', flush=True)
            except (AssertionError, ClientError) as error:
                code = 1
                print(f'{name}: {error}', flush=True)
    return code


if __name__ == '__main__':
    sys.exit(main())
