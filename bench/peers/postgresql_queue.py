"""A queue on PostgreSQL with FOR UPDATE SKIP LOCKED. Each step is a transaction, committed before its answer.

The protocol is spoken here, as a driver would take more of the processor than it leaves to the server. Callers share
connections as behind a pool: one at a time is served on each, and with fewer connections PostgreSQL is faster.
"""

import struct
from collections import deque

from wire import Wire, must_be

DURABLE = {'fsync': 'on', 'synchronous_commit': 'on', 'full_page_writes': 'on'}
LEASE = "now() + interval '30 seconds'"
STATEMENTS = {
    b'send': 'INSERT INTO messages (body) VALUES ($1)',
    b'receive': f'UPDATE messages SET leased_until = {LEASE} WHERE id = (SELECT id FROM messages'
                ' WHERE leased_until <= now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, body',
    b'acknowledge': 'DELETE FROM messages WHERE id = $1',
}
# Vacuumed as a queue should be: often.
TABLE = """CREATE TABLE messages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    leased_until timestamptz NOT NULL DEFAULT '-infinity', body bytea NOT NULL)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"""


def message(kind, content):
    return kind + struct.pack('>i', len(content) + 4) + content


def bind(statement, value):
    values = b'\0\1' + struct.pack('>i', len(value)) + value if value is not None else b'\0\0'
    # All values go and come in their binary form.
    return (message(b'B', b'\0' + statement + b'\0' + b'\0\1\0\1' + values + b'\0\1\0\1')
            + message(b'E', b'\0\0\0\0\0') + message(b'S', b''))


RECEIVE = bind(b'receive', None)


class Connection(Wire):
    def __init__(self, ports):
        super().__init__(ports[0])
        self.rest = b''
        self.row = None
        self.done = b''
        # Callers in the order of their requests, which is that of the answers, and the end that each expects.
        self.waiting = deque()
        start = struct.pack('>i', 196608) + b'user\0bench\0database\0postgres\0\0'
        self.waiting.append((None, b''))
        self.out.append(struct.pack('>i', len(start) + 4) + start)
        self.answer()

    def understand(self):
        """Parses the statements once, as a driver does."""
        for name, statement in STATEMENTS.items():
            self.out.append(message(b'P', name + b'\0' + statement.encode() + b'\0\0\0'))
        self.waiting.append((None, b''))
        self.out.append(message(b'S', b''))
        self.answer()
        return self

    def send(self, caller, body):
        self.waiting.append((caller, b'INSERT 0 1\0'))
        self.out.append(bind(b'send', body))

    def receive(self, caller):
        self.waiting.append((caller, b''))
        self.out.append(RECEIVE)

    def acknowledge(self, caller, token):
        self.waiting.append((caller, b'DELETE 1\0'))
        self.out.append(bind(b'acknowledge', token))

    def ask(self, statement):
        self.waiting.append((None, b''))
        self.out.append(message(b'Q', statement.encode() + b'\0'))
        return self.answer()

    def answers(self, data):
        data = self.rest + data
        place = 0
        while len(data) - place >= 5:
            kind, (length,) = data[place:place + 1], struct.unpack_from('>i', data, place + 1)
            if len(data) - place < 1 + length:
                break
            content = data[place + 5:place + 1 + length]
            place += 1 + length
            if kind == b'D':
                self.row = fields(content)
            elif kind == b'C':
                self.done = content
            elif kind == b'E':
                raise ValueError('PostgreSQL answers ' + content.replace(b'\0', b' ').decode('utf-8', 'replace'))
            elif kind == b'Z':
                caller, expected = self.waiting.popleft()
                if expected not in (b'', self.done):
                    raise ValueError(f'PostgreSQL did {self.done!r}, not {expected!r}')
                row, self.row = self.row, None
                yield caller, row
        self.rest = data[place:]


def fields(content):
    """The values of a row, none of which is null here."""
    values, place = [], 2
    for _ in range(struct.unpack_from('>h', content)[0]):
        (length,) = struct.unpack_from('>i', content, place)
        values.append(content[place + 4:place + 4 + length])
        place += 4 + length
    return values


def connect(ports):
    return Connection(ports).understand()


def prepare(ports):
    connection = Connection(ports)
    found = {name: connection.ask(f'SHOW {name}')[0].decode() for name in (*DURABLE, 'wal_sync_method')}
    connection.ask('DROP TABLE IF EXISTS messages')
    connection.ask(TABLE)
    return must_be(found, DURABLE)


def left(ports):
    return int(Connection(ports).ask('SELECT count(*) FROM messages')[0])
