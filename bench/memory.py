#!/usr/bin/env python3
"""How much memory `millrace check` takes for the files that ask for most.

    python3 bench/memory.py [--bytes 2GB] [--only ids,groups,shuffled] [--limit 512MB] [--threads 2] [--no-build]

`ids`: transactions whose ids are all different, about 12 million to the gigabyte, each of which could be the
repetition of any before. `groups`: trades that fill two million bars. `shuffled`: the same with rows in no order of
time, so that every bar stays open to the end. Each of them also packed with gzip. The counts must equal those of the
generator, and the peak of the process must stay below the limit; otherwise this ends with an error.
"""

import argparse
import os

import harness
from harness import say

CASES = {
    'ids': ('transactions', 'ids.csv', []),
    'groups': ('trades', 'groups.csv', ['--groups', '2000000']),
    'shuffled': ('trades', 'shuffled.csv', ['--groups', '2000000', '--shuffle']),
}


def check(case, packed, options):
    """One row of the table, and what is wrong."""
    schema, name, extra = CASES[case]
    arguments = [schema, '--bytes', options.bytes, '--seed', '2', *extra]
    if packed:
        name, arguments = name + '.gz', [*arguments, '--compress', 'gzip']
    path, manifest = harness.generated(f'{options.bytes}-{name}', arguments)
    out, rejects = harness.OUT / 'memory.csv', harness.OUT / 'memory.rejects.csv'
    for old in (out, rejects):
        old.unlink(missing_ok=True)
    run = harness.measure(harness.millrace_command(path, schema, out, rejects, options.threads, options.limit))
    report = harness.report_in(run.printed)
    if run.code not in (0, harness.SOME_ROWS_REJECTED) or report is None:
        wrong = [f'ended with code {run.code}: {run.problems.strip()[-600:]}']
    else:
        wrong = harness.against_manifest(schema, manifest, report, out, rejects)
    limit = int(options.limit.removesuffix('MB')) * 1_000_000
    if run.peak_bytes > limit:
        wrong.append(f'peak of {run.peak_bytes / 1e6:.0f} MB is above {options.limit}')
    row = [path.name, f'{run.peak_bytes / limit:.2f}x', harness.peak_text(run.peak_bytes), f'{run.wall:.2f}',
           f'{run.cpu:.2f}', harness.size_text(os.path.getsize(path)), harness.number_text(manifest['rows']),
           harness.number_text(manifest['groups'])]
    return row, [f'{path.name}: {sentence}' for sentence in wrong]


def main():
    parser = argparse.ArgumentParser(description='Peak memory of millrace check.')
    parser.add_argument('--bytes', default='2GB', help='size of each file before packing')
    parser.add_argument('--only', default=','.join(CASES), help='cases: ' + ', '.join(CASES))
    parser.add_argument('--limit', default='512MB', help='memory the engine may use, in MB')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--no-build', action='store_true', help='use the binaries that are there')
    options = parser.parse_args()
    if not options.no_build:
        harness.build([['-p', 'rows', '--example', 'generate'], ['-p', 'app']])
    rows, problems = [], []
    for case in options.only.split(','):
        if case not in CASES:
            parser.error(f'{case} is none of {", ".join(CASES)}')
        for packed in (False, True):
            row, wrong = check(case, packed, options)
            rows.append(row)
            problems += wrong
    say(f'\nmillrace check --memory {options.limit}, {options.threads} threads; peak as a share of the limit')
    harness.table(['file', 'peak', 'MB', 'wall s', 'CPU s', 'on disk', 'rows', 'groups'], rows)
    harness.fail(problems)


if __name__ == '__main__':
    main()
