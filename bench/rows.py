#!/usr/bin/env python3
"""The row job against what a user would pick instead: same file, same work, equal answers.

    python3 bench/rows.py [--bytes 1GB] [--runs 3] [--only trades,transactions,ndjson,gzip]
                          [--tools wc,zcat,millrace,duckdb,polars,polars-tuned] [--threads 2] [--no-build]

The work: judge every row by all rules, list the bad ones by physical line with all their reasons, and write exact
aggregates, sorted, as CSV. Trades: open, high, low, close, volume, notional and vwap per symbol and minute.
Transactions: count, sum, min and max per currency, status, merchant and day, after checking that ids are unique. `wc
-l` and `zcat` show what reading alone costs.

The tools take turns, run after run, on a file that is in the page cache. Afterwards all answers must be equal, row by
row, and equal to what the generator says it wrote; otherwise this ends with an error. Ratios are of median wall
times, against millrace: 5x means five times as long.

Polars is there twice: written as one would from its user guide, and tuned by hand with what was found in days of
trying: timestamps taken apart by position, texts as enumerations, hashes of ids. DuckDB is tuned.

The data has the faults that every tool can report (`--kinds portable`): DuckDB and Polars refuse or repair files with
bytes that are not UTF-8, NUL bytes or text behind a closing quote. The engine's own tests have those.
"""

import argparse
import hashlib
import json
import os
from itertools import zip_longest
from pathlib import Path

import harness
from harness import say

PEERS = Path(__file__).resolve().parent / 'peers'
# Name of the case: schema, file name, what the generator is told.
CASES = {
    'trades': ('trades', 'trades.csv', []),
    'transactions': ('transactions', 'transactions.csv', []),
    'ndjson': ('trades', 'trades.ndjson', ['--format', 'ndjson']),
    'gzip': ('trades', 'trades.csv.gz', ['--compress', 'gzip']),
}
NAMES = {'wc': 'wc -l', 'zcat': 'zcat', 'millrace': 'millrace', 'duckdb': 'DuckDB', 'polars': 'Polars',
         'polars-tuned': 'Polars, tuned'}


def command(tool, python, path, schema, threads):
    out, rejects = outputs(tool)
    if tool == 'wc':
        return ['wc', '-l', path]
    if tool == 'zcat':
        return ['sh', '-c', 'exec zcat "$0" > /dev/null', path]
    if tool == 'millrace':
        return harness.millrace_command(path, schema, out, rejects, threads)
    program, *plain = {'polars': ['polars', '--plain'], 'polars-tuned': ['polars']}.get(tool, [tool])
    return [python, PEERS / f'{program}_rows.py', schema, path, '--out', out, '--rejects', rejects,
            '--threads', threads, *plain]


def outputs(tool):
    return harness.OUT / f'{tool}.csv', harness.OUT / f'{tool}.rejects.csv'


def digest(paths):
    whole = hashlib.sha256()
    for path in paths:
        with open(path, 'rb') as file:
            while chunk := file.read(1 << 20):
                whole.update(chunk)
    return whole.hexdigest()


def run_case(case, options, python):
    schema, name, extra = CASES[case]
    path, manifest = harness.generated(f'{options.bytes}-{name}', [
        schema, '--bytes', options.bytes, '--kinds', 'portable', '--bad', '0.001', '--seed', '1', *extra])
    gzipped = path.suffix == '.gz'
    tools = [tool for tool in options.tools if tool != ('wc' if gzipped else 'zcat')]
    bad = manifest['rejected'] + manifest['duplicate']
    say(f"\n{case}: {harness.size_text(manifest['bytes'])}"
        + (f' ({harness.size_text(os.path.getsize(path))} packed)' if gzipped else '')
        + f", {harness.number_text(manifest['rows'])} rows, {harness.number_text(manifest['groups'])} groups, "
        + f"{bad:,} bad rows of {len(manifest['reasons'])} kinds, {options.threads} threads, {options.runs} runs")
    runs, digests, problems = {tool: [] for tool in tools}, {}, []
    harness.warm(path)
    for number in range(options.runs):
        for tool in list(tools):
            # An answer of the run before must not pass for this one's.
            for old in outputs(tool):
                old.unlink(missing_ok=True)
            run = harness.measure(command(tool, python, path, schema, options.threads))
            if run.code not in ((0, harness.SOME_ROWS_REJECTED) if tool == 'millrace' else (0,)):
                problems.append(f'{NAMES[tool]} ended with code {run.code}: {run.problems.strip()[-600:]}')
                tools.remove(tool)
                continue
            runs[tool].append(run)
            if tool in ('wc', 'zcat'):
                continue
            if not all(output.exists() for output in outputs(tool)):
                problems.append(f'{NAMES[tool]} wrote no answer')
                tools.remove(tool)
                continue
            answer = digest(outputs(tool))
            if digests.setdefault(tool, answer) != answer:
                problems.append(f'{NAMES[tool]} gave another answer in run {number + 1}')
    problems += judge(schema, manifest, [tool for tool in tools if tool in digests], runs)
    print_table(runs, manifest['bytes'])
    say(f'  NOT equal: {len(problems)} problems, listed at the end' if problems
        else f'  {len(digests)} answers, all equal to each other and to the manifest')
    return problems, {tool: [vars(run) for run in runs[tool]] for tool in runs}


