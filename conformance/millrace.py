"""What the conformance runs share: tools of Python in a folder of their own, and a service to try."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / 'target' / 'tools'


def program():
    """The program that is tried unless another is named."""
    return Path(os.environ.get('CARGO_TARGET_DIR', ROOT / 'target')) / 'debug' / 'millrace'


def installed(name, make, *requirements):
    """The folder that `make(python, folder)` fills, made once for these requirements."""
    folder = TOOLS / name
    wanted = ''.join((ROOT / 'conformance' / file).read_text() for file in requirements)
    stamp = folder / 'installed'
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f'installing {", ".join(requirements)} into target/tools (once)', file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, '-m', 'venv', folder], check=True)
        make(folder / 'bin' / 'python', folder)
        stamp.write_text(wanted)
    return folder


def pip(python, *words):
    command = [python, '-m', 'pip', '--quiet', '--disable-pip-version-check', *words]
    subprocess.run([str(word) for word in command], check=True)


@contextmanager
def service(program, *words):
    """`millrace serve` on free ports of the loopback, on an empty folder that `doctor` finds sound afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        data = ['--data', f'{folder}/data']
        command = [program, 'serve', '--http', '127.0.0.1:0', '--s3', '127.0.0.1:0', *data, *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
        try:
            addresses, said = {}, []
            for line in process.stderr:
                said.append(line)
                if '//127.0.0.1:' in line:
                    addresses[line.split()[0].lower()] = line.split('//')[-1].strip()
                if line.startswith('access'):
                    break
            else:
                raise SystemExit('millrace serve ended: ' + ''.join(said))
            threading.Thread(target=lambda: [None for _ in process.stderr], daemon=True).start()
            yield addresses
            process.terminate()
            code = process.wait(60)
            found = subprocess.run([program, 'doctor', *data], capture_output=True, text=True, cwd=folder)
            if code != 0 or found.returncode != 0:
                raise SystemExit(f'millrace serve ended with {code}; doctor: {found.stdout}{found.stderr}')
        finally:
            process.kill()
            process.wait()
