"""Any other value as compact text: what it holds, within the budget, and what was left out."""

from __future__ import annotations

import builtins
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import math
import pathlib
import re
import types
import uuid
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shells import shell_of

from xcyq_magic.errors import MediaError
from xcyq_magic.media.text.shown import clipped
from xcyq_magic.media.values import describe, shown


@pytest.mark.parametrize("text", ["", "a", "scatter.png", "a\nb" * 100_000])
def test_a_text_goes_in_whole(text):
    assert describe(text, 200) == text


@given(st.text(max_size=300), st.integers(100, 300))
def test_a_clipped_text_keeps_its_ends_and_counts_what_it_left_out(text, chars):
    short = clipped(text, chars)
    if len(text) <= chars:
        assert short == text
        return
    assert len(short) <= chars
    head, _, rest = short.partition("\n… ")
    count, _, tail = rest.partition(" characters left out …\n")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + int(count.replace(",", "")) + len(tail) == len(text)


# Nested values


@dataclasses.dataclass
class Record:
    name: str
    numbers: list
    hidden: int = dataclasses.field(default=0, repr=False)


@dataclasses.dataclass
class WithRepr:
    name: str

    def __repr__(self) -> str:
        return "my own"


class Point(NamedTuple):
    x: int
    y: int


class Sub(list):
    pass


SMALL = [
    *(None, True, 5, -1.5, math.inf, 2j, ..., [], {}, (), set(), frozenset(), [1], (1,), (1, "a"), {"a": [1, {2}]}),
    *(
        {1: 2, "b": None},
        {3},
        frozenset({3}),
        range(9),
        Point(1, 2),
        Record("a", [1]),
        WithRepr("a"),
    ),
    *(collections.Counter("a"), collections.deque([1, 2]), types.SimpleNamespace(a=1)),
    *([[]], [()], {"a": {}}, Record("a", [])),
]


@pytest.mark.parametrize("value", SMALL, ids=repr)
def test_a_small_value_is_written_as_python_writes_it(value):
    assert describe(value) == repr(value)


class Colour(enum.Enum):
    RED = 1


class Temperature(float):
    def __repr__(self) -> str:
        return f"{float(self)} °C"


class Score:
    def __init__(self, value) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Score({self.value!r})"


