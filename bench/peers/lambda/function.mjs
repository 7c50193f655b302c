// What bench/lambda.py measures Millrace's first stage beside: a file came, its rows are checked, kept and told of.
//
// Clients are made once, and calls are taken with nothing but Node's own HTTP: less than the runtime of AWS does.
import http from 'node:http';
import { S3Client, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { DynamoDBClient, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';

const { MILLRACE_RESULTS_BUCKET: results, MILLRACE_LEDGER_TABLE: ledger, MILLRACE_STATUS_TABLE: states,
  MILLRACE_QUEUE_URL: queue, AWS_LAMBDA_RUNTIME_API: host } = process.env;
const s3 = new S3Client({ forcePathStyle: true });
const dynamo = new DynamoDBClient({});
const sqs = new SQSClient({});
const text = (value) => ({ S: value });

function isGood([symbol, price, volume, timestamp]) {
  return symbol !== '' && Number(price) > 0 && Number(volume) >= 0 && !Number.isNaN(Date.parse(timestamp));
}

async function handle(event) {
  const { bucket: { name: bucket }, object: { key, versionId: version } } = event.Records[0].s3;
  const found = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: version }));
  const [, ...rows] = (await found.Body.transformToString()).trim().split('\n').map((line) => line.split(','));
  const good = rows.filter(isGood);
  const report = { rows: rows.length, good: good.length };
  const put = (folder, body) =>
    s3.send(new PutObjectCommand({ Bucket: results, Key: `${folder}/${key}`, Body: Buffer.from(body) }));
  await put('validated', good.map((row) => row.join(',')).join('\n'));
  await put('reports', JSON.stringify(report));
  const id = `${bucket}/${key}/${version}`;
  const mark = { TableName: ledger, Item: { recordGroup: text(id), recordId: text('mark') },
    ConditionExpression: 'attribute_not_exists(#n0)', ExpressionAttributeNames: { '#n0': 'recordId' } };
  const state = { TableName: states, Item: { fileId: text(key), status: text('validated') } };
  await dynamo.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: mark }, { Put: state }] }));
  await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: JSON.stringify({ key, ...report }),
    MessageGroupId: 'files', MessageDeduplicationId: `${key} ${version}`.replaceAll(/[^\w-]/g, '-') }));
  return null;
}

const agent = new http.Agent({ keepAlive: true });
const [hostname, port] = host.split(':');

function ask(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, hostname, port, method, path: `/2018-06-01/runtime/${path}` }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('end', () => resolve([answer.headers, Buffer.concat(pieces)]));
    });
    request.on('error', reject);
    request.end(body);
  });
}

for (;;) {
  const [headers, event] = await ask('GET', 'invocation/next');
  const call = headers['lambda-runtime-aws-request-id'];
  try {
    await ask('POST', `invocation/${call}/response`, JSON.stringify(await handle(JSON.parse(event))));
  } catch (error) {
    await ask('POST', `invocation/${call}/error`, JSON.stringify({ errorMessage: String(error) }));
  }
}
