"""Public suites of tests for S3 against the S3 door, held against the list in docs/s3-conformance.md.

    python3 conformance/s3.py minio [--program PROGRAM]
    python3 conformance/s3.py s3s-e2e --suite PROGRAM [--program PROGRAM]

`minio` are the functional tests of MinIO's client for Python, which come with its source and are installed into
target/tools the first time; `s3s-e2e` is a program from crates.io, which `./just test-s3` installs. A case that fails
and is not listed fails the run, and so does one that is listed and passes, or is not there.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import millrace

PAGE = millrace.ROOT / 'docs' / 's3-conformance.md'
CASES = Path(__file__).resolve().parent / 'minio_cases.py'


def minio(address, folder):
    """What became of each case: the reason why it failed, or none."""
    def make(python, folder):
        here = millrace.ROOT / 'conformance'
        pip = ['--require-hashes', '--requirement']
        millrace.pip(python, 'install', *pip, here / 'requirements-s3.txt')
        millrace.pip(python, 'download', '--no-deps', '--no-binary', ':all:', '--dest', folder, *pip,
                     here / 'requirements-minio.txt')
        archive = next(folder.glob('minio-*.tar.gz'))
        with tarfile.open(archive) as source:
            source.extractall(folder)
        (folder / archive.name.removesuffix('.tar.gz')).rename(folder / 'minio')

    files = ['requirements-s3.txt', 'requirements-minio.txt']
    tools = millrace.installed('minio', make, *files)
    run = subprocess.run([tools / 'bin' / 'python', CASES, tools / 'minio', address], cwd=folder, stdout=subprocess.PIPE,
                         text=True, check=True)
    return dict(json.loads(line) for line in run.stdout.splitlines())


def s3s_e2e(address, folder, suite):
    environment = {
        'PATH': os.environ['PATH'], 'AWS_ENDPOINT_URL': f'http://{address}', 'AWS_REGION': 'us-east-1',
        'AWS_ACCESS_KEY_ID': 'millrace', 'AWS_SECRET_ACCESS_KEY': 'millrace-local', 'AWS_CONFIG_FILE': 'none',
        'AWS_SHARED_CREDENTIALS_FILE': 'none', 'AWS_EC2_METADATA_DISABLED': 'true',
    }
    report = Path(folder) / 'report.json'
    subprocess.run([suite, '--json', report], env=environment, stdout=subprocess.DEVNULL)
    cases = {}
    for part in json.loads(report.read_text())['suites']:
        for fixture in part['fixtures']:
            for case in fixture['cases']:
                name = '/'.join([part['name'], fixture['name'], case['name']])
                cases[name] = None if case['passed'] else json.dumps((case.get('run') or {}).get('result'))
    return cases


def listed(suite):
    """The cases that do not pass, as the page has them: `| suite | case | why |`."""
    rows = [[cell.strip(' `') for cell in line.strip('| \n').split('|')] for line in PAGE.read_text().splitlines()
            if line.startswith(f'| `{suite}`')]
    return {case for _, case, why in rows if why}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('name', choices=['minio', 's3s-e2e'])
    arguments.add_argument('--suite', type=Path, help='the program s3s-e2e')
    arguments.add_argument('--program', type=Path, default=millrace.program())
    asked = arguments.parse_args()
    # what is tried is what it answers, not how often one may ask
    with millrace.service(asked.program.resolve(), '--own-buckets', '--source-per-second', '0') as addresses:
        with millrace.tempfile.TemporaryDirectory() as folder:
            cases = minio(addresses['s3'], folder) if asked.name == 'minio' else \
                s3s_e2e(addresses['s3'], folder, asked.suite.resolve())
    known, failed = listed(asked.name), {name: why for name, why in cases.items() if why}
    wrong = [f'{name} fails and is not listed: {why}' for name, why in failed.items() if name not in known]
    wrong += [f'{name} is listed and passes: take it off the list' for name in known & cases.keys() - failed.keys()]
    wrong += [f'{name} is listed and no case of the suite' for name in known - cases.keys()]
    print(f'{asked.name}: {len(cases)} cases, {len(cases) - len(failed)} pass, {len(failed)} do not; {PAGE.name} lists '
          f'{len(known)}')
    if wrong or not cases:
        sys.exit('\n'.join(sorted(wrong)) or 'no case ran')


if __name__ == '__main__':
    main()
