"""A real kernel whose messages are counted as they come over the wire, in bytes."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' kernels

from kernels import sockets

HERE = Path(__file__).parent
TIMEOUT_S = 900.0
DELIMITER = b"<IDS|MSG>"
SHOWN = {"display_data", "update_display_data", "execute_result", "comm_open", "comm_msg", "comm_close"}


@dataclass
class Counted:
    """What one cell sent to the frontend.

    Attributes
    ----------
    n_bytes, messages
        By message type, of those that show something; all frames of a message count.
    value
        What the cell printed, read as JSON.
    marked_at
        When the first message came that holds the mark, in seconds of `time.monotonic()`.
    """

    n_bytes: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    value: Any = None
    marked_at: float | None = None


class CountingKernel:
    """A kernel of `python`, and a raw socket that hears what it publishes."""

    def __init__(self, python: str, settings: dict[str, str] | None = None) -> None:
        self._cells = itertools.count()
        self._folder = tempfile.TemporaryDirectory()
        # The kernel finds the package as this process does, and reads nobody's settings.
        path = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": path, "IPYTHONDIR": self._folder.name, **(settings or {})}
        self._manager = KernelManager(kernel_spec_manager=OneSpec(python), kernel_name="measured", **sockets())
        self._manager.start_kernel(env=env)
        self._context = zmq.Context()
        self._heard = self._context.socket(zmq.SUB)
        self._heard.rcvhwm = 0  # a frontend that is too slow loses messages; this one must not
        self._heard.subscribe(b"")
        self._heard.connect(self._manager._make_url("iopub"))
        self._client = self._manager.blocking_client()
        self._client.start_channels(shell=True, iopub=False, stdin=False, hb=False, control=False)  # noqa: S604  # no shell but a channel of that name
        self._await_news()

    def _await_news(self) -> None:
        """Ask until the kernel answers where we listen: what is published before that is lost."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self._heard.poll(200):
            if time.monotonic() > deadline or not self._manager.is_alive():
                message = "the kernel does not start"
                raise SystemExit(message)
            self._client.kernel_info()

    def run(self, code: str, *, mark: str = "") -> Counted:
        """Run a cell, and count what it sent; `mark` is some ASCII to look for in what it shows."""
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        # As a page does: who names no cell has none that could show updates.
        message = self._client.session.msg("execute_request", content, metadata={"cellId": f"cell-{next(self._cells)}"})
        self._client.shell_channel.send(message)
        cell = message["header"]["msg_id"]
        counted, printed, numbers = Counted(), "", []
        while True:
            if not self._heard.poll(int(TIMEOUT_S * 1000)):
                message = f"no news from the kernel about {code!r}"
                raise SystemExit(message)
            frames = self._heard.recv_multipart()
            start = frames.index(DELIMITER) + 2  # the signature follows the delimiter
            came = time.monotonic()
            header, parent, _, content = frames[start : start + 4]
            if json.loads(parent).get("msg_id") != cell:
                continue
            kind, name = (json.loads(header)[key] for key in ("msg_type", "msg_id"))
            numbers.append(int(name.rpartition("_")[2]))
            if kind in SHOWN:
                counted.n_bytes[kind] += sum(map(len, frames))
                counted.messages[kind] += 1
                if mark and counted.marked_at is None and mark.encode() in content:
                    counted.marked_at = came
            elif kind == "stream":
                said = json.loads(content)
                printed += said["text"] if said["name"] == "stdout" else ""  # what peers warn of is no value
            elif kind == "error":
                raise SystemExit("\n".join(json.loads(content)["traceback"]))
            elif kind == "status" and json.loads(content)["execution_state"] == "idle":
                break
        _check_complete(numbers)
        counted.value = json.loads(printed) if printed else None
        return counted

    def close(self) -> None:
        """End the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._context.destroy(linger=0)
        self._folder.cleanup()


class OneSpec(KernelSpecManager):
    """Knows one kernel, whatever is installed."""

    def __init__(self, python: str) -> None:
        super().__init__()
        quiet = "--IPKernelApp.log_level=ERROR"
        self._argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", quiet]

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=self._argv, display_name=kernel_name, language="python")


def _check_complete(numbers: list[int]) -> None:
    """A kernel numbers its messages: the cell's reply, on another channel, may be the only one that is missing."""
    missing = set(range(min(numbers), max(numbers) + 1)) - set(numbers)
    if len(missing) > 1:
        message = f"{len(missing)} messages were lost"
        raise SystemExit(message)