class Wrapped(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return f"Wrapped({str.__repr__(self)})"


class Said:
    def __str__(self) -> str:
        return "what it says"


UTC = dt.timezone.utc
AS_WRITTEN = [  # a value, and how a reader writes it
    (np.float64(2), "2.0"),
    (np.float32(0.1), "0.1"),
    (np.float16(0.1), "0.1"),
    (np.longdouble(1.5), "1.5"),
    (np.float64("nan"), "nan"),
    (np.int64(3), "3"),
    (np.uint8(255), "255"),
    (np.True_, "True"),
    (np.complex128(1 + 2j), "(1+2j)"),
    (decimal.Decimal("1.50"), "1.50"),
    (fractions.Fraction(1, 3), "1/3"),
    (Temperature(20), "20.0 °C"),
    (pd.NA, "<NA>"),
    (pd.NaT, "NaT"),
    (np.datetime64("NaT"), "NaT"),
    (pd.Interval(0, 1), "(0, 1]"),
    (Colour.RED, "Colour.RED"),
]
AS_TEXT = [  # the same; within a container it stands in quotes, as other text does
    (np.datetime64("2026-01-02"), "2026-01-02"),
    (np.datetime64("2026-01-02T03:04"), "2026-01-02T03:04"),
    (np.timedelta64(5, "D"), "5 days"),
    (np.str_("a"), "a"),
    (pd.Timestamp("2026-01-02 03:04", tz="UTC"), "2026-01-02T03:04:00+00:00"),
    (pd.Timedelta("1D"), "1 days 00:00:00"),
    (pd.Period("2026-01"), "2026-01"),
    (pd.Series(["a", "b"], dtype="category")[1], "b"),
    (dt.date(2026, 1, 2), "2026-01-02"),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
    (dt.time(3, 4), "03:04:00"),
    (dt.timedelta(days=1), "1 day, 0:00:00"),
    (UTC, "UTC"),
    (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (pathlib.PurePosixPath("data/a, b.csv"), "data/a, b.csv"),
]
WITHIN = [
    lambda value, text: ([value], f"[{text}]"),
    lambda value, text: ((value,), f"({text},)"),
    lambda value, text: ({"a": value}, f"{{'a': {text}}}"),
    lambda value, text: ({value: 1}, f"{{{text}: 1}}"),
    lambda value, text: ({value}, f"{{{text}}}"),
    lambda value, text: (Record("a", [value]), f"Record(name='a', numbers=[{text}])"),
    lambda value, text: (Point(value, 1), f"Point(x={text}, y=1)"),
    lambda value, text: (collections.deque([value]), f"deque([{text}])"),
    lambda value, text: (collections.Counter([value]), f"Counter({{{text}: 1}})"),
    lambda value, text: (collections.defaultdict(list, a=[value]), f"defaultdict({{'a': [{text}]}})"),
    lambda value, text: (collections.OrderedDict(a=value), f"OrderedDict({{'a': {text}}})"),
    lambda value, text: (types.MappingProxyType({"a": value}), f"mappingproxy({{'a': {text}}})"),
    lambda value, text: ({"a": value}.items(), f"dict_items([('a', {text})])"),
    lambda value, text: (np.array([None, value], object), f"array of shape (2,), object\n[None, {text}]"),
]


@pytest.mark.parametrize(("value", "text"), [*AS_WRITTEN, *AS_TEXT], ids=lambda v: f"{type(v).__name__} {v!r}")
def test_a_number_a_date_or_a_name_goes_in_as_a_reader_writes_it(value, text):
    assert describe(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [*AS_WRITTEN, *((v, repr(t)) for v, t in AS_TEXT)], ids=lambda v: f"{type(v).__name__} {v!r}"
)
@pytest.mark.parametrize("within", WITHIN, ids=lambda w: type(w(1, "1")[0]).__name__)
def test_it_does_so_within_other_values_as_well(within, value, text):
    holder, expected = within(value, text)
    assert describe(holder) == expected


class Tensor0:
    """As torch's, of one number."""

    shape, dtype = (), "float32"

    def __array__(self, dtype=None, copy=None):
        return np.asarray(1.5, dtype)

    def __repr__(self) -> str:
        return "tensor(1.5000)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(np.array(1.5), "1.5"), (np.array(None), "None"), (np.void((1, 2.0), "i4,f8"), "(1, 2.)"), (Tensor0(), "1.5")],
)
def test_an_array_of_one_number_is_that_number(value, text):
    assert describe(value) == text
    assert describe([value]) == f"[{text}]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Score(np.float64(2)), "Score(2.0)"),
        ([Score(np.float64(2))], "[Score(2.0)]"),
        (types.SimpleNamespace(a=np.int64(2), b=[np.True_]), "namespace(a=2, b=[True])"),
        (KeyError(np.int64(5)), "KeyError: 5"),
        (Said(), "what it says"),
        ([np.str_("")], "['']"),
        ([Wrapped("a")], "[Wrapped('a')]"),
        (
            np.array([{"a": {"b": {"c": "d" * 90}}}, None], object),
            "array of shape (2,), object\n[{'a': {'b': {'c': 'ddd",
        ),
        (collections.Counter("abbccc"), "Counter({'c': 3, 'b': 2, 'a': 1})"),
    ],
    ids=lambda value: repr(value).partition(" object at ")[0],
)
def test_what_says_itself_what_it_is_has_its_numbers_as_a_reader_writes_them(value, text):
    assert describe(value).startswith(text)


def test_how_numpy_writes_its_numbers_stays_as_it_was():
    before = repr(np.float64(2)), np.get_printoptions()
    describe([np.float64(2)])
    assert (repr(np.float64(2)), np.get_printoptions()) == before


def test_a_column_is_called_as_a_reader_writes_its_name():
    rows = pd.DataFrame({"a": [1.5, 2]}, index=pd.DatetimeIndex(["2026-01-01", "2026-01-02"]))
    assert describe(rows.iloc[0]).startswith("Series '2026-01-01T00:00:00', 1 element, ")
    assert describe(pd.Series([1], name=np.int64(3))).startswith("Series 3, 1 element, ")
    assert describe(pd.Series([1], name=("a", np.int64(3)))).startswith("Series ('a', 3), 1 element, ")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=20,
)