def judge(schema, manifest, tools, runs):
    """Compares every answer with the manifest, and every one with the first."""
    problems = []
    for tool in tools:
        report = harness.report_in(runs[tool][-1].printed)
        if report is None:
            problems.append(f'{NAMES[tool]} printed no report: {runs[tool][-1].printed[:200]!r}')
            continue
        wrong = harness.against_manifest(schema, manifest, report, *outputs(tool))
        problems += [f'{NAMES[tool]}: {sentence}' for sentence in wrong]
    # The peers first: when millrace differs from all, it is millrace that is wrong.
    ordered = sorted(tools, key=lambda tool: tool == 'millrace')
    for tool in ordered[1:]:
        out, rejects = outputs(ordered[0])
        problems += harness.rows_differ(out, outputs(tool)[0])
        lists = zip_longest(harness.rejects_of(rejects), harness.rejects_of(outputs(tool)[1]))
        for number, (one, two) in enumerate(lists, 1):
            if one != two:
                problems.append(f'bad row {number} is {one} to {NAMES[ordered[0]]}, {two} to {NAMES[tool]}')
                break
    return problems


def print_table(runs, size):
    base = runs.get('millrace') or None
    rows = []
    for tool, measured in runs.items():
        if not measured:
            rows.append([NAMES[tool], *['-'] * 6])
            continue
        walls = [run.wall for run in measured]
        wall = harness.median(walls)
        ratio = f'{wall / harness.median([run.wall for run in base]):.2f}x' if base else '-'
        rows.append([NAMES[tool], ratio, f'{wall:.2f}', f'{min(walls):.2f}',
                     f'{harness.median([run.cpu for run in measured]):.2f}',
                     harness.peak_text(max(run.peak_bytes for run in measured)), f'{size / 1e9 / wall:.2f}'])
    harness.table(['tool', 'ratio', 'wall s', 'best s', 'CPU s', 'peak MB', 'GB/s'], rows)


def main():
    parser = argparse.ArgumentParser(description='The row job against DuckDB and Polars.')
    parser.add_argument('--bytes', default='1GB', help='size of each file before packing')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', default=','.join(CASES), help='cases: ' + ', '.join(CASES))
    parser.add_argument('--tools', default=','.join(NAMES), help='tools: ' + ', '.join(NAMES))
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--no-build', action='store_true', help='use the binaries that are there')
    options = parser.parse_args()
    options.tools = options.tools.split(',')
    cases = options.only.split(',')
    for value, known in ((cases, CASES), (options.tools, NAMES)):
        for one in value:
            if one not in known:
                parser.error(f'{one} is none of {", ".join(known)}')
    if not options.no_build:
        ours = [['-p', 'app']] if 'millrace' in options.tools else []
        harness.build([['-p', 'rows', '--example', 'generate'], *ours])
    has_peers = {'duckdb', 'polars', 'polars-tuned'} & {*options.tools}
    python = harness.environment('requirements.txt', 'DuckDB and Polars') if has_peers else None
    problems, measured = [], {}
    for case in cases:
        wrong, measured[case] = run_case(case, options, python)
        problems += [f'{case}: {sentence}' for sentence in wrong]
    for runs in measured.values():
        for run in (run for tool in runs.values() for run in tool):
            del run['printed'], run['problems']
    (harness.WORK / 'rows.json').write_text(json.dumps(measured, indent=1))
    harness.fail(problems)


if __name__ == '__main__':
    main()
