"""Small files from end to end: `millrace run` of thousands at once, until every one of them is added up and on disk.

The files are trades of a few symbols within one hour, all different, with many at the same second, so that it matters
in which order the files came. Each time every receipt must be complete, and the bars those that Python's exact numbers
come to; `millrace doctor` must find nothing.
"""

import csv
import json
import random
import shutil
import subprocess
from decimal import ROUND_HALF_EVEN, Context, Decimal

import harness
from harness import MILLRACE, OUT, say

WORK = harness.WORK / 'engine' / 'small'
ROWS = 20
SYMBOLS = 40
FILES_WANTED = 1000  # a second
# All are named on one command line, which has room for so many.
FILES_MAX = 20_000
# Ten significant digits are what `vwap` has.
VWAP = Context(prec=10, rounding=ROUND_HALF_EVEN)
HEADER = ['command', 'files/s', 'best', 'wanted', 'per fdatasync', 'CPU ms/file', 'peak MB', 'on disk', 'of files']


def make(count):
    """Writes the files, and returns their paths."""
    folder = WORK / 'files'
    shutil.rmtree(WORK, ignore_errors=True)
    folder.mkdir(parents=True)
    chance, paths = random.Random(1), []
    for number in range(count):
        rows = ['symbol,price,volume,timestamp\n']
        for _ in range(ROWS):
            second, symbol = chance.randrange(3600), chance.randrange(SYMBOLS)
            price, volume = 10_000 * (symbol + 1) + chance.randrange(5000), chance.randrange(1, 100_000)
            rows.append(f'S{symbol:02},{price / 1e4:.4f},{volume / 1e2:.2f},'
                        f'2026-01-05T14:{second // 60:02}:{second % 60:02}Z\n')
        paths.append(folder / f'{number:05}.csv')
        paths[-1].write_text(''.join(rows))
    return paths


def run(paths):
    """One run on a fresh data folder and what it left on disk; an error when something is wrong with it."""
    data = WORK / 'data'
    shutil.rmtree(data, ignore_errors=True)
    done = harness.measure([MILLRACE, 'run', *paths, '--data', data])
    if done.code != 0:
        raise ValueError(f'`millrace run` ended with code {done.code}: {done.problems.strip()[-600:]}')
    on_disk = harness.disk_bytes(data)
    harness.save([MILLRACE, 'doctor', '--data', data], OUT / 'small.doctor')
    harness.save([MILLRACE, 'bars', '--data', data], OUT / 'small.csv')
    check_bars(meant(arrived(data, paths)), OUT / 'small.csv')
    shutil.rmtree(data)
    return done, on_disk


def arrived(data, paths):
    """The files in the order in which they count, once each receipt is found to be complete."""
    order, by_name = [], {path.name: path for path in paths}
    command = [MILLRACE, 'files', '--data', data, '--limit', str(len(paths) + 1), '--json']
    listing = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
    with listing:
        for receipt in map(json.loads, listing.stdout):
            counts = receipt['account']['counts']
            if receipt['outcome'] != 'completed' or counts['good'] != ROWS or counts['rows'] != ROWS:
                raise ValueError(f"{receipt['objectKey']} is {receipt['outcome']} with {counts['good']} good rows of "
                                 f"{counts['rows']}, not completed with {ROWS}")
            order.append((receipt['receivedAt'], receipt['versionId'], receipt['objectKey']))
    names = [name for _, _, name in sorted(order)]
    if sorted(names) != sorted(by_name):
        raise ValueError(f'{len(names)} files are listed, {len(set(names))} of them different, not {len(paths)}')
    return [by_name[name] for name in names]


def meant(paths):
    """By symbol and minute the numbers of a bar, by Python's exact arithmetic."""
    bars = {}
    for path in paths:
        with open(path, newline='', encoding='utf-8') as file:
            for symbol, price, volume, time in list(csv.reader(file))[1:]:
                price, volume = Decimal(price), Decimal(volume)
                new = [time, price, price, price, time, price, Decimal(0), 0, Decimal(0)]
                bar = bars.setdefault((symbol, f'{time[:16]}:00Z'), new)
                # Of trades of one time, the first opens and the last closes.
                if time < bar[0]:
                    bar[0:2] = time, price
                if time >= bar[4]:
                    bar[4:6] = time, price
                bar[2], bar[3] = max(bar[2], price), min(bar[3], price)
                bar[6], bar[7], bar[8] = bar[6] + volume, bar[7] + 1, bar[8] + price * volume
    return {key: [opened, high, low, closed, volume, Decimal(trades), notional, VWAP.divide(notional, volume)]
            for key, (_, opened, high, low, _, closed, volume, trades, notional) in bars.items()}


def check_bars(wanted, path):
    """Compares the bars with what they must be."""
    with open(path, newline='', encoding='utf-8') as file:
        for row in list(csv.reader(file))[1:]:
            key, numbers = tuple(row[:2]), [Decimal(field) for field in row[2:10]]
            if wanted.pop(key, None) != numbers:
                raise ValueError(f'the bar {",".join(row)} is not what Python comes to')
    if wanted:
        raise ValueError(f'{len(wanted)} bars are missing, {min(wanted)} among them')


def print_table(runs, count, floor):
    """`floor` is how often a second one thread can sync, if that was measured."""
    rates = [count / done.wall for done, _ in runs]
    rate, on_disk = harness.median(rates), max(disk for _, disk in runs)
    size = sum(path.stat().st_size for path in (WORK / 'files').iterdir())
    say(f'\nsmall files: {count:,} of {ROWS} rows, {harness.size_text(size)} in all, from end to end')
    harness.table(HEADER, [
        ['millrace run', f'{rate:,.0f}', f'{max(rates):,.0f}', f'{FILES_WANTED:,}',
         f'{rate / floor:.2f}' if floor else '-',
         f'{harness.median([done.cpu for done, _ in runs]) / count * 1e3:.2f}',
         harness.peak_text(max(done.peak_bytes for done, _ in runs)), harness.size_text(on_disk),
         f'{on_disk / size:.2f}x']])
