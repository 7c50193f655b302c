"""MiniStack as it is served here: with what it does not say in events, and `added` of emulator.json lists.

Each time something is added, or is there already, a line in the log says so; the suite counts both.
"""

import json
import logging
import threading

from ministack.app import app  # noqa: F401  what is served
from ministack.services import eventbridge, s3

log = logging.getLogger('millrace')
version = threading.local()
fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event


def fire_with_version(*arguments, version_id=None, **more):
    version.now = version_id
    try:
        return fire(*arguments, version_id=version_id, **more)
    finally:
        version.now = None


def dispatch_with_version(event, *more):
    """S3 names the version of an object in events on the bus, as it does in those to queues and functions."""
    if event.get('Source') == 'aws.s3' and getattr(version, 'now', None):
        detail = json.loads(event['Detail'])
        log.info('version-id is %s', 'there' if 'version-id' in detail['object'] else 'added')
        detail['object'].setdefault('version-id', version.now)
        event = {**event, 'Detail': json.dumps(detail)}
    return dispatch(event, *more)


s3._fire_s3_event, eventbridge._dispatch_event = fire_with_version, dispatch_with_version
