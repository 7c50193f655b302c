"""Runs every functional test of MinIO's client by itself: `minio_cases.py FOLDER HOST:PORT`. One line of JSON for each.

Its own way to run them ends at the first that fails, and takes what is "not implemented" for passed.
"""

import contextlib
import inspect
import io
import json
import sys

sys.path[:0] = [f'{sys.argv[1]}/tests/functional', sys.argv[1]]

import tests  # noqa: E402
from minio import Minio  # noqa: E402

tests._client = Minio(sys.argv[2], 'millrace', 'millrace-local', secure=False)
tests._is_aws = False
tests._test_file, tests._large_file = 'datafile-1-MB', 'datafile-11-MB'
for name, megabytes in [(tests._test_file, 1), (tests._large_file, 11)]:
    with open(name, 'wb') as file:
        file.write(bytes(range(256)) * (4096 * megabytes))
# the bytes of its files are shuffled letters, one by one, which takes most of the time; they need not be
tests._get_random_string = lambda size: ('abcdefghijklmnopqrstuvwxyz' * (size // 26 + 1))[:size]
for name, case in inspect.getmembers(tests, inspect.isfunction):
    if not name.startswith('test_'):
        continue
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(tests.TestFailed):
        tests._call_test(case)
    told = json.loads(said.getvalue().splitlines()[-1])
    why = None if told['status'] == 'PASS' else told.get('message') or told.get('alert') or 'failed'
    print(json.dumps([name, why]), flush=True)