# A set of the same elements may be written in another order.
@given(values.filter(lambda v: not isinstance(v, str | bytes) and "frozenset" not in repr(v)))
def test_what_fits_is_python_that_gives_the_value_again(value):
    again = eval(describe(value), {"nan": math.nan, "inf": math.inf})  # noqa: S307  # of what Hypothesis made
    assert repr(again) == repr(value)


@given(values, st.integers(200, 400))
def test_the_budget_is_kept(value, chars):
    assert isinstance(value, str) or len(describe([value] * 30, chars)) <= chars


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (list(range(100_000)), ["[\n 0, 1, 2", "more of 100,000"]),
        ({n: str(n) for n in range(5000)}, ["0: '0'", "more of 5,000"]),
        ({"a": [1] * 5000, "b": "x" * 9000}, ["'a': [", "more of 5,000", "'b': 'xxx", "more characters)"]),
        (set(range(5000)), ["more of 5,000"]),
        (Record("a", list(range(5000))), ["Record(", "name='a'", "more of 5,000"]),
        ([Record("a", list(range(50)))] * 50, ["Record(", "more of 50"]),
        (dict.fromkeys(range(5000)).keys(), ["dict_keys([", "more of 5,000"]),
        (b"\x00" * 5000, ["5,000 bytes: b'\\x00", "bytes left out"]),
        (memoryview(b"a" * 5000), ["5,000 bytes: b'a"]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_what_is_too_long_is_shortened_and_counted(value, words):
    text = describe(value, 500)
    assert len(text) <= 500
    for word in words:
        assert word in text


def test_what_holds_itself_ends():
    loop: list = [1]
    loop.append(loop)
    assert describe(loop) == "[1, <list again>]"


def test_what_is_very_deep_ends():
    deep: list = []
    for _ in range(500):
        deep = [deep]
    assert "…" in describe(deep)


def test_tables_and_arrays_in_a_list_are_named():
    value = {"a": np.zeros((3, 4)), "b": pd.DataFrame({"x": [1, 2]})}
    assert describe(value) == "{'a': <ndarray of 3 × 4, float64>, 'b': <DataFrame of 2 × 1>}"


def test_an_iterator_is_not_consumed():
    numbers = (n for n in range(3))
    assert "generator" in describe(numbers)
    assert list(numbers) == [0, 1, 2]


class Raises:
    def __repr__(self) -> str:
        msg = "no\nrepr"
        raise RuntimeError(msg)


@pytest.mark.parametrize("value", [Raises(), [Raises()], {"a": Raises()}])
def test_a_repr_that_fails_is_an_error(value):
    with pytest.raises(
        MediaError, match=r"cannot be shown as text \(RuntimeError: no repr\); nothing was sent"
    ) as raised:
        describe(value)
    assert raised.value.hint


# Arrays


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.arange(5), "array of shape (5,), int64\n[0, 1, 2, 3, 4]"),
        (np.array(["a", "b"]), "array of shape (2,), <U1\n['a', 'b']"),
        (np.zeros((0, 3)), "array of shape (0, 3), float64\n[]"),
        (np.arange(100.0), "array of shape (100,), float64; min 0, mean 49.5, max 99\n"),
        (np.arange(100) > 9, "array of shape (100,), bool; 90 of 100 true\n"),
        (np.array([np.nan, np.inf, *range(99)]), "min 0, mean 49, max 98; 2 of 101 NaN or infinite\n"),
        (np.full(50, np.nan), "array of shape (50,), float64; 50 of 50 NaN or infinite\n"),
        (np.full(50, 3 + 4j), "min 5, mean 5, max 5 of the magnitudes\n"),
        (np.arange(50).astype("M8[D]"), "datetime64[D]; from 1970-01-01 to 1970-02-19\n"),
        (np.zeros((4, 9, 9, 3)), "min 0, mean 0, max 0; not one picture, so in numbers\n"),
        (np.full(50, 250, np.uint8), "min 250, mean 250, max 250\n"),
        (np.full(50, 6e4, np.float16), "min 60000, mean 60000, max 60000\n"),
    ],
)
def test_an_array_is_its_shape_type_range_and_elements(array, words):
    assert words in describe(array)


def test_of_a_large_array_the_corners_are_shown():
    text = describe(np.arange(1_000_000).reshape(1000, 1000), 500)
    assert len(text) <= 500
    assert "min 0, mean 500000, max 999999" in text
    assert all(str(corner) in text for corner in (0, 999, 999_000, 999_999))
    assert "..." in text


