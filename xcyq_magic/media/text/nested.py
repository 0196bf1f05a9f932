"""Nested lists, dicts and dataclasses as text: as many items of each as the budget allows, and how many there are."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import re
import sys
import textwrap
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from enum import Enum
from numbers import Number
from pathlib import PurePath
from types import MappingProxyType
from uuid import UUID

from xcyq_magic.chat.rows import Record
from xcyq_magic.errors import MediaError
from xcyq_magic.media.arrays import as_numpy
from xcyq_magic.media.kinds import FRAMES, INDEXES, SERIES, is_a, is_array
from xcyq_magic.media.text.shown import INLINE, Shown, all_of, clipped_line, count_of, counts_of

_LINE = 96  # characters that a container may take on one line
# What says where a value lies, and nothing of what it holds: PIL's own `at 0x7F`, <IPython.lib.display.Audio object>.
_ADDRESS = re.compile(r"<[^<>\n]* object>|\bat 0x[0-9A-Fa-f]{4,}\b")
_SHORT = 24  # characters of items that share lines
_NO_BREAK = "\0"  # for a space within an item
_DEEPEST = 12
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_MAPPINGS: tuple[type, ...] = (dict, Counter, OrderedDict, defaultdict, MappingProxyType)
_PLAIN_REPRS: set[object] = {c.__repr__ for c in (list, set, frozenset, deque, *_MAPPINGS, *_VIEWS)}
_INNER = "inner table"  # or array, of which a container says the shape alone
_DEEPER = "container"
_REST = "… "  # begins what says how many items are left out
_QUICK = 100_000  # characters: beyond that, a quarter more or less is worth no further try
_SIMPLE = {int, float, bool, type(None)}
# What `repr` writes as code. Within a container it stands in quotes, as other text does.
_WORDS = (str, dt.date, dt.time, dt.timedelta, dt.tzinfo, PurePath, UUID)
_NUMPY_DATES = ("numpy.datetime64", "numpy.timedelta64")
_PERIODS = ("pandas._libs.tslibs.period.Period", "pandas.Period")
_INTERVALS = ("pandas._libs.interval.Interval", "pandas.Interval")


def written(value: object, chars: int, depth: int = 0, *, in_line: bool = False) -> Shown:
    """Return `value` as Python writes it, with fewer items of each container where it is too long.

    Parameters
    ----------
    value
        Anything.
    chars
        Characters to stay within, where that can be.
    depth
        In how many containers it stands.
    in_line
        Whether containers are written without line ends.
    """
    shown: Shown | None = None
    most = max(1, chars)  # items of each container
    fit, too_many = 0, most + 1  # of which it is known
    while True:
        writer = _Writer(most, chars, in_line=in_line)
        try:
            found = writer.shown(value, depth)
        except _TooLongError:
            too_many = min(most, writer.count + 1)  # so many are written in full before it is too long
        else:
            if len(found.text) <= chars:
                shown, fit = found, most
                if writer.widest < most or chars > _QUICK:
                    break
            else:
                too_many = min(most, writer.widest)
        if too_many - fit <= max(1, fit // 4):
            break
        guess = writer.count * 9 // 10 if not fit and most > writer.count else 0  # of one list, about as many fit
        most = guess or (fit + too_many) // 2
    return shown or _Writer(1, sys.maxsize, in_line=in_line).shown(value, depth)


def inline(value: object, chars: int = INLINE) -> Shown:
    """Return `value` as it stands within a list, on one line."""
    found = written(value, chars, depth=1, in_line=True)
    text = clipped_line(found.text, chars)
    return Shown(text, found.cut or "its end" * (len(text) > chars), found.more)


def readable(value: object) -> str | None:
    """Return a number, a date or a name as a reader writes it, such as ``2.0``; None for any other value."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if is_array(value) and getattr(value, "shape", None) == ():  # as NumPy's numbers are
        return _element(value)
    if isinstance(value, Number | Enum | dt.timedelta | dt.tzinfo | PurePath | UUID):
        return str(value)
    return str(value) if is_a(value, *_PERIODS, *_INTERVALS) else None


def is_address(text: str) -> bool:
    """Return whether a text has the address of a value in it, in place of what the value holds."""
    return _ADDRESS.search(text) is not None


