"""Which models a line means: names, patterns such as ``claude-*``, braces such as ``gpt-5.5{,-low}``."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from fnmatch import fnmatchcase
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from xcyq_magic.errors import OptionError
from xcyq_magic.gateway.catalog import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FEWEST = 2  # columns of a comparison
_WILDCARDS = re.compile(r"[*?\[\]]")
_MOST_WORDS = 200  # expanded words; far above any limit of columns
_NEAREST = 3
_NEAR = 0.4  # of 1, for a name to be offered for a pattern
_EXAMPLE = "%%compare gpt-5.5 claude-opus-4-7"


def asked_models(words: Sequence[str], repeat: int, most: int) -> dict[str, str]:
    """The columns of a comparison: each one's name, and the model that it asks.

    Parameters
    ----------
    words
        Names, patterns and braces, in the order of the columns.
    repeat
        How many times each model is asked; from two on, the columns are called ``NAME#1``, ``NAME#2``.
    most
        The limit of columns.

    Raises
    ------
    OptionError
        There are too few or too many, one twice, or a pattern matches nothing; the message says what to type.
    """
    if repeat < 1:
        msg = f"--repeat takes a number of at least 1, not {repeat}; nothing was sent."
        raise OptionError(msg, "Try --repeat 2.")
    models = _expand(words, once=repeat == 1)
    names = {f"{m}#{n}": m for m in models for n in range(1, repeat + 1)} if repeat > 1 else {m: m for m in models}
    if len(names) < FEWEST:
        what = f"{models[0]} alone" if models else "no model"
        msg = f"A comparison takes at least two models, and here is {what}; nothing was sent."
        way_on = f"{models[0]} gpt-5.5{{,-low}}, or --repeat 2 to ask it twice" if models else "gpt-5.5 claude-opus-4-7"
        raise OptionError(msg, f"Try %%compare {way_on}.")
    if len(names) > most:
        times = f" ({len(models)} models, {repeat} times each)" if repeat > 1 else ""
        msg = f"These are {len(names)} columns{times}, and {most} is the limit; nothing was sent."
        raise OptionError(msg, "Name fewer, or raise ChatSettings.compare_limit with %config.")
    return names


def _expand(words: Sequence[str], *, once: bool) -> list[str]:
    named = [name for word in words for name in _braces(word)]
    for name, times in Counter(n for n in named if not _WILDCARDS.search(n)).items():
        if times > 1 and once:
            msg = f"{name} stands there {times} times; nothing was sent."
            raise OptionError(msg, f"To ask it {times} times, type --repeat {times}.")
    return list(dict.fromkeys(model for name in named for model in _matches(name)))


def _braces(word: str) -> list[str]:
    """The words that the braces of `word` stand for, as a shell expands them."""
    if word.endswith(",") or ("," in word and "{" not in word):
        msg = f"The models stand there with a comma ({word!r}); nothing was sent."
        raise OptionError(msg, f"Write them with spaces between: {_EXAMPLE}.")
    words = list(islice(_expanded(word), _MOST_WORDS + 1))
    if len(words) > _MOST_WORDS:
        msg = f"{word} stands for more than {_MOST_WORDS} models; nothing was sent."
        raise OptionError(msg, "Name fewer.")
    return words


def _expanded(word: str) -> Iterator[str]:
    start = word.find("{")
    depth, cuts = 0, [start]
    for at in range(max(0, start), len(word)) if start >= 0 else ():
        depth += (word[at] == "{") - (word[at] == "}")
        if depth == 0 or (depth == 1 and word[at] == ","):
            cuts.append(at)
        if depth == 0:
            break
    if depth or "}" in (word if start < 0 else word[:start]):
        msg = f"A brace in {word} has no other half; nothing was sent."
        raise OptionError(msg, "Write it like gpt-5.5{,-official,-low}, without spaces.")
    if start < 0:
        yield word
    for begin, end in pairwise(cuts):
        yield from _expanded(word[:start] + word[begin + 1 : end] + word[cuts[-1] + 1 :])


def _matches(name: str) -> list[str]:
    """The models of the catalogue that a pattern matches, or the name itself."""
    if not _WILDCARDS.search(name):
        return [name]
    found = [model for model in MODELS if fnmatchcase(model, name.lower())]
    if not found:
        near = difflib.get_close_matches(_WILDCARDS.sub("", name.lower()), MODELS, _NEAREST, _NEAR)
        msg = f"No model's name matches {name}; nothing was sent."
        raise OptionError(msg, f"Near it are {', '.join(near)}." if near else "%chat_models lists the names.")
    return found