class Tensor:
    shape, dtype = (3,), "bfloat16"

    def __array__(self, dtype=None, copy=None):
        msg = "unsupported"
        raise TypeError(msg)

    def __repr__(self) -> str:
        return "tensor([1, 2, 3])"


def test_an_array_that_numpy_cannot_read_says_itself_what_it_is():
    assert describe(Tensor()) == "tensor([1, 2, 3])"


# Tables


def test_a_small_table_is_whole():
    frame = pd.DataFrame({"name": ["a", "b"], "n": [1.5, None]})
    text = describe(frame)
    assert text.startswith("DataFrame, 2 rows × 2 columns\n")
    assert "- n: float64, 1 missing" in text
    assert text.endswith(f"\n\n{frame.to_string()}")


@pytest.mark.parametrize("chars", [500, 1500, 4000])
def test_of_a_long_table_the_ends_are_shown(chars):
    frame = pd.DataFrame({"n": range(10_000), "word": ["x" * 500] * 10_000})
    text = describe(frame, chars)
    assert len(text) <= chars
    assert text.startswith("DataFrame, 10,000 rows × 2 columns\n")
    assert "\n9999 " in text
    assert "rows in the middle left out" in text
    assert ("\n\nSummary of all 10,000 rows:\n\n" in text) == ("mean" in text) == (chars > 500)


WHOLE = {
    "describe": pd.DataFrame({"a": range(60), "b": range(60)}).describe(),
    "describe of a column": pd.Series(range(60)).describe(),
    "value_counts": pd.Series(["a", "b", "b"]).value_counts(),
    "groupby": pd.DataFrame({"a": [1, 1, 2], "b": [1.0, 2, 3]}).groupby("a").mean(),
    "corr": pd.DataFrame({"a": [1, 1, 2], "b": [1.0, 2, 3]}).corr(),
    "60 rows": pd.DataFrame({"a": range(60), "b": range(60)}),
    "long words": pd.DataFrame({"a": ["x" * 500] * 3}),
}


@pytest.mark.parametrize("table", WHOLE.values(), ids=WHOLE)
def test_a_table_that_is_shown_whole_has_no_summary(table):
    text = describe(table)
    assert "left out" not in text
    assert "Summary" not in text
    assert text.count("mean") == table.to_string().count("mean")
    assert text.count("\n\n") <= 2  # the head, the columns, the rows


def test_of_few_rows_there_is_no_summary_even_where_some_are_left_out():
    table = pd.DataFrame(np.random.default_rng(7).normal(size=(60, 8)), columns=list("abcdefgh")).describe()
    for chars in range(300, 1500, 50):
        assert "Summary" not in describe(table, chars)


def test_a_long_column_has_a_summary_that_says_what_it_is():
    text = describe(pd.Series(range(10_000), name="weight"))
    assert "elements in the middle left out\n\nSummary of all 10,000 elements:\n\n" in text
    assert "4999.5" in text


@pytest.mark.parametrize("chars", [1000, 4000])
def test_of_a_wide_table_the_outer_columns_are_shown(chars):
    frame = pd.DataFrame(np.zeros((3, 200)), columns=[f"column {n}" for n in range(200)])
    text = describe(frame, chars)
    assert len(text) <= chars
    assert "3 rows × 200 columns" in text
    assert "more columns" in text
    assert "columns in the middle left out" in text
    assert "column 199" in text


ODD_TABLES = {
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": []}),
    "no columns": pd.DataFrame(index=range(3)),
    "columns of one name": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "several levels": pd.DataFrame(
        np.zeros((2, 2)),
        columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]),
        index=pd.MultiIndex.from_tuples([(1, 2), (3, 4)]),
    ),
    "lists in it": pd.DataFrame({"a": [[1], [2]]}),
    "categories and dates": pd.DataFrame({"c": pd.Categorical(["a"]), "d": [pd.Timestamp(2026, 1, 1)]}),
    "names that are no text": pd.DataFrame({5: [1], None: [2], (1, 2): [3]}),
    "complex": pd.DataFrame({"a": [1j, 2j]}),
}


