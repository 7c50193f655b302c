#!/usr/bin/env python3
"""What it costs that a file is kept: `millrace run` of a large file against `millrace check` of the same.

    python3 bench/run.py [--bytes 1GB] [--runs 3] [--only trades,transactions] [--threads N] [--no-build]

`check` judges every row, hashes the file and writes the bars or totals and the refused rows; nothing of it is synced.
`run` does the same on a fresh data folder, and when it ends, the file itself, its good rows, what they add up to, the
refused rows and the receipt are on disk. `copy` is what the disk asks for the file alone: `dd`, synced. `read` is
`millrace bars` or `totals` afterwards, which puts the answer together and prints it; `check` did that on its way.

They take turns, run after run, on a file that is in the page cache. Each time the receipt must have the counts and
reasons of the generator, the bars or totals must be those of `check`, row by row, and the refused rows the same byte
for byte; otherwise this ends with an error. So it does when `run` takes more than 2.5 times the wall time of `check`;
ratios are of medians, against `check`.
"""

import argparse
import filecmp
import json
import os
import shutil
import sys

import harness
from harness import MILLRACE, OUT, say

WORK = harness.WORK / 'run'
FOLDER = WORK / 'data'
WALL_RATIO_MAX = 2.5
CASES = ('trades', 'transactions')
READ = {'trades': 'bars', 'transactions': 'totals'}


def check(schema, path, threads):
    out, rejects = OUT / 'check.csv', OUT / 'check.rejects.csv'
    run = harness.measure(harness.millrace_command(path, schema, out, rejects, threads, sha256=True))
    return run, must_end(run, 'check')


def keep(path):
    run = harness.measure([MILLRACE, 'run', path, '--data', FOLDER])
    return run, must_end(run, 'run')


def copy(path):
    run = harness.measure(['dd', f'if={path}', f'of={WORK / "copy"}', 'bs=1M', 'conv=fsync', 'status=none'])
    (WORK / 'copy').unlink(missing_ok=True)
    return run, must_end(run, 'dd')


def must_end(run, name):
    if run.code in (0, harness.SOME_ROWS_REJECTED):
        return []
    return [f'`{name}` ended with code {run.code}: {run.problems.strip()[-600:]}']


def read(schema, path):
    """Seconds of reading the answer, and what is wrong with what `run` left in the folder."""
    out, rejects, receipt = OUT / 'run.csv', OUT / 'run.rejects.csv', OUT / 'run.receipt.json'
    at = ['--data', FOLDER]
    seconds = harness.save([MILLRACE, READ[schema], *at], out)
    harness.save([MILLRACE, 'rejects', path.name, '--raw', *at], rejects)
    harness.save([MILLRACE, 'status', path.name, '--json', *at], receipt)
    harness.save([MILLRACE, 'doctor', *at], OUT / 'run.doctor')
    # Behind the columns of `check` come the state of the window and its revision.
    columns = len(next(harness.rows_of(OUT / 'check.csv')))
    wrong = harness.rows_differ(OUT / 'check.csv', out, columns)
    if not filecmp.cmp(OUT / 'check.rejects.csv', rejects, shallow=False):
        wrong.append('the refused rows of `run` are not those of `check`')
    return seconds, wrong


def receipt_wrong(manifest):
    """How the receipt differs from what the generator says it wrote."""
    receipt = json.loads((OUT / 'run.receipt.json').read_text())
    account = receipt['account']
    found = {**account['counts'], 'bytes': account['bytes'], 'reasons': account['reasons']}
    wrong = [f'the receipt says {name} {found[name]}, not {manifest[name]}'
             for name in ('bytes', 'rows', 'good', 'rejected', 'duplicate', 'reasons') if found[name] != manifest[name]]
    outcome = 'completed_with_rejects' if manifest['rejected'] + manifest['duplicate'] else 'completed'
    if receipt['outcome'] != outcome:
        wrong.append(f"the receipt says {receipt['outcome']}, not {outcome}")
    return wrong


