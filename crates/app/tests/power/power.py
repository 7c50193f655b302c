#!/usr/bin/env python3
"""What a data folder is after the power went: only what was synced is there, of the rest any part or nothing.

    power.py MILLRACE FOLDER [--seed N] [--cuts N] [--forget PART]

`millrace serve` runs under strace while clients send files and records. From the calls follows what a disk had to have at
any time: the bytes of a file as they were when a sync of it began that has ended, and the names in a folder likewise. Of
what was not synced a disk may have any beginning, and any of the names. For a number of moments, some of them right
behind an answer, such a folder is made; `doctor` must find it well, the program must start on it and end all work, and
everything that was answered by then must be there, whole and once. `--forget PART` takes syncs of paths with this in them
for not made: what is lost then must be noticed.

strace is taken from Debian's package where it is not installed. Where it cannot be had, or nobody may trace, this says so
and does nothing.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

CALLS = ('open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2,unlink,'
         'unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,ftruncate,truncate,fallocate,lseek,copy_file_range,'
         'sendfile,splice,sendto,sendmsg,msync,io_uring_setup')
LINE = re.compile(r'^(\d+) +(.*)$', re.S)
RESUMED = re.compile(r'^<\.\.\. (\w+) resumed>(.*)$', re.S)
CALL = re.compile(r'^(\w+)\((.*)\) += (-?\d+)(.*)$', re.S)
DESCRIPTOR = re.compile(r'^(\d+)<([^>]*)>')
FOLDER = re.compile(r'(?:^|, )\d+<((?:\\x[0-9a-f]{2})*)>, "')
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
UNFINISHED = ' <unfinished ...>'
HEAD = 'symbol,price,volume,timestamp\n'
LARGE_ROWS = 9000


def plain(text):
    """What strace wrote in hexadecimal."""
    return bytes.fromhex(text.replace('\\x', ''))


class File:
    """Bytes as the program sees them, and what a disk must have of them."""

    def __init__(self):
        self.bytes = bytearray()
        self.synced = b''
        self.syncing = {}

    def write(self, at, data):
        if len(self.bytes) < at:
            self.bytes.extend(bytes(at - len(self.bytes)))
        self.bytes[at:at + len(data)] = data

    def after_loss(self, chance):
        """What was synced, or that with a part of what came later."""
        if chance is None or bytes(self.bytes) == self.synced:
            return self.synced
        keep = chance.randrange(4)
        if keep == 0:
            return self.synced
        if keep == 1:
            return bytes(self.bytes)
        now = bytes(self.bytes)
        if keep == 2:
            # its length came to the disk before what is in it: a part of what was added is zeros
            start = chance.randint(min(len(self.synced), len(now)), len(now))
            end = chance.randint(start, len(now))
            return now[:start] + bytes(end - start) + now[end:]
        same = next((at for at, (one, two) in enumerate(zip(now, self.synced)) if one != two), min(len(now), len(self.synced)))
        upto = chance.randint(same, len(now))
        return now[:upto] + self.synced[upto:]


class Folder:
    """Names as the program sees them, and those that a disk must have."""

    def __init__(self):
        self.names = {}
        self.synced = {}
        self.syncing = {}

    def after_loss(self, chance):
        if chance is None:
            return dict(self.synced)
        # each name is as it is now or as it was; a file that was renamed has one of its names at least
        keep = {name: entry for name, entry in self.synced.items()}
        for name in sorted(set(self.names) | set(self.synced)):
            if chance.randrange(2):
                if name in self.names:
                    keep[name] = self.names[name]
                else:
                    keep.pop(name, None)
        for name, entry in self.synced.items():
            if entry not in keep.values() and entry in self.names.values():
                keep[name] = entry
        return keep


class Disk:
    """The folder that the program works in, from its calls."""

    def __init__(self, root, forget=None):
        self.root = os.path.realpath(root)
        self.forget = forget
        self.top = Folder()
        self.offsets = {}
        self.answers = []

    def parts(self, path):
        if path != self.root and not path.startswith(self.root + '/'):
            return None
        return [part for part in path[len(self.root):].split('/') if part]

    def find(self, path):
        parts = self.parts(path)
        if parts is None:
            return None
        entry = self.top
        for part in parts:
            entry = entry.names.get(part) if isinstance(entry, Folder) else None
        return entry

    def parent(self, path):
        parts = self.parts(path)
        if not parts:
            return None, None
        return self.find(os.path.dirname(path)), parts[-1]

    def put(self, path, entry):
        folder, name = self.parent(path)
        if folder is not None:
            folder.names[name] = entry

    def take(self, path):
        folder, name = self.parent(path)
        return folder.names.pop(name, None) if folder is not None else None

    # Calls, as they begin and as they end.

    def begins(self, thread, name, arguments):
        if name == 'io_uring_setup':
            raise SystemExit('io_uring is not known to this script')
        descriptor = DESCRIPTOR.match(arguments)
        path = plain(descriptor[2]).decode() if descriptor and descriptor[2].startswith('\\x') else ''
        entry = self.find(path) if path else None
        if name in ('write', 'pwrite64') and isinstance(entry, File):
            text = TEXT.search(arguments, descriptor.end())
            assert text and not text[2], f'all bytes must be in the log: {arguments[:200]}'
            data, number = plain(text[1]), int(descriptor[1])
            at = int(arguments.rsplit(',', 1)[1]) if name == 'pwrite64' else self.offsets.get(number, 0)
            at = len(entry.bytes) if at is None else at
            entry.write(at, data)
            if name == 'write' and self.offsets.get(number, 0) is not None:
                self.offsets[number] = at + len(data)
        elif name in ('fsync', 'fdatasync') and entry is not None and self.forget and self.forget in path:
            pass
        elif name in ('fsync', 'fdatasync') and isinstance(entry, File):
            entry.syncing[thread] = bytes(entry.bytes)
        elif name in ('fsync', 'fdatasync') and isinstance(entry, Folder):
            entry.syncing[thread] = dict(entry.names)
        elif name in ('write', 'sendto', 'sendmsg', 'writev') and entry is None:
            text = b''.join(plain(found[1]) for found in TEXT.finditer(arguments))
            if text.startswith(b'HTTP/1.1 2') or b'receiptId' in text or b'"accepted"' in text:
                self.answers.append(text)
        elif entry is not None and name not in ('lseek', 'ftruncate'):
            raise SystemExit(f'{name} of {path} is not known to this script')

    def ends(self, thread, name, arguments, result, rest):
        if result < 0:
            return
        paths = []
        if name not in ('write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendto', 'sendmsg'):
            paths = [plain(found[1]).decode() for found in TEXT.finditer(arguments)]
            if any(self.parts(plain(found[1]).decode()) is not None for found in FOLDER.finditer(arguments)
                   ) and not all(path.startswith('/') for path in paths):
                raise SystemExit(f'{name} with a path from an open folder is not known to this script')
            paths = [path if path.startswith('/') else os.path.join(os.getcwd(), path) for path in paths]
        descriptor = DESCRIPTOR.match(arguments)
        path = plain(descriptor[2]).decode() if descriptor and descriptor[2].startswith('\\x') else ''
        if name in ('openat', 'open', 'creat'):
            opened = re.match(r'<((?:\\x[0-9a-f]{2})*)>', rest)
            path = plain(opened[1]).decode() if opened else paths[0]
            if self.parts(path) is None:
                return
            if self.find(path) is None and 'O_CREAT' in arguments:
                self.put(path, File())
            entry = self.find(path)
            if 'O_TRUNC' in arguments and isinstance(entry, File):
                entry.bytes = bytearray()
            self.offsets[result] = None if 'O_APPEND' in arguments else 0
        elif name == 'lseek' and path:
            self.offsets[int(descriptor[1])] = result if self.offsets.get(int(descriptor[1]), 0) is not None else None
        elif name == 'ftruncate' and isinstance(self.find(path), File):
            entry, length = self.find(path), int(arguments.rsplit(',', 1)[1])
            del entry.bytes[length:]
            entry.bytes.extend(bytes(length - len(entry.bytes)))
        elif name in ('fsync', 'fdatasync'):
            entry = self.find(path) if path else None
            if entry is not None and thread in entry.syncing:
                entry.synced = entry.syncing.pop(thread)
        elif name in ('mkdir', 'mkdirat'):
            if self.parts(paths[0]):
                self.put(paths[0], Folder())
        elif name in ('rename', 'renameat', 'renameat2'):
            entry = self.take(paths[0])
            if entry is not None:
                self.put(paths[1], entry)
        elif name in ('unlink', 'unlinkat', 'rmdir'):
            self.take(paths[0])
        elif name in ('link', 'linkat') and self.find(paths[0]) is not None:
            self.put(paths[1], self.find(paths[0]))

    def make(self, where, chance):
        """The folder after the power went now."""
        def write(entry, path):
            if isinstance(entry, File):
                path.write_bytes(entry.after_loss(chance))
                return
            path.mkdir()
            for name, within in entry.after_loss(chance).items():
                write(within, path / name)
        write(self.top, where)


def events(log):
    """Calls of all threads as they begin and end, in the order of the log."""
    begun = {}
    with open(log, encoding='ascii', errors='replace') as lines:
        for line in lines:
            thread, said = LINE.match(line.rstrip('\n')).groups()
            if said.startswith(('+++', '---')):
                continue
            if resumed := RESUMED.match(said):
                said = begun.pop(thread) + resumed[2]
                call = CALL.match(said)
                if call:
                    yield 'ends', thread, call[1], call[2], int(call[3]), call[4]
                continue
            if said.endswith(UNFINISHED):
                said = said.removesuffix(UNFINISHED)
                begun[thread] = said
                name, arguments = said.split('(', 1)
                yield 'begins', thread, name, arguments, None, None
                continue
            call = CALL.match(said)
            if call:
                yield 'begins', thread, call[1], call[2], None, None
                yield 'ends', thread, call[1], call[2], int(call[3]), call[4]


def rows(name, count):
    """A file, and the volume of its bars: each row has an instrument of the file's own, and a volume of 1."""
    return HEAD + ''.join(f'{name},{row % 90 + 1},1,2026-01-01T09:00:01Z\n' for row in range(count))