@pytest.mark.parametrize("frame", ODD_TABLES.values(), ids=ODD_TABLES)
def test_an_odd_table_is_shown_as_well(frame):
    assert f"{frame.shape[1]:,} column" in describe(frame)


def test_a_column_is_shown_with_its_name_and_type():
    series = pd.Series([1.5, None, 3], name="weight")
    text = describe(series)
    assert text.startswith("Series 'weight', 3 elements, float64, 1 missing\n")
    assert text.endswith("0     1.5\n1     NaN\n2     3.0")
    assert describe(pd.Series(range(10_000)), 400).count("\n") < 40


def test_a_table_of_polars_has_all_its_columns_and_rows():
    text = describe(pl.DataFrame({f"c{n}": [n, None, *range(100, 110)] for n in range(12)}))
    assert text.startswith("DataFrame, 12 rows × 12 columns\n\n- c0: Int64, 1 missing\n")
    assert re.search(r"\bc5 +c6 +c7\b", text)
    assert text.count("109") == 12
    assert "…" not in text
    assert " \n" not in text


def test_of_a_long_table_of_polars_the_ends_are_shown():
    text = describe(pl.DataFrame({"n": list(range(10_000)), "m": list(range(10_000))}))
    assert len(text) <= 4000
    assert "9999" in text
    assert "rows in the middle left out\n\nSummary of all 10,000 rows:\n\n" in text
    assert "4999.5" in text


def test_a_column_of_polars_is_shown_with_its_name_and_type():
    text = describe(pl.Series("n", [1, None, 3]))
    assert text.startswith("Series 'n', 3 elements, Int64, 1 missing\n")
    assert describe([pl.DataFrame({"a": [1]})]) == "[<DataFrame of 1 × 1>]"


# What is left out

LONG = "a long text of some words " * 20


