"""Kernels that chat and are killed: every turn whose cell had ended is kept, and none is half there.

    python tests/benchmarks/killed.py [--kernels 300] [--at-once 2] [--seed 0] [--quick]

Each kernel is killed with SIGKILL at a random moment while it chats with the sandbox; the next one resumes its
notebook's conversation. `--quick` kills four.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import sqlite3
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' kernel

from kernels import KEY, Kernel, write_notebook

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

MOST_ALIVE_S = 1.5  # after the first cell


@dataclass
class Page:
    """A notebook whose kernels are killed, one after another.

    Attributes
    ----------
    ended
        The prompts of the cells that had ended, over all kernels.
    sent
        Those of all cells that were run.
    """

    path: Path
    env: dict[str, str]
    ended: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    kernels: int = 0

    def cell_of(self, prompt: str) -> str:
        """The id of the cell with that prompt."""
        return f"{self.path.stem}-{prompt.replace('.', '-')}"

    def live_and_die(self, rng: random.Random) -> None:
        """Start a kernel, see what it resumes, chat, and kill it on the way."""
        self.kernels += 1
        write_notebook(self.path, {self.cell_of(p): p for p in self.sent})
        kernel = Kernel({**self.env, "JPY_SESSION_NAME": str(self.path)})
        try:
            said = kernel.run("%load_ext xcyq_magic", cell_id="load").text
            assert "Resumed" in said or not self.ended, said
            killer = threading.Timer(rng.uniform(0.0, MOST_ALIVE_S), kernel.kill)
            killer.start()
            try:
                self._chat(kernel, killer)
            finally:
                killer.cancel()
        finally:
            kernel.close(now=True)

    def _chat(self, kernel: Kernel, killer: threading.Timer) -> None:
        for n in range(10_000):
            prompt = f"{self.kernels}.{n}"
            self.sent.append(prompt)
            cell = kernel.start(
                f"%%chat\nsandbox: first 0\nsandbox: pace 2000 50\n{prompt}", cell_id=self.cell_of(prompt)
            )
            while True:
                try:
                    reply = kernel.client.get_shell_msg(timeout=0.2)
                except queue.Empty:
                    if killer.finished.is_set():
                        return
                    continue
                if reply["parent_header"].get("msg_id") == cell:
                    assert reply["content"]["status"] == "ok", reply["content"]
                    self.ended.append(prompt)
                    break

    def check(self, store: Path) -> None:
        """Compare what is kept with what had ended."""
        notebook = Notebook(str(self.path), ran=dict.fromkeys(map(self.cell_of, self.sent), ""))
        conversations = Conversations(Database(store), notebook)
        found, _ = conversations.resume()
        kept = conversations.get() if found else Conversation()
        assert conversations.take_notices() == []
        conversations.close()
        prompts = [t.prompt.text.rsplit("\n", 1)[-1] for t in kept.turns]
        assert [p for p in prompts if p in set(self.ended)] == self.ended, "a turn is missing, or out of order"
        assert set(prompts) <= set(self.sent)
        assert all(t.completion.text and t.completion.partial is None for t in kept.turns), "half a turn"


def run(kernels: int, at_once: int, seed: int) -> tuple[int, int]:
    """Kill `kernels` kernels; returns the numbers of cells that were run, and that had ended."""
    sandbox = Sandbox(key=KEY)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        env = {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "IPYTHONDIR": folder}
        store = Path(folder) / "profile_default" / "xcyq_magic.sqlite"
        notebooks = [Page(Path(folder) / f"{n}.ipynb", env) for n in range(at_once)]
        failures: list[BaseException] = []

        def live(notebook: Page, number: int) -> None:
            rng = random.Random(seed * 1000 + number)  # noqa: S311  # moments, no secrets
            try:
                for _ in range(kernels // at_once):
                    notebook.live_and_die(rng)
                    notebook.check(store)
            except BaseException as e:  # noqa: BLE001  # raised below, on the main thread
                failures.append(e)

        threads = [threading.Thread(target=live, args=(n, i)) for i, n in enumerate(notebooks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sandbox.close()
        if failures:
            raise failures[0]
        connection = sqlite3.connect(store)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        return sum(len(n.sent) for n in notebooks), sum(len(n.ended) for n in notebooks)


def main() -> None:
    """Run it, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", type=int, default=300)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    kernels = 4 if options.quick else options.kernels
    started = time.monotonic()
    sent, ended = run(kernels, options.at_once, options.seed)
    took = time.monotonic() - started
    print(f"{kernels} kernels killed in {took:.0f} s: {sent} cells run, {ended} had ended; all are kept, none is half.")


if __name__ == "__main__":
    main()
