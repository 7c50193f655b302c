"""MiniStack on the loopback, with TLS and its check of rights."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from account import Caller


class Server:
    """The server as a process of its own; everything it keeps is below one folder."""

    def __init__(self, folder, certificate):
        """`certificate` is the program that makes one."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            self.port = free.getsockname()[1]
        self.endpoint = f'https://127.0.0.1:{self.port}'
        self.certificate, key = self.folder / 'certificate.pem', self.folder / 'key.pem'
        # Our buckets, queues and tables refuse whoever comes without TLS.
        subprocess.run([certificate, self.certificate, key], check=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith('AWS_')}
        environment |= {'AUTH': 'true', 'BIND_HOST': '127.0.0.1', 'GATEWAY_PORT': str(self.port), 'USE_SSL': '1',
                        'MINISTACK_SSL_CERT': str(self.certificate), 'MINISTACK_SSL_KEY': str(key),
                        'SSL_CERT_FILE': str(self.certificate), 'AWS_CA_BUNDLE': str(self.certificate),
                        'AWS_ENDPOINT_URL': self.endpoint, 'TMPDIR': str(self.folder), 'STATE_DIR': str(self.folder)}
        self.log = open(self.folder / 'server.log', 'wb')
        # By way of hypercorn: started by itself it takes port 443 too. HTTP/1.1 alone: over HTTP/2, calls of functions
        # that came at the same time were seen to wait for ever.
        settings = self.folder / 'hypercorn.toml'
        settings.write_text('alpn_protocols = ["http/1.1"]\n')
        self.process = subprocess.Popen([sys.executable, '-m', 'hypercorn', 'emulated:app', '--keep-alive', '75',
                                         '--config', settings,
                                         '--bind', f'127.0.0.1:{self.port}', '--certfile', self.certificate,
                                         '--keyfile', key], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True,
                                        cwd=Path(__file__).resolve().parent)

    def __enter__(self):
        for _ in range(300):
            if self.process.poll() is not None:
                raise RuntimeError(f'MiniStack ended with code {self.process.returncode}:\n{self.last_lines()}')
            with socket.socket() as probe:
                if probe.connect_ex(('127.0.0.1', self.port)) == 0:
                    return self
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f'MiniStack did not open its port within 30 seconds:\n{self.last_lines()}')

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the server and the functions that it has started: they are one group."""
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(timeout=5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.log.close()

    def last_lines(self, count=40):
        lines = (self.folder / 'server.log').read_text(errors='replace').splitlines()
        return '\n'.join(line[:400] for line in lines[-count:])

    def caller(self, access='test', secret='test'):
        return Caller(access, secret, self.endpoint, self.certificate)