def transactions(name, count):
    head = 'transaction_id,timestamp,amount,currency,merchant,status\n'
    return head + ''.join(f'{name}-{row},2026-01-05T10:00:00Z,1,EUR,{name},completed\n' for row in range(count))


def is_large(number, turn):
    return (number + turn) % 4 == 0


def post(url, body, name=None):
    headers = {'Content-Type': 'text/csv', **({'X-Request-Id': name} if name else {})}
    request = urllib.request.Request(url, data=body.encode(), headers=headers, method='POST')
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def load(address):
    """Clients that send at once: small files, large ones, versions, transactions and single records."""
    def client(number):
        for turn in range(6):
            name = f'C{number}T{turn}'
            count = LARGE_ROWS if is_large(number, turn) else 3
            post(f'{address}/upload?feed=files&key={name}.csv', rows(name, count))
            post(f'{address}/upload?feed=transactions&key={name}.csv', transactions(name, 2))
            point = {'symbol': f'M{name}', 'price': 5, 'volume': 1, 'timestamp': 1767344401}
            # the answer has this name too, so that one sees in the log what was answered
            post(f'{address}/ingest', json.dumps(point), f'M{name}')
    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for each in clients:
        each.start()
    for each in clients:
        each.join()


def started(command):
    """A service, and its address once it takes requests."""
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
    address, said = None, []
    for line in process.stderr:
        said.append(line)
        if line.startswith('HTTP API'):
            address = line.split()[-1]
        if line.startswith('access'):
            break
    if not address:
        raise SystemExit('millrace serve did not start: ' + ''.join(said))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process, address


