#!/usr/bin/env python3
"""The embedded queues against what a user would pick instead: durable cycles a second, in one run, on one disk.

    python3 bench/engine.py [--callers 1,16,256,1024] [--seconds 5] [--runs 3] [--messages 1000000]
                            [--waiting 100000] [--files 5000] [--connections N] [--no-build]
                            [--only floor,millrace,postgresql,redis,nats,files,fill,killed]

A cycle is send, receive and acknowledge, each on disk before its answer; a caller waits for each answer. Bodies have
300 bytes. Latencies are of one operation, of which a cycle has three. Ratios are of median cycles a second, against
millrace: 5x means that millrace did five times as many.

`floor` is what the disk can do at all: one page written and synced again and again, by one thread or by 16. millrace
runs in this process's child, on FIFO queues with a group per caller; the peers are servers behind loopback TCP, each
with the settings that make it durable, read back before it is measured, and are spared FIFO groups. Their callers live
in two processes. They are measured twice: with a connection for each caller, as workers of their own have, and sharing
connections as far as that makes the peer faster (requests of different callers that arrive together share a sync in
Redis; `--connections N` measures that number alone). `clients` is the share of one core that the busiest of these
processes took, so that one can see that it was the server that was measured.

All take turns, run after run. Every message must be received exactly once, and none may be left. `files` are small ones
that `millrace run` takes from end to end, see small.py. `fill` puts a million messages into a queue, opens it anew,
takes them out again and compacts: times, memory and disk. `killed` ends a process in the middle of that, once a hundred
thousand wait, and opens the queue again: nothing but whole transactions may be found.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path

import harness
import servers
import small
from cycles import cycles, print_fill, print_killed
from harness import say
from servers import Absent

QUEUES = Path(__file__).resolve().parent / 'peers' / 'queues.py'
WORK = harness.WORK / 'engine'
NAMES = {'floor': 'fdatasync', 'millrace': 'millrace', 'postgresql': 'PostgreSQL', 'redis': 'Redis Streams',
         'nats': 'NATS JetStream', 'files': 'small files', 'fill': 'fill', 'killed': 'killed'}
PEER_CALLERS_MAX = 256
# Of all clients together: with how many a peer was found to be fastest.
CONNECTIONS_MAX = {'postgresql': 32, 'redis': 4, 'nats': 4}
CLIENTS = 2
FLOOR_THREADS = (1, 16)
FLOOR_SECONDS_MAX = 2
PAGE_BYTES = 4096
NUMBER_BITS = 40  # as in peers/queues.py
# What millrace is meant to reach at so many callers, as ratios.
WANTED = {1: {'redis': 1, 'postgresql': 1, 'nats': 1}, 256: {'redis': 2, 'postgresql': 10, 'nats': 6}}


class Measured:
    """Cycles a second and latencies of one run; `clients` is None where there are none."""

    def __init__(self, rate, p50, p99, clients=None):
        self.rate, self.p50, self.p99, self.clients = rate, p50, p99, clients


def percentile(ordered, percent):
    return ordered[len(ordered) * percent // 100] if ordered else 0


# ---------------------------------------------------------------- the disk

def floor(threads, seconds):
    """Syncs a second, each thread with a file of its own."""
    folder = WORK / 'floor'
    folder.mkdir(parents=True, exist_ok=True)
    latencies, page = [[] for _ in range(threads)], b'Z' * PAGE_BYTES
    deadline = time.perf_counter() + min(seconds, FLOOR_SECONDS_MAX)

    def sync(number):
        file = os.open(folder / str(number), os.O_RDWR | os.O_CREAT)
        os.pwrite(file, page, 0)
        os.fsync(file)
        before = time.perf_counter()
        while before < deadline:
            os.pwrite(file, page, 0)
            os.fdatasync(file)
            after = time.perf_counter()
            latencies[number].append(int((after - before) * 1e6))
            before = after
        os.close(file)

    started = time.perf_counter()
    running = [threading.Thread(target=sync, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    ordered = sorted(latency for own in latencies for latency in own)
    shutil.rmtree(folder)
    rate = len(ordered) / (time.perf_counter() - started)
    return Measured(rate, percentile(ordered, 50), percentile(ordered, 99))


# ---------------------------------------------------------------- millrace

def millrace(callers, seconds):
    """Of each number of callers the run; the example itself ends with an error unless all was received once."""
    for run in cycles(['--seconds', seconds, *callers])[0]['runs']:
        yield run['callers'], Measured(run['cycles_per_second'], run['p50_us'], run['p99_us'])


# ---------------------------------------------------------------- the peers

def client(python, peer, ports, *arguments):
    words = [python, QUEUES, peer, ','.join(map(str, ports)), *arguments]
    return subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def answer_of(process, seconds):
    try:
        printed, problems = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f'a client did not end in {seconds} s') from error
    finally:
        process.kill()
    if process.returncode != 0:
        last = (problems.strip() or 'a client ended without a word').splitlines()[-1]
        raise ValueError(last.removeprefix('ValueError: '))
    return json.loads(printed)


def ask(python, peer, ports, command):
    return answer_of(client(python, peer, ports, command), 60)


def connections_of(peer, callers, options):
    """How many connections the callers have in one run after the other."""
    told = options.connections
    return sorted({min(number, callers) for number in ([told] if told else [CONNECTIONS_MAX[peer], callers])})


def peer_run(python, peer, ports, callers, connections, options):
    """Callers of several processes, all told to start at once."""
    settings = ask(python, peer, ports, 'prepare')
    count, seconds = min(CLIENTS, callers), options.seconds
    connections = max(1, connections // count)
    outs = [WORK / f'{peer}-{number}' for number in range(count)]
    ends = [callers * (number + 1) // count for number in range(count)]
    clients = [client(python, peer, ports, 'run', first, end, connections, seconds, out)
               for first, end, out in zip([0, *ends], ends, outs)]
    try:
        # One that failed prints nothing; its words come with its end.
        for process in clients:
            process.stdout.readline()
        for process in clients:
            if process.poll() is None:
                process.stdin.write('\n')
                process.stdin.flush()
        answers = [answer_of(process, seconds + 90) for process in clients]
    finally:
        for process in clients:
            process.kill()
    check_received([number for answer in answers for number in answer['sent']], outs)
    left = ask(python, peer, ports, 'left')
    if left != 0:
        raise ValueError(f'{left} messages are left')
    ordered = sorted(load(outs, '.latencies', 'I'))
    rate = sum(answer['cycles'] for answer in answers) / seconds
    return settings, Measured(rate, percentile(ordered, 50), percentile(ordered, 99),
                              max(answer['cpu'] for answer in answers))


def load(outs, suffix, kind):
    """The numbers that clients wrote, whose files go."""
    numbers = array(kind)
    for out in outs:
        path = Path(f'{out}{suffix}')
        numbers.frombytes(path.read_bytes())
        path.unlink()
    return numbers


def check_received(sent, outs):
    """Every message that was sent must have been received, and only once."""
    received = sorted(load(outs, '.received', 'Q'))
    wanted = [caller << NUMBER_BITS | number for caller, count in enumerate(sent) for number in range(count)]
    if received != wanted:
        twice = len(received) - len(set(received))
        missing = len(set(wanted) - set(received))
        raise ValueError(f'of {len(wanted)} messages, {missing} were not received, {twice} more than once')


# ---------------------------------------------------------------- rounds and tables

class Rounds:
    """What has been measured: of each system and number of callers the runs, and what is wrong or left out."""

    def __init__(self):
        self.runs, self.problems, self.absent, self.settings = {}, [], {}, {}
        self.small = []

    def add(self, system, callers, measured):
        self.runs.setdefault((system, callers), []).append(measured)

    def run(self, options, python, files):
        for system in options.only:
            if system == 'floor':
                for threads in FLOOR_THREADS:
                    self.add('floor', threads, floor(threads, options.seconds))
            elif system == 'millrace':
                try:
                    for callers, measured in millrace(options.callers, options.seconds):
                        self.add(system, callers, measured)
                except ValueError as error:
                    self.problems.append(str(error))
            elif system == 'files':
                try:
                    self.small.append(small.run(files))
                except ValueError as error:
                    self.problems.append(f'small files: {error}')
            elif system in servers.PEERS and system not in self.absent:
                self.peer(system, options, python)

    def peer(self, system, options, python):
        try:
            with servers.PEERS[system].running(WORK) as ports:
                for callers in (callers for callers in options.callers if callers <= PEER_CALLERS_MAX):
                    for connections in connections_of(system, callers, options):
                        try:
                            self.settings[system], run = peer_run(python, system, ports, callers, connections, options)
                            self.add((system, connections), callers, run)
                        except ValueError as error:
                            self.problems.append(f'{NAMES[system]} at {callers} callers: {error}')
        except Absent as reason:
            self.absent[system] = str(reason)

    def print_tables(self, options):
        for system, settings in self.settings.items():
            say(f'  {NAMES[system]}, read back: ' + ', '.join(f'{name} {value}' for name, value in settings.items()))
        for system, reason in self.absent.items():
            say(f'  {NAMES[system]} is left out: {reason}')
        floors = [[f'{NAMES["floor"]}, {count} thread' + 's' * (count > 1), '-', '-', *self.figures('floor', count)]
                  for count in FLOOR_THREADS if ('floor', count) in self.runs]
        if floors:
            say('\nfloor: one page of 4 KB synced again and again')
            harness.table(HEADER, floors)
        for callers in options.callers:
            rows = [self.row('millrace', callers)] if ('millrace', callers) in self.runs else []
            rows += [self.row((peer, connections), callers) for peer in options.only if peer in servers.PEERS
                     for connections in connections_of(peer, callers, options) if ((peer, connections), callers) in self.runs]
            if rows:
                say(f'\n{callers:,} caller' + 's' * (callers > 1))
                harness.table(HEADER, rows)
        if self.small:
            floor = self.rate('floor', 1) if ('floor', 1) in self.runs else None
            small.print_table(self.small, options.files, floor)

    def row(self, system, callers):
        base = self.runs.get(('millrace', callers))
        ratio = f'{self.rate("millrace", callers) / self.rate(system, callers):.2f}x' if base else '-'
        peer, connections = system if isinstance(system, tuple) else (system, None)
        wanted = WANTED.get(callers, {}).get(peer)
        name = NAMES[peer]
        if connections and callers > 1:
            name += ', one connection each' if connections == callers else f', {connections} connections'
        return [name, ratio, f'{wanted}x' if wanted else '-', *self.figures(system, callers)]

    def rate(self, system, callers):
        return max(1, harness.median([run.rate for run in self.runs[system, callers]]))

    def figures(self, system, callers):
        runs = self.runs[system, callers]
        clients = [run.clients for run in runs if run.clients is not None]
        return [f'{self.rate(system, callers):,.0f}', f'{max(run.rate for run in runs):,.0f}',
                f'{harness.median([run.p50 for run in runs]):,.0f}',
                f'{harness.median([run.p99 for run in runs]):,.0f}', f'{max(clients):.0%}' if clients else '-']


HEADER = ['system', 'ratio', 'wanted', 'per s', 'best', 'p50 µs', 'p99 µs', 'clients']


def parsed():
    parser = argparse.ArgumentParser(description='The embedded queues against PostgreSQL, Redis Streams and NATS.')
    parser.add_argument('--callers', default='1,16,256,1024', help=f'peers are measured to {PEER_CALLERS_MAX}')
    parser.add_argument('--seconds', type=int, default=5, help='of each measurement')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--messages', type=int, default=1_000_000, help='of fill')
    parser.add_argument('--waiting', type=int, default=100_000, help='messages at least when it is killed')
    parser.add_argument('--files', type=int, default=5000, help='small files')
    parser.add_argument('--connections', type=int, default=0,
                        help='of a peer; one each, and as many as it is fastest with, unless told')
    parser.add_argument('--only', default=','.join(NAMES), help='of: ' + ', '.join(NAMES))
    parser.add_argument('--no-build', action='store_true', help='use the binary that is there')
    options = parser.parse_args()
    options.only = options.only.split(',')
    for one in options.only:
        if one not in NAMES:
            parser.error(f'{one} is none of {", ".join(NAMES)}')
    try:
        options.callers = [int(count) for count in options.callers.split(',')]
    except ValueError:
        parser.error(f'{options.callers} is not numbers with commas')
    counts = [options.seconds, options.runs, options.messages, options.waiting, options.files, *options.callers]
    if min(counts) < 1 or options.files > small.FILES_MAX:
        parser.error(f'numbers must be above 0, and files at most {small.FILES_MAX}')
    return options


def main():
    options = parsed()
    servers.end_in_order()
    if not options.no_build and {'millrace', 'fill', 'killed'} & {*options.only}:
        harness.build([['-p', 'engine', '--example', 'cycles']])
    if not options.no_build and 'files' in options.only:
        harness.build([['-p', 'app']])
    rounds, python, alone = Rounds(), None, {}
    if {*servers.PEERS} & {*options.only}:
        try:
            python = servers.environment()
        except Absent as reason:
            rounds.absent = dict.fromkeys(servers.PEERS, str(reason))
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    files = small.make(options.files) if 'files' in options.only else []
    say(f'\nengine: send, receive, acknowledge, each durable; {options.seconds} s, {options.runs} runs')
    for _ in range(options.runs):
        rounds.run(options, python, files)
    rounds.print_tables(options)
    for name, work in (('fill', lambda: print_fill(options.messages)),
                       ('killed', lambda: print_killed(options.waiting, options.runs))):
        if name in options.only:
            try:
                alone[name] = work()
            except ValueError as error:
                rounds.problems.append(f'{name}: {error}')
    runs = [{'system': system, 'callers': callers, 'runs': [vars(run) for run in measured]}
            for (system, callers), measured in rounds.runs.items()]
    files = [{'wall': done.wall, 'cpu': done.cpu, 'peak_bytes': done.peak_bytes, 'disk_bytes': on_disk}
             for done, on_disk in rounds.small]
    shutil.rmtree(WORK, ignore_errors=True)
    (harness.WORK / 'engine.json').write_text(json.dumps({'runs': runs, 'files': files, **alone}, indent=1))
    harness.fail(rounds.problems)


if __name__ == '__main__':
    sys.exit(main())
