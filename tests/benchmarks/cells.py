"""The same question in a notebook, put to ours and to the peers, in kernels of their own."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from counting import CountingKernel
from peers import CHATLAS, JUPYTER_AI, SETTINGS
from streams import MODEL, Streams


@dataclass(frozen=True)
class Asked:
    """How one package is asked in a cell.

    Attributes
    ----------
    label
        Its name, and its version.
    first, cell
        A cell to run once, and the one that asks; `%s` is the address of the endpoint.
    """

    label: str
    python: str
    first: str
    cell: str

    def kernel(self, streams: Streams) -> CountingKernel:
        """A kernel that has asked once, so that everything is loaded."""
        kernel = CountingKernel(self.python, self.settings(streams))
        streams.text = "Hello, to begin with."
        kernel.run(self.first.replace("%s", streams.base_url))
        kernel.run(self.cell.replace("%s", streams.base_url))
        return kernel

    def settings(self, streams: Streams) -> dict[str, str]:
        """The environment of its kernel."""
        return {
            "XCYQ_BASE_URL": streams.base_url,
            "XCYQ_API_KEY": "none",
            "OPENAI_API_KEY": "none",
            **SETTINGS,
        }


def ours() -> Asked:
    """A `%%chat` cell. Its `--once` keeps the conversation from growing, as the others' first cells do."""
    return Asked("xcyq_magic", sys.executable, "%load_ext xcyq_magic", f"%%chat --once -m {MODEL}\nGo on.")


def chatlas() -> Asked:
    """A call of `Chat.chat`, whose history is emptied first."""
    first = f"import chatlas\nchat = chatlas.ChatOpenAICompletions(base_url='%s', api_key='none', model='{MODEL}')"
    return Asked(CHATLAS.label, CHATLAS.python(), first, "chat.set_turns([])\n_ = chat.chat('Go on.')")


def jupyter_ai() -> Asked:
    """A `%%ai` cell. It asks for the whole reply: it does not stream."""
    cell = f"%%ai openai/{MODEL} --api-base %s\nGo on."
    return Asked(JUPYTER_AI.label, JUPYTER_AI.python(), "%load_ext jupyter_ai_magic_commands\n%ai reset", cell)