def tracer(work):
    """A strace that works here."""
    strace = shutil.which('strace')
    if not strace and shutil.which('apt-get') and shutil.which('dpkg'):
        quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL, 'cwd': work}
        if subprocess.run(['apt-get', 'download', 'strace'], **quiet).returncode != 0 and os.geteuid() == 0:
            subprocess.run(['apt-get', 'update', '-qq'], **quiet)
            subprocess.run(['apt-get', 'download', 'strace'], **quiet)
        for package in work.glob('strace*.deb'):
            subprocess.run(['dpkg', '-x', package, work / 'strace'], **quiet)
            strace = str(work / 'strace/usr/bin/strace')
    works = strace and subprocess.run([strace, '-f', '--seccomp-bpf', '-o', '/dev/null', 'true'], capture_output=True)
    if not works or works.returncode != 0:
        print('SKIPPED: there is no strace here, or nobody may trace; install it to see what a loss of power leaves')
        sys.exit(0)
    return strace


def serve(strace, millrace, data, log):
    """The service under strace: the process of strace, that of the service, and its address."""
    command = [strace, '-f', '--seccomp-bpf', '-xx', '-y', '-s', '16777216', '-o', log, '-e', f'trace={CALLS}', millrace,
               'serve', '--data', data, '--http', '127.0.0.1:0', '--s3', '127.0.0.1:0', '--log', 'off']
    process, address = started(command)
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    return process, int(children[0]), address


def is_answer(arguments):
    """Whether a client is told here that something was taken."""
    return 'HTTP/1.1 2'.encode().hex(' ').replace(' ', '\\x') in arguments.replace('"', '')


def answered(answers):
    """What clients were told is taken: files, files of transactions, and records."""
    text = b''.join(answers).decode(errors='replace')
    taken = {kind: set() for kind in ('files', 'transactions', 'records')}
    for name, bucket in re.findall(r'"fileId":"(\w+)\.csv".*?"bucketName":"([a-z-]+)"', text):
        taken['transactions' if bucket.startswith('transactions') else 'files'].add(name)
    taken['records'] = set(re.findall(r'^x-request-id: (MC\d+T\d+)', text, re.M | re.I))
    return taken


def of(name):
    """The number of the client and its turn."""
    return tuple(map(int, re.fullmatch(r'C(\d+)T(\d+)', name).groups()))


