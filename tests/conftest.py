"""Fixtures of all tests: a sandbox, and a kernel that talks to it."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from kernels import KEY
from xdist.scheduler import LoadFileScheduling

from xcyq_magic.gateway.sandbox.server import Sandbox

# No deadline for an example: machines are slow at times.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch, tmp_path_factory):
    """What the developer has set must not decide what the tests see."""
    for name in [n for n in os.environ if n.startswith("XCYQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    # jupyter_client writes connection files there.
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))


@pytest.fixture
def sandbox():
    """A gateway on loopback whose log the test can read."""
    server = Sandbox(key=KEY)
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
