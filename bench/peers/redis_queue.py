"""A queue on Redis Streams. XADD sends, XREADGROUP receives, XACK acknowledges.

With `appendfsync always`, Redis syncs its file before it answers; requests that arrive together, on one connection or
several, share a sync. A stream keeps what was acknowledged; MAXLEN cuts it off at next to no cost, far behind the
messages that are on their way, of which each caller has at most one.
"""

from collections import deque

import hiredis

from wire import Wire, must_be

STREAM_MESSAGES_MAX = 10_000
DURABLE = {'appendonly': 'yes', 'appendfsync': 'always'}


def request(*words):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%b\r\n' % (len(word), word) for word in words)


SEND = request('XADD', 'q', 'MAXLEN', '~', STREAM_MESSAGES_MAX, '*', 'b', 'BODY').removesuffix(b'$4\r\nBODY\r\n')
RECEIVE = request('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 1, 'STREAMS', 'q', '>')
ACKNOWLEDGE = request('XACK', 'q', 'g', 'ID').removesuffix(b'$2\r\nID\r\n')


class Connection(Wire):
    def __init__(self, ports):
        super().__init__(ports[0])
        self.reader = hiredis.Reader()
        # Callers in the order of their requests, which is that of the answers, and what makes sense of the answer.
        self.waiting = deque()

    def send(self, caller, body):
        self.waiting.append((caller, bool))
        self.out.append(b'%b$%d\r\n%b\r\n' % (SEND, len(body), body))

    def receive(self, caller):
        self.waiting.append((caller, first_message))
        self.out.append(RECEIVE)

    def acknowledge(self, caller, token):
        self.waiting.append((caller, acknowledged))
        self.out.append(b'%b$%d\r\n%b\r\n' % (ACKNOWLEDGE, len(token), token))

    def ask(self, *words):
        self.waiting.append((None, plain))
        self.out.append(request(*words))
        return self.answer()

    def answers(self, data):
        self.reader.feed(data)
        while (found := self.reader.gets()) is not False:
            if isinstance(found, hiredis.ReplyError):
                raise ValueError(f'Redis answers {found}')
            caller, meaning = self.waiting.popleft()
            yield caller, meaning(found)


def plain(found):
    return found


def first_message(found):
    if found is None:
        return None
    [[_, [[token, [_, body]]]]] = found
    return token, body


def acknowledged(found):
    if found != 1:
        raise ValueError(f'XACK acknowledged {found} messages, not 1')
    return True


def pairs(flat):
    words = [word.decode() if isinstance(word, bytes) else word for word in flat]
    return dict(zip(words[::2], words[1::2]))


def prepare(ports):
    connection = Connection(ports)
    found = {name: pairs(connection.ask('CONFIG', 'GET', name)).get(name) for name in DURABLE}
    connection.ask('DEL', 'q')
    connection.ask('XGROUP', 'CREATE', 'q', 'g', '0', 'MKSTREAM')
    return must_be(found, DURABLE)


def left(ports):
    """Messages that nobody received, or that nobody acknowledged."""
    [group] = Connection(ports).ask('XINFO', 'GROUPS', 'q')
    group = pairs(group)
    return group['pending'] + (group['lag'] or 0)
