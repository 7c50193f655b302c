"""What the engine's example `cycles` measures: cycles, a queue filled and drained, and one whose process is killed."""

import json
import shutil
import signal
import subprocess
import time

import harness
from harness import say

CYCLES = harness.TARGET / harness.PROFILE / 'examples' / 'cycles'
WORK = harness.WORK / 'engine'
FOLDER = WORK / 'millrace'
BODY_BYTES = 300
# What a message takes on disk at most, as a multiple of its body, while it is both in the journal and in a table.
DISK_FACTOR = 2.5
# The example sends in transactions of so many messages, all or none of which survive.
TRANSACTION_MESSAGES = 10
FILL_SECONDS_MAX = 60
# With a hundred thousand messages waiting.
OPEN_SECONDS_WANTED = 2


def cycles(arguments, keep=False):
    """What the example prints, run in an empty folder, or in one that is there already."""
    if not keep:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
    run = harness.measure([CYCLES, '--folder', FOLDER, *arguments])
    shutil.rmtree(FOLDER)
    if run.code != 0:
        raise ValueError(f'millrace ended with code {run.code}: {run.problems.strip()[-600:]}')
    return json.loads(run.printed), run


def print_fill(messages):
    """Fills, reopens, drains and compacts a queue; the parts of live data are of bodies alone."""
    found, run = cycles(['--fill', messages])
    live = messages * BODY_BYTES
    say(f'\nfill: {harness.number_text(messages)} messages, {harness.size_text(live)} of bodies')
    disk = [[moment, f"{seconds:.2f}" if seconds is not None else '-', harness.size_text(found[size]),
             f'{found[size] / live:.2f}x'] for moment, seconds, size in [
        ('filled', found['fill_s'], 'bytes_full'), ('drained', found['drain_s'], 'bytes_drained'),
        ('compacted', found['compact_s'], 'bytes_compacted'), ('closed', None, 'bytes_closed')]]
    harness.table(['disk', 's', 'on disk', 'of bodies'], disk)
    say(f"  opened in {found['reopen_s']:.2f} s when full, in {found['reopen_empty_s']:.2f} s when empty; memory "
        f"{found['memory_before_kb'] / 1e3:.0f} MB after filling, {found['memory_full_kb'] / 1e3:.0f} MB opened full, "
        f"{found['memory_end_kb'] / 1e3:.0f} MB at the end, {harness.peak_text(run.peak_bytes)} MB at its peak")
    if found['found'] != messages:
        raise ValueError(f"{found['found']} messages were found, not {messages}")
    return found


def killed(waiting):
    """Kills a process that fills a queue, once so many wait in it; what the next one finds, and how long it takes."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    filling = subprocess.Popen([CYCLES, '--folder', FOLDER, '--fill', str(waiting * 10)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + FILL_SECONDS_MAX
    while harness.disk_bytes(FOLDER) < waiting * BODY_BYTES * DISK_FACTOR and time.monotonic() < deadline:
        time.sleep(0.005)
    filling.kill()
    if filling.wait() != -signal.SIGKILL:
        raise ValueError(f'filling ended with code {filling.returncode} before it was killed')
    on_disk = harness.disk_bytes(FOLDER)
    # It opens the folder, sends one transaction and closes; then it opens it anew and drains it.
    found, _ = cycles(['--fill', TRANSACTION_MESSAGES], keep=True)
    left = found['found'] - TRANSACTION_MESSAGES
    if left < waiting or left % TRANSACTION_MESSAGES:
        raise ValueError(f'{left:,} messages were found, not {waiting:,} or more in whole transactions')
    return {'messages': left, 'bytes': on_disk, 'open_s': found['fill_s'], 'reopen_s': found['reopen_s']}


def print_killed(waiting, runs):
    """Kills and opens, run after run."""
    found = [killed(waiting) for _ in range(runs)]
    say(f'\nkilled while filling, {waiting:,} or more messages waiting: seconds until the next one is answered')
    rows = [[f"{one['messages']:,} messages", f"{one['open_s']:.2f}", str(OPEN_SECONDS_WANTED),
             f"{one['reopen_s']:.2f}", harness.size_text(one['bytes'])] for one in found]
    harness.table(['found', 'killed', 'wanted', 'closed', 'on disk'], rows)
    return found
