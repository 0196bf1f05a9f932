"""What `--each` names, as cases: the rows of a table, the items of a list, the pairs of a mapping."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, ItemsView, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from itertools import islice
from typing import Any

from xcyq_magic.chat.rows import Case, Record
from xcyq_magic.errors import OptionError
from xcyq_magic.media.kinds import FRAMES, SERIES, is_a, is_array, roots

_WHAT = "Give a data frame, a list, an array, a mapping or a generator."
_MOST_NESTED = 4
_FAR_MORE = 100  # times the limit
_TEXT = (str, bytes, bytearray, memoryview)


@dataclass(frozen=True)
class Cases:
    """The cases that are asked about.

    Attributes
    ----------
    all
        In their order.
    index
        The index of the data frame or series that they are; None for others.
    notices
        Lines for the user about them.
    """

    all: tuple[Case, ...]
    index: Any = None
    notices: tuple[str, ...] = ()


def cases_of(value: object, name: str, most: int, *, go: bool = True) -> Cases:
    """Return the cases that `value` holds.

    Parameters
    ----------
    value
        A data frame (of pandas or polars), a series, an array, whose first axis counts, a mapping, or what can be gone
        through.
    name
        How the user wrote it, for errors.
    most
        How many are taken of what has no length, such as a generator.
    go
        Whether there may be far more than that: to prepare a million prompts takes minutes.

    Raises
    ------
    OptionError
        It is none of these, or holds nothing, or far more than `most`.
    """
    size = 0
    with contextlib.suppress(TypeError):  # an array without an axis
        size = len(value) if isinstance(value, Sized) and not isinstance(value, _TEXT) else 0
    if size > _FAR_MORE * most and not go:
        msg = f"{name} has {size:,} rows, and ChatSettings.each_limit is {most:,} requests; nothing was sent."
        raise OptionError(msg, "Add --go (go=True) to ask about them all, or try a part first, such as df.head(20).")
    found = _cases(value, name, most)
    if not found.all:
        msg = f"{name} holds no rows, so nothing was sent."
        raise OptionError(msg, _WHAT)
    return found


def _cases(value: Any, name: str, most: int) -> Cases:  # noqa: ANN401  # whatever the user gave
    of_pandas = "pandas" in roots(value)
    if is_a(value, *FRAMES) and of_pandas:
        columns = [str(c) for c in value.columns]
        if twice := next((c for c in columns if columns.count(c) > 1), None):
            msg = f"{name} has two columns called {twice!r}, so {{{{ row }}}} cannot tell them apart; nothing was sent."
            raise OptionError(msg, f"Rename one: {name}.columns = […].")
        cells = zip(*(value.iloc[:, n].array for n in range(len(columns))), strict=True)
        records = (Record(zip(columns, row, strict=True)) for row in cells) if columns else ()
        return Cases(tuple(map(Case, value.index, records)), value.index)
    if is_a(value, *FRAMES):
        return Cases(tuple(Case(n, Record(row)) for n, row in enumerate(value.iter_rows(named=True))))
    if is_a(value, *SERIES) and of_pandas:
        return Cases(tuple(map(Case, value.index, value.array)), value.index)
    if isinstance(value, Mapping):
        return Cases(tuple(Case(key, Record(key=key, value=item)) for key, item in value.items()))
    is_one = isinstance(value, (*_TEXT, type)) or (is_array(value) and getattr(value, "ndim", 1) == 0)
    if is_one or not isinstance(value, Iterable):
        msg = f"{name} is of type {type(value).__name__}, which has no rows; nothing was sent."
        raise OptionError(msg, _WHAT)
    length = len(value) if isinstance(value, Sized) and not isinstance(value, Iterator) else 0
    bound = max(length, most)  # a length need not be true
    taken = tuple(Case(n, _row(item)) for n, item in enumerate(islice(value, bound)))
    notice = f"{name} has no length, so only its first {len(taken):,} items were taken (ChatSettings.each_limit)."
    return Cases(taken, notices=(notice,) if len(taken) == bound > length else ())


def without_keys(case: Case, hide: Callable[[str], str]) -> Case:
    """Return a case as it may be shown, with `hide` applied to its texts; the same one where that changes nothing."""
    label, value = _hidden(case.label, hide), _hidden(case.value, hide)
    return case if label is case.label and value is case.value else Case(label, value)


def _hidden(value: Any, hide: Callable[[str], str], depth: int = 0) -> Any:  # noqa: ANN401  # whatever a case holds
    if isinstance(value, str):
        text = hide(value)
        return value if text == value else text
    if depth == _MOST_NESTED or type(value) not in {Record, dict, list, tuple}:
        return value
    if isinstance(value, dict):
        pairs = [(_hidden(n, hide, depth + 1), _hidden(v, hide, depth + 1)) for n, v in ItemsView(value)]
        same = all(n is was for (n, _), was in zip(pairs, value, strict=True))
        return value if same and all(v is value[n] for n, v in pairs) else type(value)(pairs)
    items = [_hidden(item, hide, depth + 1) for item in value]
    return value if all(map(operator.is_, items, value)) else type(value)(items)


def _row(item: object) -> object:
    """Return an item as a prompt sees it: a dict's fields are attributes, too."""
    return Record(item) if type(item) is dict else item