def run(millrace, *arguments, codes=(0,)):
    done = subprocess.run([str(millrace), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in codes:
        raise AssertionError(f'millrace {" ".join(map(str, arguments))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}')
    return done.stdout


def lines(millrace, *arguments):
    return [json.loads(line) for line in run(millrace, *arguments, '--json').splitlines()]


def check(millrace, folder, taken, what):
    """Everything is well, and what was answered is there once. How many instruments there are."""
    if taken['files']:
        run(millrace, 'doctor', '--data', folder)
    last = folder.with_suffix('.csv')
    last.write_text(rows('LAST', 1))
    # starts on the folder, does what waits, and takes one more; it ends with its own file, whatever else is under way
    for _ in range(40):
        run(millrace, 'run', '--data', folder, last)
        files = lines(millrace, 'files', '--data', folder)
        if not any(file['outcome'] == 'in_progress' and file['feed'] != 'market' for file in files):
            break
    run(millrace, 'doctor', '--data', folder)
    bars = {bar['symbol']: bar for bar in lines(millrace, 'bars', '--data', folder)}
    for name in taken['files'] | {'LAST'}:
        count = 1 if name == 'LAST' else LARGE_ROWS if is_large(*of(name)) else 3
        bar = bars.get(name)
        assert bar and bar['trades'] == count, f'{what}: {name} was answered, and its bar is {bar}'
    paid = [row['merchant'] for row in lines(millrace, 'transactions', '--data', folder)]
    for name in taken['transactions']:
        assert paid.count(name) == 2, f'{what}: {name} was answered, and {paid.count(name)} of its 2 transactions are there'
    if taken['records']:
        market = market_bars(millrace, folder, taken['records'])
        for name in taken['records']:
            bar = market.get(name)
            assert bar and bar['trades'] == 1, f'{what}: the record of {name} was answered, and its bar is {bar}'
    return len(bars)


def market_bars(millrace, folder, symbols):
    """Bars of records, which only the service makes, by its clock."""
    command = [millrace, 'serve', '--data', folder, '--http', '127.0.0.1:0', '--s3', '127.0.0.1:0', '--log', 'off',
               '--aggregate-seconds', '1']
    process, address = started(command)
    try:
        bars = {}
        for _ in range(100):
            with urllib.request.urlopen(f'{address}/bars?feed=market', timeout=60) as answer:
                told = json.load(answer)
            bars = {bar['symbol']: bar for bar in told['bars']}
            if symbols <= bars.keys():
                break
            time.sleep(0.1)
        return bars
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('millrace', type=Path)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--cuts', type=int, default=24, help='moments, half of them right behind an answer')
    parser.add_argument('--forget', metavar='PART', help='take syncs of these paths for not made')
    options = parser.parse_args()
    chance = random.Random(options.seed)
    work = options.folder.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # the service makes the folder itself
    data, log = work / 'disk/data', work / 'calls'
    data.parent.mkdir()
    strace = tracer(work)
    process, served, address = serve(strace, options.millrace, data, log)
    try:
        load(address)
        time.sleep(1)
    finally:
        os.kill(served, signal.SIGKILL)
        process.wait()
    every = list(events(log))
    disk = Disk(data.parent, options.forget)
    # when something was answered, and others
    moments = sorted(chance.sample(range(len(every)), options.cuts // 2))
    answers = [place for place, event in enumerate(every) if event[0] == 'begins' and is_answer(event[3])]
    moments = sorted(set(moments + [place + 1 for place in chance.sample(answers, min(len(answers), options.cuts // 2))]))
    checked = 0
    for place, event in enumerate(every):
        while moments and moments[0] == place:
            moments.pop(0)
            for how, draw in (('nothing', None), ('parts', chance)):
                what = f'seed {options.seed}, call {place} of {len(every)}, {how} of what was not synced'
                folder = work / 'after'
                shutil.rmtree(folder, ignore_errors=True)
                disk.make(folder, draw)
                taken = answered(disk.answers)
                found = check(options.millrace, folder / data.name, taken, what)
                told = ', '.join(f'{len(names)} {kind}' for kind, names in taken.items())
                print(f'{what}: {told} were answered, all are there; {found} instruments', flush=True)
                checked += 1
        kind, thread, name, arguments, result, rest = event
        if kind == 'begins':
            disk.begins(thread, name, arguments)
        else:
            disk.ends(thread, name, arguments, result, rest)
    taken = answered(disk.answers)
    if not checked or not all(taken.values()):
        raise SystemExit(f'nothing was checked, or not everything was answered: {taken}')
    print(f'{checked} folders were well; {len(taken["files"])} files were answered')


if __name__ == '__main__':
    sys.exit(main())