MIXED = np.empty(3, dtype=object)
MIXED[:] = [LONG, [*range(1_000)], None]


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (pd.DataFrame({"n": range(5_000), "m": range(5_000)}), "4,970 rows in the middle"),
        (
            pd.DataFrame({f"c{n}": range(2) for n in range(500)}),
            "480 columns in the middle and the types of 440 columns",
        ),
        (pd.DataFrame({f"c{n}": range(2) for n in range(90)}), "the types of 30 columns"),
        (pd.DataFrame(columns=[f"c{n}" for n in range(90)]), "the types of 30 columns"),
        (pd.DataFrame({"text": [LONG] * 5, "n": range(5)}), ""),
        (pd.DataFrame({"text": [LONG] * 20}), "parts of 20 cells"),
        (
            pd.DataFrame({"text": [LONG] * 500}),
            "470 rows in the middle and parts of 30 cells",
        ),
        (pd.DataFrame({"text": ["a\tb\n" * 30] * 40, "n": 1.5}), "parts of 40 cells"),
        (pd.DataFrame({"mixed": [LONG, 1.5] * 20}), "parts of 20 cells"),
        (pd.DataFrame({"list": [[*range(100)]] * 20}), "parts of 20 cells"),
        (pd.DataFrame({"list": [[*range(150)]]}), ""),
        (pd.DataFrame({"array": [np.arange(2_000)]}), "parts of 1 cell"),
        (pd.DataFrame({"array": [np.arange(200)]}), ""),
        (pd.DataFrame({"table": [pd.DataFrame({"a": [1]})]}), "parts of 1 cell"),
        (pd.DataFrame({"n": range(40)}, index=[LONG] * 40), "parts of 40 cells"),
        (
            pd.DataFrame({"n": range(40)}, index=pd.MultiIndex.from_product([[LONG], range(40)])),
            "parts of 40 cells",
        ),
        (pd.DataFrame(), ""),
        (pd.Series(range(10_000)), "9,970 elements in the middle"),
        (pd.Index(range(0, 20_000, 2), name="even"), "9,970 elements in the middle"),
        (pd.Categorical(["a", "b"] * 1_000), "1,970 elements in the middle"),
        (pd.array([1, None] * 5_000), "9,970 elements in the middle"),
        (pd.MultiIndex.from_product([range(1_000), list("abc")], names=["a", None]), "2,970 elements in the middle"),
        (
            pd.DataFrame({f"c{n}": ["a" if n != 10 else "z" * 9_000] * 3 for n in range(800)}),
            "780 columns in the middle and the types of 740 columns",
        ),
        (pd.DataFrame({"a": [1]}, index=pd.Index([frozenset(range(3_000))])), "parts of 1 cell"),
        (pd.DataFrame({"a": ["b"]}, index=pd.Index([1], name="n" * 9_000)), "parts of 1 cell"),
        (pl.DataFrame({"statistic": range(5_000)}), "4,970 rows in the middle"),
        (
            pl.DataFrame({f"c{n}": [n] for n in range(3_000)}),
            "2,980 columns in the middle and the types of 2,940 columns",
        ),
        (np.zeros((2,) * 16), "65,536 elements but the first few"),
        (pd.date_range("2026", periods=10_000), "9,970 elements in the middle"),
        (pl.DataFrame({"n": range(5_000)}), "4,970 rows in the middle"),
        (pl.DataFrame({"text": [LONG] * 5}), ""),
        (pl.DataFrame({"text": [LONG] * 20, "n": range(20)}), "parts of 20 cells"),
        (pl.DataFrame({"list": [[*range(100)]] * 20}), "parts of 20 cells"),
        (pl.DataFrame({"list": [[*range(100)]] * 3, "record": [{"a": LONG}] * 3}), ""),
        (pl.DataFrame({"bytes": [b"a" * 900] * 20}), "parts of 20 cells"),
        (pl.DataFrame({"a" * 5_000: [1.5]}), "parts of 1 cell"),
        (pl.DataFrame({"date": [dt.date(2026, 1, 1)] * 20, "n": 1.25}), ""),
        (np.arange(100_000), "99,988 elements in the middle"),
        (np.zeros((2, 50_000), int), "99,976 elements in the middle"),
        (np.arange(30), ""),
        (MIXED, "parts of 2 elements"),
        (np.zeros(2, dtype=[("x", "f8", (1_000,))]), "the middle of arrays in it"),
        ([*range(10_000)], "9,261 items"),
        ({"a": [*range(1_000)] * 2, "b": [*range(2_000)]}, "3,262 items"),
        ({"a": "x" * 5_000}, "4,000 characters"),
        ([{}] * 5_000, "4,100 items"),
        ([np.arange(5), pd.DataFrame({"a": [1]})], "the elements of 2 inner tables in it (attach each alone: -a NAME)"),
        ([np.zeros(0)], ""),
        (functools.reduce(lambda inner, _: [inner], range(20), 1), "1 container deeper than 12 levels"),
        (b"a" * 5_000, "4,020 bytes"),
        (memoryview(np.zeros((3_000, 3), np.uint8)), "8,020 bytes"),
        (functools.partial(int, "1" * 5_000), "characters in the middle"),
        ("x" * 100_000, ""),
        (3.5, ""),
    ],
)
def test_what_is_left_out_is_said(value, cut):
    found = shown(value)
    assert found.cut.endswith(cut) if cut else not found.cut
    assert found.text == describe(value)
    assert len(found.text) <= 4_000 or isinstance(value, str)


GROUPS = getattr(builtins, "ExceptionGroup", None)  # from Python 3.11 on


def grouped(count: int) -> Exception:
    """Return so many errors as one."""
    return GROUPS("all", [*map(ValueError, range(count))]) if GROUPS else ValueError()


def fail(levels: int) -> None:
    """Raise an error, so many levels deep."""
    if not levels:
        raise ZeroDivisionError
    fail(levels - 1)


def deep(levels: int) -> Exception:
    """Return an error that was raised so many levels deep."""
    with pytest.raises(ZeroDivisionError) as caught:
        fail(levels)
    return caught.value


def chain(length: int) -> Exception:
    """Return an error that so many others led to."""
    error = ValueError(0)
    for n in range(1, length):
        later = ValueError(n)
        later.__cause__ = error
        error = later
    return error


@pytest.mark.parametrize(
    ("error", "cut"),
    [
        (deep(3), ""),
        (deep(20), "14 frames of your code"),
        (chain(4), ""),
        (chain(5), "what led to its first exception"),
        (grouped(4), ""),
        (grouped(6), "2 exceptions of a group" if GROUPS else ""),
    ],
)
def test_what_a_traceback_leaves_out_is_said_and_no_setting_takes_it(error, cut):
    found = shown(error)
    assert found.cut == cut
    assert not (cut and found.more)


