"""The HTTP API against its own document: schemathesis makes requests from it, good ones and bad ones, and looks at answers.

    python3 conformance/api.py [--program PROGRAM] [--examples N] [--seed N]

No server error, no answer that is not in the document. It is installed into target/tools the first time. Some files are
put there before, so that what is asked for by name is also found. `/events` never ends and is left out. So is the check
that whatever fits the document is accepted: a price of 0 fits, and is refused.
"""

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import millrace

# what a request is told to name in every second run
NAMED = """
[[operations]]
include-path-regex = "^/(files|status)/"
parameters = { name = "bad.csv" }

[[operations]]
include-path = "/status"
parameters = { fileId = "bad.csv" }
"""
ROWS = ('transaction_id,timestamp,amount,currency,merchant,status\n'
        'a1,2026-01-05T10:00:00Z,1.50,EUR,S,completed\na2,2026-01-05T10:00:00Z,x,EUR,S,completed\n')


def ask(url, body=None):
    with urllib.request.urlopen(url, data=body and body.encode(), timeout=30) as answer:
        return json.loads(answer.read())


def prime(url):
    """Puts there what can be asked for: a file with a bad row, and a record."""
    ask(f'{url}/upload?key=bad.csv', ROWS)
    ask(f'{url}/ingest', '{"symbol": "TSLA", "price": 200.00, "timestamp": 1767225600}')
    ends = time.monotonic() + 60
    while ask(f'{url}/status/bad.csv')['outcome'] != 'completed_with_rejects':
        if time.monotonic() > ends:
            sys.exit('the file that was put there is not worked on')
        time.sleep(0.05)


def explore(tools, url, folder, name, config, asked):
    """One run; how many operations it tried."""
    settings = Path(folder) / f'{name}.toml'
    settings.write_text(config)
    command = [tools / 'bin' / 'schemathesis', '--config-file', settings, '--no-color', 'run', f'{url}/openapi.json',
               '--phases', 'examples,coverage,fuzzing', '--exclude-path', '/events', '--seed', asked.seed,
               '--exclude-checks', 'positive_data_acceptance', '--max-examples', asked.examples, '--continue-on-failure']
    run = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    cases = re.search(r'(\d+) generated, (\d+) passed', run.stdout)
    tested = re.search(r'Tested: (\d+)', run.stdout)
    if run.returncode != 0 or not cases or cases[1] != cases[2]:
        sys.exit(f'{run.stdout}{run.stderr}')
    print(f'{name}: {tested[1]} operations, {cases[1]} requests, every answer as the document says')
    return int(tested[1])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--program', type=Path, default=millrace.program())
    arguments.add_argument('--examples', type=int, default=25, help='requests of one kind for each operation')
    arguments.add_argument('--seed', type=int, default=1)
    asked = arguments.parse_args()
    requirements = millrace.ROOT / 'conformance' / 'requirements-api.txt'
    tools = millrace.installed('schemathesis', lambda python, _: millrace.pip(
        python, 'install', '--require-hashes', '--requirement', requirements), requirements.name)
    limits = ['source', 'status', 'ingest', 'key']
    words = [word for limit in limits for word in (f'--{limit}-per-second', '0')]
    with millrace.service(asked.program.resolve(), *words, '--uploads-per-day', '0', '--log', 'off') as addresses:
        url = f'http://{addresses["http"]}'
        prime(url)
        paths = ask(f'{url}/openapi.json')['paths']
        # the document itself is left out too: it is what is read
        left_out = ['/events', '/openapi.json']
        there = sum(len(operations) for path, operations in paths.items() if path not in left_out)
        with millrace.tempfile.TemporaryDirectory() as folder:
            for name, config in [('any name', ''), ('a name that is there', NAMED)]:
                tested = explore(tools, url, folder, name, config, asked)
                if tested != there:
                    sys.exit(f'{tested} of {there} operations were tried')


if __name__ == '__main__':
    main()
