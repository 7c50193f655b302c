"""A host of Lambda functions with S3, DynamoDB, SQS, SNS and EventBridge beside it, as far as bench/lambda.py uses them.

All of it is one thread on loopback. Signatures are not looked at. The services count the time in which they work on at
least one request, from its last byte to the last byte of the answer, so that it can be taken off the time of a call.
"""

import asyncio
import hashlib
import itertools
import json
import os
import re
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

# of DynamoDB
ACTIONS_MAX = 100
BATCH_MAX = 25
# of EventBridge
EVENTS_MAX = 10
EVENT_BUS = 'market-events-dev'
TOPIC_ARN = 'arn:aws:sns:us-east-1:0:transaction-notifications-dev'


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status, code, **more):
        super().__init__(code)
        self.status, self.code, self.more = status, code, more


class Request:
    def __init__(self, method, target, headers, body):
        address = urlsplit(target)
        self.method, self.path, self.headers, self.body = method, address.path, headers, body
        self.query = dict(parse_qsl(address.query, keep_blank_values=True))


async def read_request(reader, writer):
    """The next request of a connection; none when there will be none."""
    try:
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1')
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.split('\r\n')
    method, target, _ = first.split(' ')
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines if line)}
    if headers.get('expect', '').lower() == '100-continue':
        writer.write(b'HTTP/1.1 100 Continue\r\n\r\n')
    if headers.get('transfer-encoding') == 'chunked':
        pieces = []
        while size := int((await reader.readline()).split(b';')[0], 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        while (await reader.readline()).strip():
            pass
        body = b''.join(pieces)
    else:
        body = await reader.readexactly(int(headers.get('content-length', 0)))
    if 'aws-chunked' in headers.get('content-encoding', ''):
        body = b''.join(chunks(body))
    return Request(method, target, headers, body)


def chunks(body):
    """What is in a body that AWS's clients cut into pieces; signatures and trailers are left out."""
    at = 0
    while True:
        end = body.index(b'\r\n', at)
        size = int(body[at:end].split(b';')[0], 16)
        if not size:
            return
        yield body[end + 2:end + 2 + size]
        at = end + 2 + size + 2


def written(status, headers, body):
    head = [f'HTTP/1.1 {status} -', f'content-length: {len(body)}', *(f'{name}: {value}' for name, value in headers)]
    return '\r\n'.join([*head, '', '']).encode() + body


class Listener:
    """A server on loopback whose connections end with it."""

    async def listen(self, serve):
        self.connections = set()

        async def connected(reader, writer):
            self.connections.add(task := asyncio.current_task())
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                self.connections.discard(task)
                writer.close()

        self.server = await asyncio.start_server(connected, '127.0.0.1', 0, limit=1 << 20)
        return f'127.0.0.1:{self.server.sockets[0].getsockname()[1]}'

    async def close(self):
        self.server.close()
        waiting = list(self.connections)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting)


# ---------------------------------------------------------------- objects

class Parts:
    """An object in pieces, as they were uploaded."""

    def __init__(self, pieces):
        self.pieces, self.size = pieces, sum(map(len, pieces))

    def read(self, start, end):
        found, at = [], 0
        for piece in self.pieces:
            if at < end and at + len(piece) > start:
                found.append(piece[max(0, start - at):end - at])
            at += len(piece)
        return b''.join(found)


