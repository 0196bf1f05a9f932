"""Fixtures of all tests: a sandbox, and a kernel that talks to it."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from kernels import KEY

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


def pytest_collection_modifyitems(items):
    """Two workers (`--dist loadgroup`): a file's tests share fixtures, and two browsers at a time spoil each other."""
    for item in items:
        group = "browser" if item.path.parent.name == "browser" else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
