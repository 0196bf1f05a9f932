"""A forked child of the test's process, and what it hands back."""

from __future__ import annotations

import os
import pickle
import select
import signal
import traceback
import warnings


def in_fork(function, within_s: float = 10.0):
    """What `function` returns in a forked child, which ends at once then; raises if it fails, or hangs."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks where threads run
        child = os.fork()
    if child == 0:
        try:
            said = (function(), "")
        except BaseException:  # noqa: BLE001  # the parent raises it
            said = (None, traceback.format_exc())
        os.write(writing, pickle.dumps(said))
        os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], within_s)[0]:
            os.kill(child, signal.SIGKILL)
            msg = f"the child hangs: it said nothing within {within_s:g} s"
            raise TimeoutError(msg)
        with os.fdopen(reading, "rb", closefd=False) as stream:
            value, failure = pickle.loads(stream.read())  # noqa: S301  # our own
    finally:
        os.close(reading)
        os.waitpid(child, 0)
    assert not failure, failure
    return value
