"""The pages that ``%%chat?`` and its kin show: what the magic does, examples, and its options by group.

IPython would put argparse's usage and its list before and behind the docstring, in the order of the parser.
"""

from __future__ import annotations

import argparse
import inspect
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 88  # of a pager beside a notebook
_NAMES = 26  # characters for an option's names


def help_page(docstring: str, parser: argparse.ArgumentParser | None) -> str:
    """The text that stands behind ``?``: the docstring, as plain text, and the options."""
    text = inspect.cleandoc(docstring).replace("``", "").replace("::\n", ":\n")
    groups = [] if parser is None else parser._action_groups  # noqa: SLF001  # argparse lists them nowhere else
    return "\n\n".join([text, *("\n".join(lines) for g in groups if (lines := list(_group(g))))])


def _group(group: argparse._ArgumentGroup) -> Iterator[str]:
    actions = group._group_actions  # noqa: SLF001  # as above
    options = [a for a in actions if a.option_strings and a.help != argparse.SUPPRESS]
    if options:
        yield f"{(group.title or 'Options').capitalize()}:"
    for option in options:
        names = f"  {_names(option)}"
        if len(names) >= _NAMES:
            yield names
            names = ""
        indent = " " * _NAMES
        yield from textwrap.wrap(
            option.help or "", _WIDTH, initial_indent=names.ljust(_NAMES), subsequent_indent=indent
        )


def _names(option: argparse.Action) -> str:
    value = "" if option.nargs == 0 else f" {option.metavar or option.dest.upper()}"
    return ", ".join(option.option_strings) + value