def _said(value: object, text: str) -> str:
    """Return `text`, how `value` is written; where that is an address, what else it says of itself."""
    if not is_address(text):
        return text
    if is_a(value, "IPython.core.display.DisplayObject"):
        held = value.data  # type: ignore[attr-defined]  # told by its name
        return held if isinstance(held, str) else repr(held) if isinstance(held, dict | list) else text
    for method in ("__str__", "_repr_markdown_", "_repr_latex_"):
        # Its class's own: a mock has every attribute that it is asked for.
        said = getattr(type(value), method, lambda _: None)(value)
        said = said[0] if isinstance(said, tuple) else said  # with metadata beside it
        if isinstance(said, str) and not is_address(said):
            return said
    return text


def _element(value: object) -> str | None:
    """Return the element of an array without dimensions; None where NumPy cannot read it."""
    if is_a(value, "numpy.generic", "numpy.ndarray"):
        return str(value)
    try:
        return str(as_numpy(value)[()])
    except MediaError:
        return None


def _within(value: object) -> str:
    """Return `value` as it stands in a container."""
    text = readable(value)
    if text is None:
        return _said(value, repr(value))
    words = isinstance(value, _WORDS) or is_a(value, *_NUMPY_DATES, *_PERIODS)
    return repr(text) if words and text != "NaT" else text


class _TooLongError(Exception):
    """More was written than the budget has characters."""


