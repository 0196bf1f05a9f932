from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from dateutil.tz import tzlocal
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.usage import BY, LedgerEntry, Price, UsageReport, cost
from xcyq_magic.display.metrics import usage_bundle

PRICES = {"a": Price(1, 10), "b": Price(0.5, 2, 0.1)}
COUNTS = st.one_of(st.none(), st.integers(0, 10**6))
SECONDS = st.integers(1, 600_000).map(lambda ms: ms / 1000)
ENTRIES = st.lists(
    st.builds(
        LedgerEntry,
        id=st.uuids().map(str),
        asked_at=st.integers(0, 3 * 86_400).map(lambda s: 1.7e9 + s),
        kernel=st.just("k"),
        notebook=st.sampled_from(["/a/x.ipynb", "/b/x.ipynb", None]),
        kind=st.sampled_from(["turn", "row"]),
        model=st.sampled_from("abc"),
        answered_by=st.sampled_from("abc"),
        prompt_tokens=COUNTS,
        completion_tokens=COUNTS,
        cached_tokens=COUNTS,
        reasoning_tokens=COUNTS,
        cost=st.one_of(st.none(), st.floats(0, 100)),
        estimate=st.none(),
        first_token_s=st.one_of(st.none(), SECONDS),
        duration_s=SECONDS,
        ended=st.just("done"),
    )
)


@given(ENTRIES, st.sampled_from(BY))
def test_the_sums_are_those_of_pandas(entries, by):
    frame = UsageReport.of_entries("all", entries, PRICES.get, by=by).to_frame()
    rows = pd.DataFrame(entries, columns=LedgerEntry._fields)
    days = pd.to_datetime(rows.asked_at, unit="s", utc=True).dt.tz_convert(tzlocal()).dt.strftime("%Y-%m-%d")
    keys = {"day": days, "notebook": rows.notebook.fillna("no notebook")}.get(by, rows.get(by))
    groups = rows.groupby(keys)
    assert set(frame.index) == set(groups.groups)
    assert frame.index.name == by
    for name, group in groups:
        mine = frame.loc[name]
        assert mine.requests == len(group)
        for field in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"):
            assert mine[field] == group[field].fillna(0).sum()
        assert mine.duration_s == pytest.approx(group.duration_s.sum())
        assert mine.first_token_s == pytest.approx(group.first_token_s.astype(float).mean(), nan_ok=True)
        then = [e.cost if e.cost is not None else cost(e, PRICES.get(e.model)) for e in entries if e.id in {*group.id}]
        known = [c for c in then if c is not None]
        assert mine.cost == pytest.approx(sum(known) if known else float("nan"), nan_ok=True)


@given(ENTRIES, st.sampled_from(BY))
def test_the_total_is_the_sum_of_the_rows(entries, by):
    report = UsageReport.of_entries("all", entries, PRICES.get, by=by)
    for name in ("requests", "counted", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"):
        assert getattr(report.total, name) == sum(getattr(row, name) for row in report.rows)
    known = [row.cost for row in report.rows if row.cost is not None]
    assert report.total.cost == (pytest.approx(sum(known)) if known else None)
    unpriced = {e.model for e in entries if e.counted and e.cost_at(PRICES.get) is None}
    assert set(report.unpriced) == unpriced


def test_what_cost_something_then_costs_the_same_when_prices_change():
    entries = [LedgerEntry(str(n), 0.0, "", None, "turn", "a", "a", 10, 1, cost=c) for n, c in enumerate((5.0, None))]
    assert UsageReport.of_entries("all", entries, {"a": Price(1e6, 0)}.get).total.cost == 15.0
    assert UsageReport.of_entries("all", entries, {}.get).total.cost == 5.0


def test_days_are_in_their_order_and_notebooks_of_one_name_are_told_apart():
    def entry(n: int, day: int, notebook: str) -> LedgerEntry:
        return LedgerEntry(str(n), 1.7e9 + day * 86_400, "", notebook, "turn", "a", "a", 10 * n, 1, ended="done")

    entries = [entry(1, 2, "/a/x.ipynb"), entry(2, 0, "/b/x.ipynb"), entry(3, 1, "/b/other.ipynb")]
    days = [row.name for row in UsageReport.of_entries("all", entries, {}.get, by="day").rows]
    assert days == sorted(days)
    shown = usage_bundle(UsageReport.of_entries("all", entries, {}.get, by="notebook"))["text/plain"]
    names = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("| ")]
    assert names == ["all", "other.ipynb", "/b/x.ipynb", "/a/x.ipynb", "in all"]


@pytest.mark.parametrize(
    ("unknown", "said"), [(1, "1 request was on its way when its"), (2, "2 requests were on their way")]
)
def test_what_was_on_its_way_is_said_to_be_unknown(unknown, said):
    entry = LedgerEntry("1", 0.0, "", None, "turn", "a", "a", 10, 1, ended="done")
    for entries in ([], [entry]):
        shown = usage_bundle(UsageReport.of_entries("all", entries, {}.get, unknown=unknown))
        assert said in shown["text/plain"]
        assert said in shown["text/html"]


@pytest.mark.parametrize("what", ["a comparison", "what was spent"])
def test_without_pandas_a_table_says_what_to_type(what):
    """In an interpreter that has no pandas: importing it fails as it does there."""
    code = f"""
import sys
sys.modules["pandas"] = None
from xcyq_magic.chat.comparison import Comparison
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.usage import UsageReport
from xcyq_magic.errors import InputError
spent = UsageReport.of_entries("all", [], lambda _: None)
try:
    ({{"a comparison": Comparison(Message.of("user", "a"), ()), "what was spent": spent}}[{what!r}]).to_frame()
except InputError as e:
    print(e)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == (
        "A table needs pandas, which is not installed here.\nType %pip install pandas and run the cell again.\n"
    )