class Buckets:
    """Every version of every object, by bucket and key."""

    def __init__(self):
        self.objects, self.uploads, self.numbers = {}, {}, itertools.count(1)

    def put(self, bucket, key, content, notes=()):
        versions = self.objects.setdefault((bucket, key), [])
        versions.append((content, list(notes)))
        return f'v{len(versions)}'

    def keys(self, bucket):
        return sorted(key for name, key in self.objects if name == bucket)

    def newest(self, bucket, key):
        content, _ = self.objects[bucket, key][-1]
        return content.read(0, content.size)

    def answer(self, request):
        bucket, _, key = unquote(request.path).lstrip('/').partition('/')
        notes = [pair for pair in request.headers.items() if pair[0].startswith('x-amz-meta-')]
        query = request.query
        match request.method:
            case 'GET' if not {'uploads', 'list-type', 'versions'} & query.keys():
                return self.get(bucket, key, query.get('versionId'), request.headers.get('range'))
            case 'PUT' if 'partNumber' in query:
                self.uploads[query['uploadId']][int(query['partNumber'])] = request.body
                return 200, [('etag', f'"{query["partNumber"]}"')], b''
            case 'PUT':
                version = self.put(bucket, key, Parts([request.body]), notes)
                return 200, [('x-amz-version-id', version), ('etag', '"e"')], b''
            case 'POST' if 'uploads' in query:
                upload = f'u{next(self.numbers)}'
                self.uploads[upload] = {}
                return 200, [], xml('InitiateMultipartUploadResult', Bucket=bucket, Key=key, UploadId=upload)
            case 'POST' if 'uploadId' in query:
                pieces = self.uploads.pop(query['uploadId'])
                version = self.put(bucket, key, Parts([piece for _, piece in sorted(pieces.items())]))
                body = xml('CompleteMultipartUploadResult', Bucket=bucket, Key=key, ETag='"e"')
                return 200, [('x-amz-version-id', version)], body
            case 'DELETE' if 'uploadId' in query:
                self.uploads.pop(query['uploadId'], None)
                return 204, [], b''
        raise ValueError(f'S3 is asked for {request.method} {request.path} {query}')

    def get(self, bucket, key, version, wanted):
        versions = self.objects.get((bucket, key), [])
        number = int(version.removeprefix('v')) if version else len(versions)
        if not 1 <= number <= len(versions):
            return 404, [], xml('Error', Code='NoSuchKey', Message=key)
        content, notes = versions[number - 1]
        headers = [*notes, ('x-amz-version-id', f'v{number}'), ('etag', '"e"')]
        if wanted is None:
            return 200, headers, content.read(0, content.size)
        start, end = map(int, re.fullmatch(r'bytes=(\d+)-(\d+)', wanted).groups())
        if start >= content.size:
            return 416, [], xml('Error', Code='InvalidRange', Message=wanted)
        end = min(end + 1, content.size)
        return 206, [*headers, ('content-range', f'bytes {start}-{end - 1}/{content.size}')], content.read(start, end)


def xml(root, **fields):
    inner = ''.join(f'<{name}>{value}</{name}>' for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}>{inner}</{root}>'.encode()


# ---------------------------------------------------------------- items

class Tables:
    """Items by table and key. Keys are told from the fields that an item has."""

    def __init__(self):
        self.items = {}

    @staticmethod
    def key(item):
        keys = (('recordGroup', 'recordId'), ('symbol', 'timestamp'), ('transaction_id', 'file'), ('fileId',), ('file_id',))
        names = next(names for names in keys if all(name in item for name in names))
        return tuple(next(iter(item[name].values())) for name in names)

    def get_item(self, asked):
        item = self.items.get(asked['TableName'], {}).get(self.key(asked['Key']))
        return {} if item is None else {'Item': item}

    def query(self, asked):
        table, values = self.items.get(asked['TableName'], {}), asked['ExpressionAttributeValues']
        group, within = values[':g']['S'], values.get(':i', {'S': ''})['S']
        start = asked.get('ExclusiveStartKey')
        after = self.key(start) if start else ()
        fits = sorted(key for key in table if key[0] == group and key[1].startswith(within) and key > after)
        page = fits[:asked.get('Limit', len(fits))]
        answer = {'Items': [table[key] for key in page], 'Count': len(page), 'ScannedCount': len(page)}
        if len(page) < len(fits):
            answer['LastEvaluatedKey'] = {name: {'S': part} for name, part in zip(('recordGroup', 'recordId'), page[-1])}
        return answer

    def transact_write_items(self, asked):
        actions = [next(iter(action.items())) for action in asked['TransactItems']]
        if not 1 <= len(actions) <= ACTIONS_MAX:
            raise ValueError(f'{len(actions)} actions in one transaction')
        there = [self.items.setdefault(action['TableName'], {}) for _, action in actions]
        keys = [self.key(action['Item'] if kind == 'Put' else action['Key']) for kind, action in actions]
        held = [holds(action, table.get(key)) for (_, action), table, key in zip(actions, there, keys)]
        if not all(held):
            reasons = [{'Code': 'None' if one else 'ConditionalCheckFailed'} for one in held]
            raise Refused(400, 'TransactionCanceledException', CancellationReasons=reasons)
        for (kind, action), table, key in zip(actions, there, keys):
            if kind == 'Put':
                table[key] = action['Item']
            elif kind == 'Delete':
                table.pop(key, None)
        return {}


    def batch_write_item(self, asked):
        for name, requests in asked['RequestItems'].items():
            if not 1 <= len(requests) <= BATCH_MAX:
                raise ValueError(f'{len(requests)} items in one batch')
            table = self.items.setdefault(name, {})
            for request in requests:
                item = request['PutRequest']['Item']
                table[self.key(item)] = item
        return {'UnprocessedItems': {}}