class _Writer:
    """Writes one value, with at most so many items of each container, and gives up over the budget."""

    def __init__(self, most: int, chars: int, *, in_line: bool) -> None:
        self._most = most
        self._line = sys.maxsize if in_line else _LINE
        self._left = chars
        self._longest = max(INLINE, chars // 4) if chars < sys.maxsize else INLINE
        self._open: set[int] = set()
        self._cut: Counter[str] = Counter()
        self.count = 0  # of what was written
        self.widest = 1  # items of a container, of those that were written

    def shown(self, value: object, depth: int) -> Shown:
        """Return `value`, and what is left out of it."""
        text = self.text(value, depth)
        within, deep = self._cut.pop(_INNER, 0), self._cut.pop(_DEEPER, 0)
        cuts = counts_of(self._cut)
        alone = "(attach each alone: -a NAME)"
        rest = [f"the elements of {count_of(within, _INNER)} in it {alone}"] if within else []
        rest += [f"{count_of(deep, _DEEPER)} deeper than {_DEEPEST} levels"] if deep else []
        return Shown(text, all_of(cuts, *rest), more=bool(cuts))

    def text(self, value: object, depth: int = 0) -> str:
        """`value`, its lines after the first not indented."""
        kind = type(value)
        if kind in _SIMPLE and len(text := repr(value)) <= INLINE:
            return self._spent(text)
        container = None if kind is str else _container(value)
        if container is None:
            return self._leaf(value, depth)
        if id(value) in self._open:
            return self._spent(f"<{type(value).__name__} again>")
        if depth > _DEEPEST:
            self._cut[_DEEPER] += 1
            return self._spent("…")
        self._open.add(id(value))
        try:
            begin, items, end, count = container
            self._spent(begin + end)
            pieces = [self._item(item, depth) for item in itertools.islice(items, self._most)]
        finally:
            self._open.discard(id(value))
        self.widest = max(self.widest, len(pieces))
        if count > len(pieces):
            self._cut["item"] += count - len(pieces)
            pieces.append(f"{_REST}{count - len(pieces):,} more of {count:,}")
        return _laid_out(begin, pieces, end, self._line)

    def _item(self, item: tuple[str, object] | tuple[_Key, object], depth: int) -> str:
        label, value = item
        name = self._spent(label) if isinstance(label, str) else f"{self.text(label.key, depth + 1)}: "
        return name + self.text(value, depth + 1)

    def _spent(self, text: str) -> str:
        """Return `text`, taken off the budget with what stands between it and the next."""
        self._left -= len(text) + 2 * bool(text)
        if self._left < 0:
            raise _TooLongError
        self.count += bool(text)
        return text

    def _leaf(self, value: object, depth: int) -> str:
        if type(value) is str:
            text = value[: self._longest]
            more = len(value) - len(text)
            self._cut["character"] += more
            text = repr(text) + (f"… ({more:,} more characters)" if more else "")
        elif (
            depth and (is_a(value, *FRAMES, *SERIES, *INDEXES) or is_array(value)) and getattr(value, "shape", ()) != ()
        ):
            self._cut[_INNER] += 0 not in getattr(value, "shape", ())
            text = _brief(value)
        elif depth:
            whole = _within(value)
            whole = " ".join(whole.split()) if "\n" in whole else whole
            self._cut["character"] += max(0, len(whole) - self._longest)
            text = clipped_line(whole, self._longest)
        else:
            known = readable(value)
            text = _said(value, str(value)) if known is None else known
        return self._spent(text)


@dataclasses.dataclass(frozen=True)
class _Key:
    key: object


_Items = Iterable[tuple[str, object] | tuple[_Key, object]]


def is_container(value: object) -> bool:
    """Return whether `value` is written item by item."""
    return _container(value) is not None


def _container(value: object) -> tuple[str, _Items, str, int] | None:
    """Return what stands before, within and after, and how many items it has; None for what is no container.

    A class with a ``repr`` of its own says itself what it is.
    """
    kind = type(value)
    if isinstance(value, tuple):
        return _tuple(value)
    if _is_plain_dataclass(value):
        return _dataclass(value)
    named, close = ("", "") if kind in {list, set, dict, Record} else (f"{kind.__name__}(", ")")
    plain = kind.__repr__ in _PLAIN_REPRS
    if isinstance(value, Mapping) and plain:
        return f"{named}{{", ((_Key(k), v) for k, v in _pairs(value)), f"}}{close}", len(value)
    if isinstance(value, list | deque | set | frozenset | KeysView | ValuesView | ItemsView) and plain and value:
        begin, end = "{}" if isinstance(value, set | frozenset) else "[]"
        return f"{named}{begin}", (("", v) for v in value), f"{end}{close}", len(value)
    return None


def _pairs(value: Mapping[object, object]) -> Iterable[tuple[object, object]]:
    try:
        return value.most_common() if isinstance(value, Counter) else ItemsView(value)
    except TypeError:  # its counts cannot be compared
        return ItemsView(value)


def _tuple(value: tuple[object, ...]) -> tuple[str, _Items, str, int] | None:
    kind = type(value)
    names = getattr(kind, "_fields", None)
    if names is not None and len(names) == len(value):
        return f"{kind.__name__}(", ((f"{n}=", v) for n, v in zip(names, value, strict=True)), ")", len(value)
    if kind.__repr__ is not tuple.__repr__:
        return None
    end = ",)" if len(value) == 1 else ")"
    begin, close = ("(", "") if kind is tuple else (f"{kind.__name__}((", ")")
    return begin, (("", v) for v in value), end + close, len(value)


def _is_plain_dataclass(value: object) -> bool:
    """Return whether `value` is one of a dataclass whose ``repr`` the decorator wrote: from a string, and wrapped."""
    written_repr = getattr(type(value).__repr__, "__wrapped__", None)
    code = getattr(written_repr, "__code__", None)
    return dataclasses.is_dataclass(value) and code is not None and code.co_filename == "<string>"


def _dataclass(value: object) -> tuple[str, _Items, str, int]:
    fields = [f.name for f in dataclasses.fields(value) if f.repr]  # type: ignore[arg-type]  # told by is_dataclass
    items: Iterator[tuple[str, object]] = ((f"{n}=", getattr(value, n)) for n in fields)
    return f"{type(value).__qualname__}(", items, ")", len(fields)


def _brief(value: object) -> str:
    """Return a table or an array within something else, in a few words."""
    shape = " × ".join(f"{n:,}" for n in getattr(value, "shape", ()))
    dtype = getattr(value, "dtype", None)
    return f"<{type(value).__name__} of {shape}{f', {dtype}' if dtype is not None else ''}>"


def _laid_out(begin: str, pieces: list[str], end: str, most: int) -> str:
    """On one line where it is short, else a line for each item."""
    line = begin + ", ".join(pieces) + end
    if len(line) <= most and "\n" not in line:
        return line
    if max(len(p) for p in pieces if not p.startswith(_REST)) <= _SHORT and "\n" not in line:
        inner = "\n ".join(textwrap.wrap(", ".join(p.replace(" ", _NO_BREAK) for p in pieces), _LINE))
        inner = inner.replace(_NO_BREAK, " ")
    else:
        inner = ",\n".join(pieces).replace("\n", "\n ")
    return f"{begin}\n {inner}\n{end}"
