"""What the benchmarks share: building, making data, measuring a process, judging answers, printing tables.

Python's standard library only. Everything that is made goes below `target/bench`.
"""

import csv
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target'))
WORK = TARGET / 'bench'
DATA = WORK / 'data'
OUT = WORK / 'out'
# of Cargo.toml
PROFILE = 'dist'
MILLRACE = TARGET / PROFILE / 'millrace'
GENERATE = TARGET / PROFILE / 'examples' / 'generate'
SOME_ROWS_REJECTED = 3  # exit code of `millrace check`


def say(text):
    print(text, flush=True)


def build(packages, profile=PROFILE):
    """Builds what is shipped: `packages` are lists of arguments of `cargo build`."""
    for package in packages:
        subprocess.run(['cargo', 'build', '--quiet', '--profile', profile, *package], cwd=ROOT, check=True)


def environment(name, what):
    """Python of a virtual environment with the packages of a list in this folder, made when the list changed."""
    requirements = Path(__file__).resolve().parent / name
    folder = WORK / requirements.stem.replace('requirements', 'venv')
    python, installed = folder / 'bin' / 'python', folder / 'requirements.txt'
    if not installed.exists() or installed.read_text() != requirements.read_text():
        say(f'installing {what} …')
        subprocess.run([sys.executable, '-m', 'venv', '--clear', folder], check=True)
        subprocess.run([python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps',
                        '--requirement', requirements], check=True)
        installed.write_text(requirements.read_text())
    return python


def size_text(count):
    for unit, size in (('GB', 1e9), ('MB', 1e6), ('KB', 1e3)):
        if count >= size:
            return f'{count / size:.3g} {unit}'
    return f'{count} B'


def number_text(count):
    return f'{count / 1e6:.3g} million' if count >= 1e6 else f'{count:,}'


def generated(name, arguments):
    """Path and manifest of a data file, made if it is not there. The arguments are part of its identity."""
    DATA.mkdir(parents=True, exist_ok=True)
    path, manifest, made_by = DATA / name, DATA / f'{name}.manifest.json', DATA / f'{name}.arguments'
    # A generator that was built since may write something else.
    identity = ' '.join(arguments) + f' {GENERATE.stat().st_mtime_ns}'
    if not (path.exists() and manifest.exists() and made_by.exists() and made_by.read_text() == identity):
        subprocess.run([GENERATE, *arguments, '--out', path, '--manifest', manifest], check=True)
        made_by.write_text(identity)
    return path, json.loads(manifest.read_text())


class Run:
    """What a process used, and what it printed."""

    def __init__(self, wall, cpu, peak_bytes, code, printed, problems):
        self.wall, self.cpu, self.peak_bytes, self.code = wall, cpu, peak_bytes, code
        self.printed, self.problems = printed, problems


def measure(command, environment=None):
    """Runs `command` to its end. A process is born with its parent's peak memory, so this one has to stay small."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / 'stdout', 'w+b') as stdout, open(OUT / 'stderr', 'w+b') as stderr:
        started = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=stdout, stderr=stderr,
                                   env={**os.environ, **(environment or {})})
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = code = os.waitstatus_to_exitcode(status)
        stdout.seek(0)
        stderr.seek(0)
        printed, problems = (file.read(1 << 22).decode('utf-8', 'replace') for file in (stdout, stderr))
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, code, printed, problems)


def save(command, path):
    """What `command` prints, as a file; an error unless it ends well. Says how long it took."""
    started = time.perf_counter()
    with open(path, 'wb') as file:
        done = subprocess.run([str(part) for part in command], stdout=file, stderr=subprocess.PIPE)
    if done.returncode != 0:
        problems = done.stderr.decode('utf-8', 'replace').strip()
        raise ValueError(f'`millrace {command[1]}` ended with code {done.returncode}: {problems[-600:]}')
    return time.perf_counter() - started


def disk_bytes(folder):
    """Bytes that the files of a folder take on disk; a file with holes takes less than its length."""
    return sum((Path(where) / name).stat().st_blocks * 512 for where, _, names in os.walk(folder) for name in names)


def peak_text(peak_bytes):
    """Peak memory in MB; what is not above this process's own cannot be told from it."""
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return f'<{floor / 1e6:.0f}' if peak_bytes <= floor else f'{peak_bytes / 1e6:.0f}'


def warm(path):
    """Brings a file into the page cache, so that no tool pays for the disk."""
    with open(path, 'rb') as file:
        while file.read(1 << 20):
            pass


# ---------------------------------------------------------------- answers

def millrace_command(path, schema, out, rejects, threads, memory='512MB', sha256=False):
    answer = ['--bars', out, '--interval', '1m'] if schema == 'trades' else ['--totals', out]
    return [MILLRACE, 'check', path, '--json', '--rejects', rejects, *answer, '--threads', threads,
            '--memory', memory, *([] if sha256 else ['--no-sha256'])]


def report_in(printed):
    """The report of the one file in what a program printed: the first object that has counts of rows."""
    try:
        waiting = [json.loads(printed)]
    except ValueError:
        return None
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            if 'rows' in value and 'good' in value:
                return value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return None


def normal(field):
    """A number without the zeros that do not matter; other text as it is."""
    if '.' in field and field[-1] == '0':
        cut = field.rstrip('0').rstrip('.')
        return cut if re.fullmatch(r'-?[0-9]+(\.[0-9]+)?', cut) else field
    return field