def holds(action, item):
    """Whether the condition of an action holds, written as crates/lambda writes them."""
    names, values = action.get('ExpressionAttributeNames', {}), action.get('ExpressionAttributeValues', {})
    item = item or {}
    for test in filter(None, action.get('ConditionExpression', '').split(' AND ')):
        words = re.findall(r'attribute_not_exists|OR|<=|=|[#:]\w+', test)
        match words:
            case ['attribute_not_exists', name]:
                held = names[name] not in item
            case [name, '=', value]:
                held = item.get(names[name]) == values[value]
            case ['attribute_not_exists', name, 'OR', _, '=', value]:
                held = item.get(names[name], values[value]) == values[value]
            case ['attribute_not_exists', name, 'OR', _, '<=', value]:
                there = item.get(names[name])
                held = there is None or int(there['N']) <= int(values[value]['N'])
            case _:
                raise ValueError(f'a condition that nobody here can read: {test}')
        if not held:
            return False
    return True


# ---------------------------------------------------------------- the cloud

class Cloud(Listener):
    """All services on one port."""

    def __init__(self):
        self.buckets, self.tables, self.sent = Buckets(), Tables(), []
        # names and bodies of events, by where they were told
        self.told = {'topic': [], 'bus': []}
        self.calls, self.busy, self.at_work, self.since = [], 0.0, 0, 0.0
        self.problems = []

    async def __aenter__(self):
        self.endpoint = 'http://' + await self.listen(self.serve)
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def serve(self, reader, writer):
        while (request := await read_request(reader, writer)) is not None:
            if self.at_work == 0:
                self.since = time.perf_counter()
            self.at_work += 1
            try:
                writer.write(written(*self.answer(request)))
                await writer.drain()
            except ConnectionError:
                raise
            except Exception as error:  # it must not be taken for an answer
                self.problems.append(f'{request.method} {request.path}: {error!r}')
                break
            finally:
                self.at_work -= 1
                if self.at_work == 0:
                    self.busy += time.perf_counter() - self.since

    def answer(self, request):
        target = request.headers.get('x-amz-target')
        if target is None and request.method == 'POST' and request.path == '/':
            return self.publish(dict(parse_qsl(request.body.decode(), keep_blank_values=True)))
        if target is None:
            self.calls.append(f'{request.method} object')
            return self.buckets.answer(request)
        service, _, operation = target.partition('.')
        self.calls.append(operation)
        asked = json.loads(request.body)
        kind = 'application/x-amz-json-' + ('1.1' if service.startswith(('Amazon', 'AWSEvents')) else '1.0')
        try:
            answer, status = self.operation(operation, asked), 200
        except Refused as refused:
            answer, status = {'__type': f'com.amazonaws#{refused.code}', 'message': refused.code, **refused.more}, 400
        return status, [('content-type', kind), ('x-amzn-requestid', 'r')], json.dumps(answer).encode()

    def operation(self, name, asked):
        match name:
            case 'GetItem':
                return self.tables.get_item(asked)
            case 'Query':
                return self.tables.query(asked)
            case 'TransactWriteItems':
                return self.tables.transact_write_items(asked)
            case 'BatchWriteItem':
                return self.tables.batch_write_item(asked)
            case 'SendMessage':
                self.sent.append(asked['MessageBody'])
                digest = hashlib.md5(asked['MessageBody'].encode()).hexdigest()
                return {'MessageId': f'm{len(self.sent)}', 'MD5OfMessageBody': digest}
            case 'SendMessageBatch':
                told = [self.operation('SendMessage', entry) for entry in asked['Entries']]
                done = [{'Id': entry['Id'], **one} for entry, one in zip(asked['Entries'], told)]
                return {'Successful': done, 'Failed': []}
            case 'PutEvents':
                entries = asked['Entries']
                if not 1 <= len(entries) <= EVENTS_MAX:
                    raise ValueError(f'{len(entries)} events in one call')
                for entry in entries:
                    if (entry['EventBusName'], entry['Source']) != (EVENT_BUS, 'millrace'):
                        raise ValueError(f'an event of {entry["Source"]} for {entry["EventBusName"]}')
                    self.told['bus'].append((entry['DetailType'], json.loads(entry['Detail'])))
                ids = [{'EventId': f'e{len(self.told["bus"])}-{number}'} for number in range(len(entries))]
                return {'FailedEntryCount': 0, 'Entries': ids}
        raise ValueError(f'nobody here does {name}')

    def publish(self, asked):
        """SNS speaks in forms, and answers in XML."""
        self.calls.append(asked['Action'])
        if (asked['Action'], asked['TopicArn']) != ('Publish', TOPIC_ARN):
            raise ValueError(f'nobody here does {asked["Action"]} on {asked.get("TopicArn")}')
        self.told['topic'].append((asked['Subject'], json.loads(asked['Message'])))
        body = f'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>' \
               f'm{len(self.told["topic"])}</MessageId></PublishResult></PublishResponse>'
        return 200, [('content-type', 'text/xml')], body.encode()


