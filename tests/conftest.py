"""Fixtures of all tests: a sandbox, and a kernel that talks to it."""

from __future__ import annotations

import gc
import itertools
import os
import secrets
import signal
import sys
import tempfile

import pytest
from hypothesis import HealthCheck, settings
from kernels import AT_ONCE, KEY
from xdist.scheduler import LoadFileScheduling

from xcyq_magic.gateway.sandbox.server import Sandbox

# No deadline for an example, and no complaint of slow ones: machines are slow at times. What is tried is the same in
# each run; `--hypothesis-profile=explore` tries other examples and more of them, and prints how to see a failure again.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("tests", COMMON, derandomize=True)
settings.register_profile("explore", COMMON, derandomize=False, max_examples=2_000, print_blob=True)
settings.load_profile("tests")

# What a shell starts in the background ignores interrupts, and so does all that this process starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Else each kernel would compile the package anew, and each worker the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

COUNT = itertools.count()


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads the seed
def pytest_configure(config):
    if config.option.hypothesis_profile == "explore" and config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))  # the workers get it, too
    # Kernels have sockets there, whose names may have about a hundred characters.
    runtime = tempfile.TemporaryDirectory(prefix="xcyq-", dir="/tmp", ignore_cleanup_errors=True)
    config.add_cleanup(runtime.cleanup)
    os.environ["JUPYTER_RUNTIME_DIR"] = runtime.name


def pytest_report_header(config):
    return f"--hypothesis-seed={seed}" if (seed := config.option.hypothesis_seed) else None


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch, tmp_path_factory):
    """What the developer has set must not decide what the tests see."""
    for name in [n for n in os.environ if n.startswith(("XCYQ_", "GLOBALAIOPC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    # Who needs it makes it.
    place, number = tmp_path_factory.getbasetemp(), next(COUNT)
    monkeypatch.setenv("IPYTHONDIR", str(place / f"ipython{number}"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", f"{os.environ['JUPYTER_RUNTIME_DIR']}/{number}")


@pytest.fixture(scope="module", autouse=True)
def _no_garbage_collection_of_what_stays():
    """Leave out the tests, and what earlier files imported: each shell collects garbage at its end."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def sandbox():
    """A gateway on loopback whose log the test can read."""
    server = Sandbox(key=KEY, plan=AT_ONCE)
    yield server
    server.close()


class ByFile(LoadFileScheduling):
    """A file's tests, which share fixtures, stay with one worker; so do all browser tests, which spoil each other.

    pytest-xdist's own groups are lost with pytest 9.2: it adds them to an attribute that is gone.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False  # the longest first, as the folders are: benchmarks, and the browser
    return ByFile(config, log)
