"""Talk to GPT, Claude and Gemini from a notebook: ``%load_ext xcyq_magic``, then ``%%chat``.

From Python, in loops and functions:

- ``Chat(model, system=…, temperature=…)`` is a conversation. ``chat("What is odd?", fig)`` asks, and returns the reply:
  ``.text``, ``.code``, ``.usage``; with ``as_=Review``, its ``.data`` is a ``Review``.
- ``ask_each(df, "Is {text} friendly?", as_=bool)`` asks about each row or item, and returns `Rows`.
- ``compare(["gpt-5.5", "claude-opus-4-7"], "Which one?")`` asks several models, and returns a `Comparison`.

``help(xcyq_magic.Chat)``, ``help(xcyq_magic.ask_each)`` and ``help(xcyq_magic.compare)`` show all arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.api import Chat, Comparison, Evaluation, Rows, ask_each, compare

__all__ = [
    "Chat",
    "Comparison",
    "Evaluation",
    "Rows",
    "__version__",
    "ask_each",
    "compare",
    "load_ipython_extension",
    "unload_ipython_extension",
]

__version__ = "0.1.0"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give `shell` the magics. Loading twice is harmless."""
    from xcyq_magic.magics.extension import Extension  # noqa: PLC0415  # `import xcyq_magic` alone needs no IPython

    Extension.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back: magics, hooks, threads, connections."""
    from xcyq_magic.magics.extension import Extension  # noqa: PLC0415  # see above

    Extension.unload(shell)


def __getattr__(name: str) -> Any:  # noqa: ANN401  # a module's attribute
    if name in {
        "Chat",
        "Comparison",
        "Evaluation",
        "Rows",
        "ask_each",
        "compare",
    }:  # imported when first used: they bring the HTTP client along
        from xcyq_magic import api  # noqa: PLC0415  # see above

        return getattr(api, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
