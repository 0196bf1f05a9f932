"""The same question about each of many cases, and what came of it: a row for each."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.usage import pandas

if TYPE_CHECKING:
    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.parts import Media
    from xcyq_magic.errors import XcyqError

D = TypeVar("D")


class Record(dict[str, Any]):
    """One row of a data frame: a dict by its columns, whose values are attributes, too.

    A column goes before a method of its name: ``row.items`` is what stands in the column ``items``.
    """

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401  # any value of a column
        if dict.__contains__(self, name) and not name.startswith("__"):  # which Python itself asks for
            return self[name]
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any value of a column
        try:
            return self[name]
        except KeyError:
            msg = f"the row has no column {name!r}; it has {', '.join(map(repr, self))}"
            raise AttributeError(msg, name=name, obj=self) from None

    def __missing__(self, name: object) -> Any:  # noqa: ANN401  # as above
        """Return the value of a column that is called by no text: ``row[5]``."""
        if not isinstance(name, str) and (text := str(name)) in self:
            return self[text]
        raise KeyError(name)

    def __reduce__(self) -> tuple[type[Record], tuple[dict[str, Any]]]:
        """Have it pickled as a dict: else ``items`` would be called, which may be a column."""
        return Record, ({**self},)


@dataclass(frozen=True)
class Case:
    """What one row is about.

    Attributes
    ----------
    label
        What tells it from others: its index in a data frame, its key in a mapping, its place in a list, from 0.
    value
        What a prompt sees as ``row``.
    """

    label: Any
    value: Any


@dataclass(frozen=True)
class Row(Generic[D]):
    """What came of one case.

    Attributes
    ----------
    label
        That of its case.
    case
        What the prompt saw as ``row``.
    completion
        The reply, whole or partial; None if no word of it came.
    data
        The answer of the type that was asked for; None without a type, or where it failed.
    error
        Why it failed; None if it did not.
    cost
        In the currency of ``GatewaySettings.prices``: 0 for a reply from the store; None where no price is set.
    score
        What a check or a judge gave the reply in a comparison: yes or no, or a number; None where it gave nothing.
    media
        The pictures and videos of its prompt.
    asked
        Whether it was asked, or answered before; not if all was stopped before its turn came.
    """

    label: Any
    case: Any
    completion: Completion | None = None
    data: D | None = None
    error: XcyqError | None = None
    cost: float | None = None
    score: float | None = None
    media: tuple[Media, ...] = ()
    asked: bool = True

    @property
    def text(self) -> str:
        """The reply's Markdown, as far as it came."""
        return self.completion.text if self.completion is not None else ""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the answer puts into the columns of a table; nothing if there is none.

        They are the fields of the answer where a type with fields was asked for, else ``reply``.
        """
        data = self.data
        if data is None:
            return {"reply": self.text} if self.error is None and self.completion is not None else {}
        if isinstance(data, Mapping):
            return {str(name): value for name, value in data.items()}
        if hasattr(data, "model_fields_set"):  # a pydantic model: its fields as they are, not as JSON
            return {name: getattr(data, name) for name in type(data).model_fields}  # type: ignore[attr-defined]  # of D
        if is_dataclass(data) and not isinstance(data, type):
            return asdict(data)
        return {"reply": data}

    def columns(self, **own: object) -> dict[str, Any]:
        """Return what stands in a table: the `fields`, then `own`; a field of such a name begins with ``reply_``."""
        return {f"reply_{name}" if name in own else name: value for name, value in self.fields.items()} | own


class Rows(Sequence[Row[D]]):
    """The rows of all cases, in their order.

    Parameters
    ----------
    rows
        In the order of the cases.
    model
        The model that was asked.
    index
        The index of the data frame whose rows the cases are; None for other cases.
    duration_s
        Seconds that all took; None where that is not known, as of a part of them.

    Examples
    --------
    >>> df.join(rows.to_frame())            # doctest: +SKIP
    >>> df["size"] = rows                   # doctest: +SKIP
    >>> [row.label for row in rows.failed]  # doctest: +SKIP
    """

    def __init__(
        self,
        rows: Sequence[Row[D]],
        model: str = "",
        index: Any = None,  # noqa: ANN401  # pandas'
        duration_s: float | None = None,
    ) -> None:
        self._rows = tuple(rows)
        self.model = model
        self._index = index
        self.duration_s = duration_s

    @overload
    def __getitem__(self, at: int) -> Row[D]: ...
    @overload
    def __getitem__(self, at: slice) -> Rows[D]: ...
    def __getitem__(self, at: int | slice) -> Row[D] | Rows[D]:
        """Return the row at a place, or the rows of a slice."""
        if isinstance(at, slice):
            return Rows(self._rows[at], self.model, None if self._index is None else self._index[at])
        return self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row[D]]:
        return iter(self._rows)

    def __repr__(self) -> str:
        failed = f", {len(self.failed):,} failed" if self.failed else ""
        return f"<Rows: {len(self):,} of {self.model}{failed}>"

    @property
    def failed(self) -> tuple[Row[D], ...]:
        """The rows that have an error."""
        return tuple(r for r in self._rows if r.error is not None)

    @property
    def data(self) -> list[D | None]:
        """The answers of the type that was asked for; None where a row failed."""
        return [r.data for r in self._rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:  # noqa: ANN401, FBT001  # as numpy calls it
        """Return the answers as an array for numpy and pandas: ``df["size"] = rows`` has them in a column.

        They are what `data` has where a type was asked for, else the replies' text; None where a row failed.
        """
        import numpy as np  # noqa: PLC0415  # who calls it has it

        whole = (r.data is None and r.error is None and r.completion is not None for r in self._rows)
        answers = [r.text if is_text else r.data for r, is_text in zip(self._rows, whole, strict=True)]
        kinds = {type(answer) for answer in answers}
        if kinds and (kinds <= {bool} or kinds <= {int, float}):
            return np.array(answers, dtype=dtype)
        array = np.empty(len(answers), dtype=object)
        for place, answer in enumerate(answers):  # at once, lists of one length would be a table
            array[place] = answer
        return array if dtype is None else array.astype(dtype)

    @property
    def cost(self) -> float | None:
        """What all cost, each request once; None where no price is set."""
        costs = [r.cost for r in self._of_each_request() if r.cost is not None]
        return sum(costs) if costs else None

    @property
    def usage(self) -> Usage | None:
        """The tokens of all, each request once; None where no reply says how many."""
        spent = [r.completion.usage for r in self._of_each_request() if r.completion is not None and r.completion.usage]
        return functools.reduce(Usage.plus, spent) if spent else None

    def _of_each_request(self) -> list[Row[D]]:
        """Return a row of each request that has a reply: equal rows share one, and its completion."""
        return list({id(r.completion): r for r in self._rows if r.completion is not None}.values())

    def to_frame(self) -> Any:  # noqa: ANN401  # pandas is imported for whoever has it, and not for its types
        """Return a ``pandas.DataFrame`` with a row for each case, and the index of the frame that was given.

        Its columns are the fields of the answers where a type with fields was asked for, else ``reply``; and ``error``.
        A field called ``error`` is ``reply_error`` there.
        """
        pd = pandas()
        index = self._index if self._index is not None else pd.Index([r.label for r in self._rows])
        records = [r.columns(error=None if r.error is None else r.error.message) for r in self._rows]
        names = list(dict.fromkeys(name for record in records for name in record if name != "error"))
        return pd.DataFrame(records, columns=[*names, "error"]).set_axis(index, axis=0)