def test_a_larger_bound_does_not_take_the_inside_of_what_has_its_shape_alone():
    values = [np.arange(5)], [*range(10_000)], [np.arange(5), *range(10_000)]
    assert [shown(value).more for value in values] == [False, True, True]


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"tables": [pd.DataFrame({"a": [1]})] * 3}),
        np.array([pd.DataFrame({"a": [1]}), None], dtype=object),
        pd.DataFrame({"arrays": [np.array([pd.DataFrame({"a": [1]}), None], dtype=object)] * 3}),
        functools.reduce(lambda inner, _: [inner], range(20), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_bound_takes_what_none_would_take(value):
    found = shown(value)
    assert found.cut
    assert not found.more
    assert shown(value, 400_000) == found


def test_a_table_stays_as_it_is_and_nothing_is_warned_of(recwarn):
    labels = [LONG + str(n) for n in range(90)]
    table = pd.DataFrame({"a": range(90), LONG: pd.arrays.SparseArray([0, 0, 1] * 30)}, index=labels)
    table = table.set_flags(allows_duplicate_labels=False)
    before = table.copy()
    for chars in (200, 1_000, 4_000, 40_000):
        shown(table, chars)
    pd.testing.assert_frame_equal(table, before)
    assert table.flags.allows_duplicate_labels is False
    assert not recwarn.list


def test_names_of_columns_that_are_equal_when_they_are_short_are_told_apart():
    text = shown(pl.DataFrame({"n" * 100 + str(n): [n] for n in range(4)}), 1_000).text
    assert all(f"({n}) nnn" in text for n in (1, 2, 3))


@pytest.mark.parametrize("chars", [4_000, 400_000, 4_000_000])
def test_no_value_of_a_wide_table_of_polars_is_broken(chars):
    names = [f"column_number_{n:06}_of_this_big_frame" for n in range(1_800)]
    found = shown(pl.DataFrame([dict.fromkeys(names, 123456789)]), chars)
    assert "columns in the middle" in found.cut
    drawn = found.text.splitlines()[-2].split()
    assert set(drawn) == {"123456789", "…"}


@pytest.mark.parametrize("chars", [1_000, 2_000, 8_000, 40_000])
@pytest.mark.parametrize("value", [{n: [n] * 50 for n in range(100)}, [[0] * 1_000] * 1_000, [{"a": [1, 2]}] * 9_000])
def test_twice_the_bound_takes_more_of_nested_values(value, chars):
    here, twice = shown(value, chars), shown(value, 2 * chars)
    assert len(twice.text) > len(here.text) or not here.cut
    assert len(here.text) > chars / 2 or not here.cut


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"n": range(50_000), "m": range(50_000), "text": "word"}),
        pd.DataFrame({f"c{n}": range(30) for n in range(2_000)}),
        pd.DataFrame({"text": ["word " * 20_000] * 20}),
        pd.Index(range(10**6)),
        pl.DataFrame({"n": range(50_000)}),
        pl.DataFrame({f"c{n}": range(30) for n in range(2_000)}),
        pl.DataFrame({"list": [[*range(50_000)]] * 20}),
        np.arange(10**6),
        np.zeros((1_000, 1_000)),
        np.array([LONG] * 10_000, dtype=object),
        [*range(10**6)],
        [{}] * 10**6,
        [[[n] * 50 for n in range(50)] for _ in range(50)],
        {f"key {n}": {"text": LONG, "list": [*range(100)]} for n in range(1_000)},
        b"a" * 10**6,
        types.SimpleNamespace(a=[*range(100_000)]),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("chars", [1_000, 4_000, 40_000])
def test_a_bound_of_ten_times_as_much_takes_more_where_it_is_said_to(value, chars):
    here, more = shown(value, chars), shown(value, 10 * chars)
    assert here.cut
    assert here.more
    assert len(here.text) <= chars
    assert len(more.text) > 1.4 * len(here.text)


CELLS = (
    st.text('ab \n\t"é', max_size=120)
    | st.lists(st.integers(0, 99), max_size=150)
    | st.integers(-(2**60), 2**60)
    | st.binary(max_size=99)
)
TABLES = st.lists(st.tuples(CELLS, st.text("ab ", max_size=120)), min_size=1, max_size=40)