def rows_of(path):
    """Rows of an answer, numbers in one form."""
    with open(path, newline='', encoding='utf-8') as file:
        for fields in csv.reader(file):
            yield [normal(field) for field in fields]


def rejects_of(path):
    """(line, reasons) of each rejected row. Behind the sender's columns, or keys, come `line`, `reasons` and `hint`."""
    csv.field_size_limit(1 << 24)
    with open(path, newline='', encoding='utf-8', errors='replace') as file:
        if file.read(1) in '{[':
            file.seek(0)
            # A row that is no JSON object is told about in an object of its own.
            return [(row['line'], tuple(row['reasons'])) for row in map(json.loads, file)]
        file.seek(0)
        rows = csv.reader(file)
        header = next(rows)
        line, reasons = header.index('line') - len(header), header.index('reasons') - len(header)
        return [(int(row[line]), tuple(re.findall(r'\w+', row[reasons]))) for row in rows]


def against_manifest(schema, manifest, report, out, rejects):
    """What is wrong with an answer, as sentences."""
    wrong = []
    for name in ('rows', 'good', 'rejected', 'duplicate', 'reasons', 'first_reasons'):
        if name in report and report[name] != manifest[name]:
            wrong.append(f'{name} is {report[name]}, not {manifest[name]}')
    listed = rejects_of(rejects)
    counted = {'reasons': Counter(), 'first_reasons': Counter()}
    for _, reasons in listed:
        counted['reasons'].update(set(reasons))
        counted['first_reasons'][reasons[0]] += 1
    for name, counts in counted.items():
        if dict(counts) != manifest[name]:
            both = {key: (counts.get(key, 0), manifest[name].get(key, 0)) for key in sorted({*counts, *manifest[name]})}
            different = ', '.join(f'{key} {one}, not {two}' for key, (one, two) in both.items() if one != two)
            wrong.append(f'{name} in the list of rejects: {different}')
    lists = [('the list of rejects', [line for line, _ in listed])]
    if 'rejects' in report:
        lists.append(('the report', [reject['line'] for reject in report['rejects']]))
    for where, lines in lists:
        pairs = enumerate(zip_longest(lines[:100], manifest['bad_lines']), 1)
        for number, (one, two) in pairs:
            if one != two:
                wrong.append(f'bad row {number} of {where} is on line {one}, not {two}')
                break
    return wrong + totals_wrong(schema, manifest, out)


def totals_wrong(schema, manifest, out):
    """Folds the rows of an answer per symbol, or per currency and status, and compares with the manifest."""
    keys, sums = (('symbol',), ('volume', 'notional')) if schema == 'trades' else (('currency', 'status'), ('sum',))
    counter = 'trades' if schema == 'trades' else 'count'
    folded, groups = {}, 0
    rows = rows_of(out)
    header = next(rows)
    key_places, sum_places = [header.index(key) for key in keys], [header.index(name) for name in sums]
    count_place = header.index(counter)
    ends = [header.index(name) for name in ('min', 'max')] if schema == 'transactions' else []
    for row in rows:
        groups += 1
        key = tuple(row[place] for place in key_places)
        total = folded.setdefault(key, [0, *(Decimal(0) for _ in sums), *(Decimal(row[place]) for place in ends)])
        total[0] += int(row[count_place])
        for index, place in enumerate(sum_places):
            total[1 + index] += Decimal(row[place])
        if ends:
            total[-2], total[-1] = min(total[-2], Decimal(row[ends[0]])), max(total[-1], Decimal(row[ends[1]]))
    wrong = [] if groups == manifest['groups'] else [f"{groups} groups, not {manifest['groups']}"]
    names = ['count', *sums, *(('min', 'max') if ends else ())]
    meant = {tuple(total[key] for key in keys): [Decimal(total[name]) for name in names]
             for total in manifest['totals']}
    for key in sorted({*folded, *meant}):
        if folded.get(key) != meant.get(key):
            one, two = (' '.join(map(str, totals.get(key, ['nothing']))) for totals in (folded, meant))
            wrong.append(f'total of {" ".join(key)} ({", ".join(names)}) is {one}, not {two}')
    return wrong[:5]


def rows_differ(one, other, columns=None):
    """The first few rows in which two answers differ, as sentences. Both are sorted alike; of the other only so many
    columns count."""
    differences = []
    ours, theirs = rows_of(one), rows_of(other)
    number = 0
    while True:
        number += 1
        left, right = next(ours, None), next(theirs, None)
        right = right and right[:columns]
        if left is None and right is None:
            return differences
        if left != right:
            shown = [','.join(row) if row else 'nothing' for row in (left, right)]
            differences.append(f'row {number} is {shown[0]} in {Path(one).name}, {shown[1]} in {Path(other).name}')
            if len(differences) == 3 or left is None or right is None:
                return differences


# ---------------------------------------------------------------- tables

def table(header, rows):
    """Columns as wide as they must be; the first is text, the others are numbers."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        say('  ' + '  '.join(cells).rstrip())


def median(values):
    return statistics.median(values)


def fail(problems):
    """Prints what is wrong and ends with an error, or does nothing."""
    if problems:
        say('')
        for problem in problems:
            say(f'WRONG: {problem}')
        sys.exit(1)
