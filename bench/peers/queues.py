#!/usr/bin/env python3
"""Callers of a peer's queue: each sends, receives, acknowledges, and waits for the answer every time.

    queues.py PEER PORTS prepare                             makes an empty queue, prints the settings read back
    queues.py PEER PORTS run FIRST END CONNECTIONS SECONDS OUT
    queues.py PEER PORTS left                                prints how many messages the queue still holds

`run` is the callers FIRST to END. It prints `ready`, starts at a line of its input, writes what was received and the
latencies to OUT.received and OUT.latencies, and prints JSON. One thread serves all callers: what has arrived is read
at once, and the next requests of these callers leave together.
"""

import importlib
import json
import select
import sys
import time
from array import array
from pathlib import Path

BODY_BYTES = 300
ANSWER_SECONDS_MAX = 30
NUMBER_BITS = 40


class Run:
    """What all callers of this process share."""

    def __init__(self, seconds):
        self.deadline = time.perf_counter() + seconds
        self.cycles = 0
        self.latencies = array('I')  # µs
        self.received = array('Q')
        self.sent = {}


def calls(caller, connection, run):
    """The life of a caller: yields after each request, and is sent the answer."""
    now = time.perf_counter
    number = 0
    before = now()
    while before < run.deadline:
        key = caller << NUMBER_BITS | number
        connection.send(caller, key.to_bytes(8, 'big').ljust(BODY_BYTES, b'b'))
        yield
        number += 1
        sent = now()
        connection.receive(caller)
        while (found := (yield)) is None:
            connection.receive(caller)
        token, body = found
        received = now()
        connection.acknowledge(caller, token)
        yield
        done = now()
        if len(body) != BODY_BYTES:
            raise ValueError(f'a message of {len(body)} bytes')
        run.received.append(int.from_bytes(body[:8], 'big'))
        for seconds in (sent - before, received - sent, done - received):
            run.latencies.append(int(seconds * 1e6))
        run.cycles += done < run.deadline
        before = done
    run.sent[caller] = number


def serve(connections, callers):
    """Hands answers to callers until all have ended."""
    left = len(callers)
    poll = select.poll()
    by_number = {connection.socket.fileno(): connection for connection in connections}
    for number in by_number:
        poll.register(number, select.POLLIN)
    for caller in callers.values():
        next(caller)
    for connection in connections:
        connection.flush()
    while left:
        ready = poll.poll(ANSWER_SECONDS_MAX * 1000)
        if not ready:
            raise TimeoutError(f'no answer in {ANSWER_SECONDS_MAX} s')
        for number, _ in ready:
            connection = by_number[number]
            for caller, answer in connection.answers(connection.read()):
                try:
                    callers[caller].send(answer)
                except StopIteration:
                    left -= 1
            connection.flush()


def measure(peer, ports, first, end, count, seconds, out):
    connect = getattr(peer, 'connect', peer.Connection)
    connections = [connect(ports) for _ in range(count)]
    print('ready', flush=True)
    sys.stdin.readline()
    processor = time.process_time()
    run = Run(seconds)
    started = time.perf_counter()
    serve(connections, {caller: calls(caller, connections[caller % count], run) for caller in range(first, end)})
    used = (time.process_time() - processor) / (time.perf_counter() - started)
    Path(f'{out}.received').write_bytes(run.received.tobytes())
    Path(f'{out}.latencies').write_bytes(run.latencies.tobytes())
    return {'cycles': run.cycles, 'cpu': used, 'sent': [run.sent[caller] for caller in range(first, end)]}


def main():
    name, ports, command, *arguments = sys.argv[1:]
    peer = importlib.import_module(f'{name}_queue')
    ports = [int(port) for port in ports.split(',')]
    if command == 'prepare':
        answer = peer.prepare(ports)
    elif command == 'left':
        answer = peer.left(ports)
    else:
        first, end, count, seconds, out = arguments
        answer = measure(peer, ports, int(first), int(end), int(count), float(seconds), out)
    print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
