"""The service: status queries while files flow, durable ingest, uploads, and small files from PUT to aggregated.

Each figure stands beside what one would use instead, or the floor: nginx serving a file of the same size, `cp` and fsync
of the same bytes. Requests come from `crates/app/examples/load.rs` on the same machine, so both sides pay for it.
"""

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import threading
import time
from contextlib import contextmanager

import harness
import servers
from harness import MILLRACE, PROFILE, TARGET, say

WORK = harness.WORK / 'serve'
LOAD = TARGET / PROFILE / 'examples' / 'load'
BUCKET = 'file-processing-bucket-dev'
UPLOAD_BYTES = 1 << 30
CASES = ['status', 'paced', 'latency', 'ingest', 'upload']


class Service:
    """`millrace serve` on free ports, with an empty folder."""

    def __init__(self):
        self.folder = WORK / 'data'
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        command = [MILLRACE, 'serve', '--data', self.folder, '--http', '127.0.0.1:0', '--s3', '127.0.0.1:0',
                   # what is measured is how fast it is, not how fast it lets one be
                   '--status-per-second', '0', '--ingest-per-second', '0', '--key-per-second', '0',
                   '--source-per-second', '0', '--log', 'off']
        self.process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            words = line.split()
            if line.startswith('HTTP API'):
                self.http = words[-1]
            elif line.startswith('S3 '):
                self.s3 = words[-1]
            elif line.startswith('access'):
                break
        else:
            raise SystemExit('millrace serve ended: ' + ''.join(said))
        threading.Thread(target=lambda: [None for _ in self.process.stderr], daemon=True).start()

    def peak_mb(self):
        with open(f'/proc/{self.process.pid}/status') as file:
            return next(int(line.split()[1]) / 1000 for line in file if line.startswith('VmHWM'))

    def end(self):
        self.process.terminate()
        code = self.process.wait(60)
        found = subprocess.run([MILLRACE, 'doctor', '--data', self.folder], capture_output=True, text=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        if code != 0 or found.returncode != 0:
            raise SystemExit(f'millrace ended with {code}; doctor: {found.stdout}{found.stderr}')


@contextmanager
def service():
    served = Service()
    try:
        yield served
    finally:
        served.end()


def load(method, url, **options):
    command = [LOAD, method, url]
    for name, value in options.items():
        command += [f'--{name}', value]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    bad = {status: count for status, count in told['statuses'].items() if not status.startswith('2')}
    if bad or told['broken'] or not told['requests']:
        raise SystemExit(f'{method} {url}: answers that are no success: {bad}, broken: {told["broken"]}')
    return told


def trade(number):
    return (f'symbol,price,volume,timestamp\n' + ''.join(
        f'S{number % 50},{100 + row},{row + 1},2026-01-05T14:{number % 60:02}:{row:02}Z\n' for row in range(10))
        + f'N{number},1,1,2026-01-05T14:00:00Z\n').encode()


def put(connection, key, body):
    connection.request('PUT', f'/{BUCKET}/{key}', body)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f'PUT {key}: {answer.status} {text[:300]}')


def connected(url):
    return http.client.HTTPConnection(url.removeprefix('http://'))