@given(
    st.one_of(
        st.recursive(
            st.integers() | st.text(max_size=300),
            lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
            max_leaves=60,
        ),
        TABLES.map(lambda rows: pd.DataFrame([r[:1] for r in rows], columns=["n"], index=[r[1] for r in rows])),
        TABLES.map(lambda rows: pl.DataFrame({"n": pl.Series([r[0] for r in rows], dtype=pl.Object)})),
        st.lists(st.lists(st.integers(0, 9**9), max_size=50), max_size=30).map(
            lambda lists: pl.DataFrame({"n": lists})
        ),
        st.lists(CELLS, max_size=30).map(lambda cells: pd.Series(cells, dtype=object).to_numpy()),
        st.integers(1, 400).map(np.arange),
        st.integers(1, 3_000).map(lambda n: [*range(n)]),
    )
)
def test_a_value_is_cut_where_more_room_would_show_more_of_it(value):
    here, tenfold, whole = shown(value, 1_000), shown(value, 10_000), shown(value, 1_000_000)
    assert not whole.cut
    assert bool(here.cut) == (here.text != whole.text)
    assert not (here.cut and here.more) or len(tenfold.text) > len(here.text)


# Code


def double(number):
    """Twice it."""
    return number * 2


class Doubler:
    def double(self, number):
        return double(number)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (double, 'def double(number):\n    """Twice it."""\n    return number * 2'),
        (Doubler, "class Doubler:\n    def double(self, number):"),
        (Doubler().double, "def double(self, number):\n    return double(number)"),
        (functools.partial(double, 5), "functools.partial("),
        (len, "len(obj, /)\n\nReturn the number of items"),
        (int, "class"),
        (math, "module math\n\nThis module provides access to the mathematical functions"),
        (np, f"module numpy, version {np.__version__}"),
    ],
)
def test_code_is_its_source_or_says_what_it_is(value, words):
    assert words in describe(value)


CELL = """
import dataclasses

def outer():
    return 1

@dataclasses.dataclass
class Thing:
    n: int
    def grow(self):
        return self.n + 1
"""


def test_what_was_defined_in_a_cell_has_a_source_too():
    with shell_of() as shell:
        shell.run_cell(CELL).raise_error()
        texts = [describe(shell.user_ns[name]) for name in ("outer", "Thing")]
    assert texts[0] == "def outer():\n    return 1"
    assert texts[1] == CELL[CELL.index("@dataclasses") :].strip()


def test_a_long_source_is_clipped():
    assert "characters left out" in describe(st.lists, 300)
    assert len(describe(st.lists, 300)) <= 300


# Exceptions


def raised(function) -> Exception:
    try:
        function()
    except Exception as e:  # noqa: BLE001  # whatever it is
        return e
    pytest.fail("nothing was raised")


def divide():
    nothing = 0
    return 1 / nothing


def translate():
    try:
        divide()
    except ZeroDivisionError as e:
        msg = "no result"
        raise KeyError(msg) from e


def test_an_exception_is_its_words_and_the_users_lines():
    text = describe(raised(divide))
    assert text.endswith("ZeroDivisionError: division by zero")
    assert "test_values.py, line" in text
    assert "in divide:" in text
    assert "    nothing = 0\n" in text
    assert "-> " in text


def test_what_an_exception_was_raised_from_comes_first():
    text = describe(raised(translate))
    first, last = text.split("\n\nand then:\n\n")
    assert first.endswith("ZeroDivisionError: division by zero")
    assert last.endswith("KeyError: 'no result'")


def test_the_frames_of_a_library_are_left_out_but_the_last():
    text = describe(raised(lambda: pd.DataFrame({"a": [1]})["b"]))
    assert "more frame" in text
    assert "in <lambda>:" in text
    assert text.endswith("KeyError: 'b'")
    assert text.count("pandas") < 10


def test_an_exception_that_was_never_raised_is_its_words():
    assert describe(ValueError("no")) == "ValueError: no"


def test_a_cell_is_called_one():
    with shell_of() as shell:
        error = shell.run_cell("def f():\n    return 1 / 0\n\nf()").error_in_exec
    text = describe(error)
    assert "in f:" in text
    assert "->    2     return 1 / 0" in text
    assert "IPython" not in text


def test_an_endless_recursion_is_short():
    def forever():
        return forever()

    text = describe(raised(forever))
    assert "more frames" in text
    assert len(text) < 4000
    assert "RecursionError" in text
