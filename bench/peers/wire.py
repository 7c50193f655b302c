"""A connection to a server on loopback: what is to be sent is gathered, and leaves in one go."""

import socket

RECEIVE_BYTES = 1 << 18


class Wire:
    """The base of each peer's `Connection`.

    A peer adds `send(caller, body)`, `receive(caller)` and `acknowledge(caller, token)`, which only gather bytes, and
    `answers(data)`, which yields (caller, answer): to a receive (token, body), or None when there was nothing. All
    else that a server answers is an error.
    """

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.out = []

    def flush(self):
        if self.out:
            self.socket.sendall(b''.join(self.out))
            self.out.clear()

    def read(self):
        data = self.socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionError('the server closed the connection')
        return data

    def answer(self):
        """Waits for one answer, where only one is to come."""
        self.flush()
        while True:
            for _, answer in self.answers(self.read()):
                return answer


def must_be(found, wanted):
    """The settings that were read back, when they are those that make the server durable."""
    for name, value in wanted.items():
        if found.get(name) != value:
            raise ValueError(f'{name} is {found.get(name)!r}, not {value!r}')
    return found
