"""A queue on NATS JetStream: a stream in files, with one consumer that all callers pull from.

A message is sent when the server acknowledged it, and acknowledged when the server confirmed that. With
`sync_interval: always` the stream syncs each message before its answer, one by one. Deliveries and acknowledgements it
writes later, whatever the settings: NATS is spared two of the three syncs that the others make. The stream keeps what
was acknowledged (`limits`): one that removes it (`workqueue`) is slower. Each caller has an inbox, so that callers can
share connections.
"""

import json
import urllib.request

from wire import Wire, must_be

DURABLE = {'sync_always': True}
NEXT = b'$JS.API.CONSUMER.MSG.NEXT.q.c'
PULL = b'{"batch":1,"expires":30000000000}'
STREAM = {'name': 'q', 'subjects': ['q'], 'retention': 'limits', 'storage': 'file', 'num_replicas': 1}
CONSUMER = {'durable_name': 'c', 'ack_policy': 'explicit', 'max_ack_pending': 10_000, 'max_waiting': 10_000}


class Connection(Wire):
    numbers = 0

    def __init__(self, ports):
        super().__init__(ports[0])
        self.rest = b''
        # Of each caller that has an inbox: what makes sense of its next answer.
        self.waiting = {}
        # The server tells inboxes apart by their names, whatever connection they are of.
        self.inbox = b'_INBOX.%d' % self.socket.getsockname()[1]
        self.out.append(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\n')

    def request(self, caller, subject, payload, meaning):
        if caller not in self.waiting:
            # The subscription has the caller's number: a message of the stream keeps its subject.
            self.out.append(b'SUB %b.%d %d\r\n' % (self.inbox, caller, caller))
        self.waiting[caller] = meaning
        self.out.append(b'PUB %b %b.%d %d\r\n%b\r\n' % (subject, self.inbox, caller, len(payload), payload))

    def send(self, caller, body):
        self.request(caller, b'q', body, stored)

    def receive(self, caller):
        self.request(caller, NEXT, PULL, delivered)

    def acknowledge(self, caller, token):
        self.request(caller, token, b'+ACK', confirmed)

    def ask(self, subject, question):
        self.request(0, subject.encode(), json.dumps(question).encode(), told)
        return self.answer()

    def answers(self, data):
        data = self.rest + data
        place = 0
        while (end := data.find(b'\r\n', place)) >= 0:
            words = data[place:end].split()
            kind = words[0]
            if kind == b'MSG':
                after = end + 2 + int(words[-1])
                if len(data) < after + 2:
                    break
                place = after + 2
                caller = int(words[2])
                yield caller, self.waiting[caller](words, data[end + 2:after])
                continue
            if kind == b'PING':
                self.out.append(b'PONG\r\n')
            elif kind not in (b'INFO', b'PONG', b'+OK'):
                # An error, or a message with headers, as which the server says that it cannot.
                raise ValueError(f'NATS answers {data[place:place + 300]!r}')
            place = end + 2
        self.rest = data[place:]


def told(_, payload):
    answer = json.loads(payload)
    if 'error' in answer:
        raise ValueError(f'NATS answers {answer["error"]}')
    return answer


def stored(_, payload):
    if not payload.startswith(b'{"stream":"q"'):
        raise ValueError(f'NATS answers {payload!r}')


def delivered(words, payload):
    # MSG, subject, subscription, where to acknowledge, bytes.
    if len(words) != 5:
        raise ValueError(f'NATS answers {words!r} {payload!r}')
    return words[3], payload


def confirmed(_, payload):
    if payload:
        raise ValueError(f'NATS answers {payload!r}')


def prepare(ports):
    with urllib.request.urlopen(f'http://127.0.0.1:{ports[1]}/jsz?config=1', timeout=30) as answer:
        found = json.load(answer)['config']
    connection = Connection(ports)
    if connection.ask('$JS.API.STREAM.NAMES', {})['total']:
        connection.ask('$JS.API.STREAM.DELETE.q', {})
    connection.ask('$JS.API.STREAM.CREATE.q', STREAM)
    connection.ask('$JS.API.CONSUMER.DURABLE.CREATE.q.c', {'stream_name': 'q', 'config': CONSUMER})
    return must_be({name: found.get(name) for name in DURABLE}, DURABLE)


def left(ports):
    """Messages that nobody received, or that nobody acknowledged."""
    found = Connection(ports).ask('$JS.API.CONSUMER.INFO.q.c', {})
    return found['num_pending'] + found['num_ack_pending']
