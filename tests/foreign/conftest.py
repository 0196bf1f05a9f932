"""Programs that others wrote, each in an environment of its own: gateways for our cells, clients for our sandbox."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST_S = 120.0


def pytest_collection_modifyitems(config, items):
    """They run in CI, and where their folder is named: what they need is installed first."""
    if os.environ.get("CI") or any("foreign" in arg for arg in config.args):
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="name the folder to have it install what others wrote"))


class Environment:
    """What others wrote, with what it needs and nothing of this project's; it is kept for the next time."""

    def __init__(self, place: Path, *packages: str) -> None:
        self._programs = place / "bin"
        uv, env = [sys.executable, "-m", "uv"], self._env(UV_PYTHON_DOWNLOADS="never")
        subprocess.run([*uv, "venv", "-q", "--allow-existing", "--python", sys.executable, place], check=True, env=env)
        install = [*uv, "pip", "install", "-q", "--python", self._programs / "python", "--only-binary", ":all:"]
        subprocess.run([*install, *packages], check=True, env=env)

    @staticmethod
    def _env(**names: str) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | names

    def run(self, program: str, *args: object, **names: str) -> tuple[int, str, str]:
        """Run a program to its end; returns its status, its output and its errors."""
        command, env = [self._programs / program, *map(str, args)], self._env(**names)
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        return ran.returncode, ran.stdout, ran.stderr

    @contextlib.contextmanager
    def serve(self, *args: object, **names: str):
        """Run one of the servers of `serve.py` while the context lasts, which gets its address."""
        command = [self._programs / "python", HERE / "serve.py", *map(str, args)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(command, **pipes, text=True, env=self._env(**names)) as process:
            late = threading.Timer(LONGEST_S, process.kill)
            late.start()
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                    break
            else:
                pytest.fail("".join(said[-60:]))
            late.cancel()
            reader = threading.Thread(target=deque, args=(process.stdout, 0))  # a full pipe would hold it up
            reader.start()
            yield found[1]
            process.stdin.close()  # which ends it
            reader.join()


@pytest.fixture(scope="session")
def environment(pytestconfig):
    """Make an environment that has these packages."""
    return lambda name, *packages: Environment(pytestconfig.cache.mkdir(name), *packages)