class Pairs:
    """The runs of one case, what reading took, and how much lies on disk."""

    def __init__(self, schema, path, manifest):
        self.schema, self.path, self.manifest = schema, path, manifest
        self.runs, self.reads, self.disk, self.problems = {'check': [], 'run': [], 'copy': []}, [], 0, []

    def add(self, name, measured):
        run, wrong = measured
        self.runs[name].append(run)
        self.tell(wrong)
        return not wrong

    def tell(self, wrong):
        self.problems += [sentence for sentence in wrong if sentence not in self.problems]

    def measure(self, threads):
        """One run of each; whether all came to their end."""
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        harness.warm(self.path)
        # What one left to be written must not slow down the next.
        for name, work in (('copy', lambda: copy(self.path)), ('run', lambda: keep(self.path)),
                           ('check', lambda: check(self.schema, self.path, threads))):
            os.sync()
            if not self.add(name, work()):
                return False
        self.disk = max(self.disk, harness.disk_bytes(FOLDER))
        try:
            seconds, wrong = read(self.schema, self.path)
        except ValueError as error:
            self.tell([str(error)])
            return False
        self.reads.append(seconds)
        self.tell(wrong + receipt_wrong(self.manifest))
        return True

    def judge(self):
        """Compares `check` itself with the generator, and the ratio with what is allowed."""
        report = harness.report_in(self.runs['check'][-1].printed)
        if report is None:
            self.tell(['`check` printed no report'])
            return
        wrong = harness.against_manifest(self.schema, self.manifest, report, OUT / 'check.csv',
                                         OUT / 'check.rejects.csv')
        ratio = self.wall('run') / self.wall('check')
        if ratio > WALL_RATIO_MAX:
            wrong.append(f'`run` takes {ratio:.2f} times the time of `check`, more than {WALL_RATIO_MAX}')
        self.tell(wrong)

    def wall(self, name):
        return harness.median([run.wall for run in self.runs[name]])

    def cpu(self, name):
        return harness.median([run.cpu for run in self.runs[name]])

    def print_table(self):
        rows = []
        for name, runs in self.runs.items():
            rows.append([name, f'{self.wall(name) / self.wall("check"):.2f}x', f'{self.wall(name):.2f}',
                         f'{min(run.wall for run in runs):.2f}', f'{self.cpu(name) / self.cpu("check"):.2f}x',
                         f'{self.cpu(name):.2f}', harness.peak_text(max(run.peak_bytes for run in runs)),
                         f"{self.manifest['bytes'] / 1e9 / self.wall(name):.2f}"])
        if self.reads:
            seconds = harness.median(self.reads)
            rows.append(['read', f'{seconds / self.wall("check"):.2f}x', f'{seconds:.2f}', f'{min(self.reads):.2f}',
                         *['-'] * 4])
        harness.table(['command', 'ratio', 'wall s', 'best s', 'CPU ratio', 'CPU s', 'peak MB', 'GB/s'], rows)
        say(f"  data folder {harness.size_text(self.disk)} on disk, {self.disk / self.manifest['bytes']:.2f}x the file")


def run_case(schema, options):
    path, manifest = harness.generated(f'{options.bytes}-run-{schema}.csv', [
        schema, '--bytes', options.bytes, '--bad', '0.001', '--seed', '3'])
    bad = manifest['rejected'] + manifest['duplicate']
    say(f"\n{schema}: {harness.size_text(manifest['bytes'])}, {harness.number_text(manifest['rows'])} rows, "
        f"{harness.number_text(manifest['groups'])} groups, {bad:,} bad rows of {len(manifest['reasons'])} kinds, "
        f'{options.threads} threads, {options.runs} runs')
    pairs = Pairs(schema, path, manifest)
    all_ended = all(pairs.measure(options.threads) for _ in range(options.runs))
    if all_ended:
        pairs.judge()
        pairs.print_table()
    problems = pairs.problems
    say(f'  NOT as it must be: {len(problems)} problems, listed at the end' if problems
        else '  all answers equal to each other and to the manifest')
    shutil.rmtree(WORK)
    return problems, pairs


def parsed():
    parser = argparse.ArgumentParser(description='millrace run against millrace check.')
    parser.add_argument('--bytes', default='1GB', help='size of each file')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default=','.join(CASES), help='cases: ' + ', '.join(CASES))
    parser.add_argument('--threads', type=int, default=os.cpu_count(), help='of `check`; `run` takes all cores')
    parser.add_argument('--no-build', action='store_true', help='use the binaries that are there')
    options = parser.parse_args()
    options.only = options.only.split(',')
    for one in options.only:
        if one not in CASES:
            parser.error(f'{one} is none of {", ".join(CASES)}')
    if min(options.runs, options.threads) < 1:
        parser.error('runs and threads must be above 0')
    return options


def main():
    options = parsed()
    if not options.no_build:
        harness.build([['-p', 'rows', '--example', 'generate'], ['-p', 'app']])
    problems, measured = [], {}
    for schema in options.only:
        wrong, pairs = run_case(schema, options)
        problems += [f'{schema}: {sentence}' for sentence in wrong]
        measured[schema] = {'reads': pairs.reads, 'disk_bytes': pairs.disk, 'runs': {
            name: [{'wall': run.wall, 'cpu': run.cpu, 'peak_bytes': run.peak_bytes} for run in runs]
            for name, runs in pairs.runs.items()}}
    (harness.WORK / 'run.json').write_text(json.dumps(measured, indent=1))
    harness.fail(problems)


if __name__ == '__main__':
    sys.exit(main())