class Function(Listener):
    """A process that runs a function, and the host that calls it."""

    def __init__(self, cloud, command, variables):
        self.cloud, self.command, self.numbers = cloud, [str(word) for word in command], itertools.count(1)
        self.variables = {
            'PATH': '/usr/bin:/bin', 'AWS_ENDPOINT_URL': cloud.endpoint, 'AWS_REGION': 'us-east-1',
            'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'secret', 'AWS_SESSION_TOKEN': 'token',
            'AWS_LAMBDA_FUNCTION_NAME': 'bench', 'AWS_LAMBDA_FUNCTION_VERSION': '1',
            'AWS_LAMBDA_FUNCTION_MEMORY_SIZE': '512', 'AWS_EC2_METADATA_DISABLED': 'true',
            **variables,
        }

    async def __aenter__(self):
        self.waiting, self.wanted, self.answers = asyncio.Queue(), asyncio.Event(), asyncio.Queue()
        address = await self.listen(self.serve)
        began = time.perf_counter()
        self.process = subprocess.Popen(self.command, env={**self.variables, 'AWS_LAMBDA_RUNTIME_API': address},
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        await asyncio.wait_for(self.wanted.wait(), 60)
        self.init_seconds = self.asked_at - began
        return self

    async def __aexit__(self, *_):
        self.process.kill()
        self.process.wait()
        await self.close()

    async def serve(self, reader, writer):
        while (request := await read_request(reader, writer)) is not None:
            now = time.perf_counter()
            if request.path.endswith('/invocation/next'):
                if not self.wanted.is_set():
                    self.asked_at = now
                    self.wanted.set()
                number, event = await self.waiting.get()
                deadline = int((time.time() + 900) * 1000)
                headers = [('content-type', 'application/json'), ('lambda-runtime-aws-request-id', f'call-{number}'),
                           ('lambda-runtime-deadline-ms', deadline),
                           ('lambda-runtime-invoked-function-arn', 'arn:aws:lambda:us-east-1:0:function:bench'),
                           ('lambda-runtime-trace-id', 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0')]
                self.begun = time.perf_counter()
                writer.write(written(200, headers, event))
            else:
                self.answers.put_nowait((now, request.path.rsplit('/', 1)[1], request.body))
                writer.write(written(202, [], b'{"status":"OK"}'))
            await writer.drain()

    async def call(self, event, seconds_max=900):
        """Calls the function once; what that took, as `Took`. An error of the function is one here."""
        busy, calls = self.cloud.busy, len(self.cloud.calls)
        self.waiting.put_nowait((next(self.numbers), json.dumps(event).encode()))
        ended, kind, body = await asyncio.wait_for(self.answers.get(), seconds_max)
        if kind != 'response' or self.cloud.problems:
            raise ValueError(f'{self.command[0]} answered {kind} {body[:600]!r}; {self.cloud.problems[:1]}')
        wall = ended - self.begun
        return Took(wall, wall - (self.cloud.busy - busy), self.cloud.calls[calls:], json.loads(body or b'null'))

    def cpu_seconds(self):
        """What all of its threads have run, in steps of a hundredth."""
        fields = Path(f'/proc/{self.process.pid}/stat').read_text().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def peak_bytes(self):
        text = Path(f'/proc/{self.process.pid}/status').read_text()
        return int(re.search(r'VmHWM:\s+(\d+)', text)[1]) * 1024

    def scratch_bytes(self):
        """What its temporary files take; they have no names any more."""
        total = 0
        for entry in os.scandir(f'/proc/{self.process.pid}/fd'):
            try:
                if os.readlink(entry.path).endswith(' (deleted)'):
                    total += os.stat(entry.path).st_blocks * 512
            except FileNotFoundError:
                pass
        return total


class Took:
    """A call: how long it was, what of that is not the services', which services it called, what it answered."""

    def __init__(self, wall, own, calls, answer):
        self.wall, self.own, self.calls, self.answer = wall, own, calls, answer


def created(bucket, key, version):
    """What S3 tells a function of a new object."""
    return {'Records': [{'eventVersion': '2.1', 'eventSource': 'aws:s3', 'eventName': 'ObjectCreated:Put',
                         'eventTime': '2026-01-06T00:00:00.000Z',
                         's3': {'bucket': {'name': bucket}, 'object': {'key': key, 'versionId': version}}}]}


def delivered(bodies, group=None):
    """Messages as a queue delivers them."""
    more = {'MessageGroupId': group} if group else {}
    return {'Records': [{'eventSource': 'aws:sqs', 'messageId': str(number), 'body': body,
                         'attributes': {'ApproximateReceiveCount': '1', **more}} for number, body in enumerate(bodies)]}