class Flow:
    """Files that keep coming, so many a second."""

    def __init__(self, served, per_second):
        self.served, self.per_second, self.sent, self.stop = served, per_second, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection, began = connected(self.served.s3), time.perf_counter()
        while not self.stop.is_set():
            put(connection, f'flow/{self.sent}.csv', trade(self.sent))
            self.sent += 1
            time.sleep(max(0, began + self.sent / self.per_second - time.perf_counter()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def wait_for(served, key, word):
    """Seconds until the status of a file is this word."""
    connection, began = connected(served.http), time.perf_counter()
    while True:
        connection.request('GET', f'/status?fileId={key}')
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if told.get('status') == word:
            return time.perf_counter() - began
        if time.perf_counter() - began > 60:
            raise SystemExit(f'{key} does not become {word}: {told}')
        time.sleep(0.0005)


def one_file(served):
    """Puts a file, and gives the answer that status queries have."""
    put(connected(served.s3), 'myfile.csv', trade(0))
    wait_for(served, 'myfile.csv', 'aggregated')
    connection = connected(served.http)
    connection.request('GET', '/status?fileId=myfile.csv')
    return connection.getresponse().read()


def status(seconds, _):
    with service() as served:
        body = one_file(served)
        nginx = servers.nginx_with(body)
        with nginx.running(WORK) as (port, _unused):
            theirs = [load('GET', f'http://127.0.0.1:{port}/file', connections=64, seconds=seconds) for _ in range(2)]
            with Flow(served, 50) as flow:
                ours = [load('GET', f'{served.http}/status?fileId=myfile.csv', connections=64, seconds=seconds)
                        for _ in range(2)]
        best, other = (max(runs, key=lambda run: run['per_second']) for runs in (ours, theirs))
        ratio = best['per_second'] / other['per_second']
        say(f'\nstatus queries, 64 connections, answers of {len(body)} bytes, {flow.sent} files put meanwhile')
        say(f'  nginx     {other["per_second"]:>9,.0f}/s  p99 {other["p99_ms"]:.2f} ms')
        say(f'  millrace  {best["per_second"]:>9,.0f}/s  p99 {best["p99_ms"]:.2f} ms   {ratio:.2f}x, wanted 0.5x')


def paced(seconds, _):
    with service() as served:
        one_file(served)
        with Flow(served, 50) as flow:
            told = load('GET', f'{served.http}/status?fileId=myfile.csv', connections=16, rate=1000,
                        seconds=max(seconds, 10))
        say(f'\nstatus queries at 1,000/s while files flow ({flow.sent} put)')
        say(f'  p50 {told["p50_ms"]:.2f} ms  p99 {told["p99_ms"]:.2f} ms (wanted 5)  max {told["max_ms"]:.2f} ms')


def latency(_, runs):
    with service() as served:
        connection, took = connected(served.s3), []
        for number in range(50 * runs + 20):
            body, began = trade(number), time.perf_counter()
            put(connection, f'late/{number}.csv', body)
            wait_for(served, f'late/{number}.csv', 'aggregated')
            took.append((time.perf_counter() - began) * 1000)
        took = sorted(took[20:])
        p99 = took[int(len(took) * 0.99)]
        say(f'\na file of ten rows, from PUT to `aggregated`, {len(took)} of them one after the other')
        say(f'  p50 {statistics.median(took):.1f} ms (wanted 20)  p99 {p99:.1f} ms (wanted 100)')


def ingest(seconds, _):
    record = '{"symbol":"TSLA","price":200.25,"volume":3,"timestamp":"2026-01-05T14:30:00Z","sequence":{n}}'
    rows = 1000
    many = '\n'.join(record.replace('{n}', str(row)) for row in range(rows))
    with service() as served:
        for body, each in ((record, 1), (many, rows)):
            told = load('POST', f'{served.http}/ingest', connections=64, seconds=seconds, body=body)
            per_second, wanted = told['per_second'] * each, 10_000 if each == 1 else 300_000
            say(f'\nPOST /ingest, {each} record{"s" if each > 1 else ""} a request, 64 connections, every answer durable')
            say(f'  {per_second:>9,.0f} records/s (wanted {wanted:,})  p50 {told["p50_ms"]:.1f} ms  '
                f'p99 {told["p99_ms"]:.1f} ms')
        say(f'  peak {served.peak_mb():.0f} MB')


def upload(_, runs):
    source, copy = WORK / 'large.bin', WORK / 'copy.bin'
    WORK.mkdir(parents=True, exist_ok=True)
    with open(source, 'wb') as file:
        block = os.urandom(1 << 20)
        for _ in range(UPLOAD_BYTES >> 20):
            file.write(block)
    floor, ours = [], []
    with service() as served:
        for number in range(runs):
            began = time.perf_counter()
            shutil.copyfile(source, copy)
            with open(copy, 'rb') as file:
                os.fsync(file.fileno())
            floor.append(time.perf_counter() - began)
            copy.unlink()
            began = time.perf_counter()
            # under a prefix that no default feed could read as rows is still a feed: the bytes are no table and are refused
            subprocess.run(['curl', '--silent', '--fail', '--upload-file', source,
                            f'{served.s3}/{BUCKET}/large-{number}.bin'], check=True)
            ours.append(time.perf_counter() - began)
        ratio = min(floor) / min(ours)
        say(f'\nupload of {UPLOAD_BYTES >> 20} MB, best of {runs}')
        say(f'  cp + fsync     {UPLOAD_BYTES / min(floor) / 1e6:>6.0f} MB/s')
        say(f'  PUT, durable   {UPLOAD_BYTES / min(ours) / 1e6:>6.0f} MB/s   {ratio:.2f}x, wanted 0.7x'
            f'   peak {served.peak_mb():.0f} MB')
    source.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--only', default=','.join(CASES), help='cases: ' + ', '.join(CASES))
    parser.add_argument('--seconds', type=float, default=5)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--no-build', action='store_true', help='use the binaries that are there')
    arguments = parser.parse_args()
    servers.end_in_order()
    if not arguments.no_build:
        harness.build([['-p', 'app', '--bins', '--example', 'load']])
    for case in arguments.only.split(','):
        globals()[case](arguments.seconds, arguments.runs)


if __name__ == '__main__':
    main()
