"""A real kernel, driven as a frontend drives it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir

from xcyq_magic.gateway.sandbox.directives import Plan

TIMEOUT_S = 60.0
# Of TCP, a kernel's ports are chosen before it starts: until it binds them another process may.
TRANSPORT = "ipc"
COUNT_WIDGETS = "len(__import__('ipywidgets').widgets.widget._instances)"
KEY = "sandbox-test-key"  # what the tests' sandbox accepts
# How it answers, unless a prompt says otherwise: most tests are about what comes, not when.
AT_ONCE = Plan(first_s=0, deltas_per_s=5_000)


@dataclass
class Ran:
    """What one cell did: its messages with the times of their arrival, and its reply."""

    messages: list[tuple[float, dict]] = field(default_factory=list)
    reply: dict = field(default_factory=dict)

    @property
    def status(self) -> str:
        return self.reply["status"]

    def of_type(self, *types: str) -> list[dict]:
        return [m["content"] for _, m in self.messages if m["msg_type"] in types]

    @property
    def text(self) -> str:
        """What was printed."""
        return "".join(c["text"] for c in self.of_type("stream"))

    @property
    def error(self) -> list[str]:
        """The lines of the error as they stand on the screen; none without an error."""
        return [line for c in self.of_type("error") for block in c["traceback"] for line in block.split("\n")]

    @property
    def outputs(self) -> list[dict]:
        """The bundles as they stand at the end: an update replaces what has its display id."""
        shown: dict[object, dict] = {}
        for n, content in enumerate(self.of_type("display_data", "update_display_data", "execute_result")):
            shown[content.get("transient", {}).get("display_id") or n] = content["data"]
        return list(shown.values())


def sockets() -> dict[str, str]:
    """Where a new kernel is reached: without a file of its own, all would share the sockets in the current folder."""
    folder = Path(jupyter_runtime_dir())
    folder.mkdir(parents=True, exist_ok=True)
    return {"transport": TRANSPORT, "connection_file": str(folder / f"kernel-{uuid.uuid4()}.json")}


def run_with_kernel(*words: object, **options) -> subprocess.CompletedProcess:
    """Run a Python module that starts a kernel, and once more where another process took a port of that kernel."""
    command = [sys.executable, "-m", *map(str, words)]
    for _ in range(2):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, **options)
        if "Address already in use" not in ran.stderr:
            break
    return ran


class Kernel:
    """A kernel of its own, with `xcyq_magic` to be loaded by the test."""

    def __init__(self, env: dict[str, str]) -> None:
        self._numbers = itertools.count()
        self.manager = KernelManager(kernel_name="python3", **sockets())
        self.manager.start_kernel(env=env)
        self.client = self.manager.client()
        self.client.context.rcvhwm = 0  # no bound: of a flood, the kernel drops what a slow reader has no room for
        self.client.start_channels()
        self.client.wait_for_ready(timeout=TIMEOUT_S)

    def start(self, code: str, cell_id: str | None = "") -> str:
        """Send a cell, a new one unless its id is given, and return at once; what comes back is for `finish`."""
        cell_id = f"cell-{next(self._numbers)}" if cell_id == "" else cell_id
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": False, "stop_on_error": True}
        metadata = {"cellId": cell_id} if cell_id else {}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def finish(self, msg_id: str, until=None) -> Ran:
        """Collect the cell's messages until it is idle, or until one of them satisfies `until`."""
        ran = Ran()
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.01, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            ran.messages.append((time.monotonic(), message))
            if until is not None and until(message):
                return ran
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while ran.reply == {}:
            reply = self.client.get_shell_msg(timeout=TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == msg_id:
                ran.reply = reply["content"]
        return ran

    def run(self, code: str, cell_id: str | None = "") -> Ran:
        """Run a cell to its end: a new one unless its id is given, and as a console does where that is None."""
        return self.finish(self.start(code, cell_id))

    def value(self, expression: str) -> str:
        """The text of what `expression` prints."""
        ran = self.run(f"print({expression})")
        assert ran.status == "ok", "\n".join(ran.error)
        return ran.text.strip()

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self) -> None:
        """End it as a crash does."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)

    def close(self, *, now: bool = False) -> None:
        """Shut it down; `now` where it is dead already, or need not end in good order, which takes a while."""
        self.client.stop_channels()
        with contextlib.suppress(Empty):
            self.manager.shutdown_kernel(now=now)
        self.manager.cleanup_resources()
        self.client.context.destroy(linger=0)


def write_notebook(path: str | os.PathLike[str], sources: dict[str, str]) -> None:
    """Save a notebook as a frontend does, with these sources of cells by their ids."""
    cells = [
        {"cell_type": "code", "id": i, "source": source, "metadata": {}, "outputs": []} for i, source in sources.items()
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    Path(path).write_text(text, encoding="utf-8")


def turn_of(ran: Ran) -> dict:
    """The turn's JSON in a cell's settled output."""
    return next(o["application/vnd.xcyq.turn+json"] for o in ran.outputs if "application/vnd.xcyq.turn+json" in o)


def open_subshell(kernel) -> str:
    """What JupyterLab does when a comm is opened."""
    message = kernel.client.session.msg("create_subshell_request", {})
    kernel.client.control_channel.send(message)
    while True:
        reply = kernel.client.get_control_msg(timeout=10)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply["content"]["subshell_id"]


def click(kernel, comm_id: str, subshell_id: str) -> None:
    content = {"comm_id": comm_id, "data": {"method": "custom", "content": {"event": "click"}}}
    message = kernel.client.session.msg("comm_msg", content)
    message["header"]["subshell_id"] = subshell_id
    kernel.client.shell_channel.send(message)


class Buttons:
    """Watches a cell's messages for the Stop button: its comm, and whether it is to be seen."""

    def __init__(self) -> None:
        self.button: str | None = None
        self.visible = False

    def note(self, message) -> bool:
        content = message["content"]
        state = content.get("data", {}).get("state", {}) if message["msg_type"].startswith("comm_") else {}
        if state.get("_model_name") == "ButtonModel":
            self.button = content["comm_id"]
        if content.get("comm_id") == self.button and "_dom_classes" in state:
            self.visible = "xcyq-hidden" not in state["_dom_classes"]
        return self.visible
