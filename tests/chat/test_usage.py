from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.usage import Price, ReplyUsage, UsageReport

PRICES = {"a": Price(1, 10), "b": Price(0.5, 2)}
COUNTS = st.one_of(st.none(), st.integers(0, 10**6))
SECONDS = st.integers(1, 600_000).map(lambda ms: ms / 1000)


@st.composite
def replies(draw):
    each = draw(st.lists(st.tuples(st.sampled_from("abc"), COUNTS, COUNTS, st.one_of(st.none(), SECONDS), SECONDS)))
    usages = [None if i is None and o is None else Usage(i, o) for _, i, o, _, _ in each]
    return [ReplyUsage(m, u, first, s, m) for (m, _, _, first, s), u in zip(each, usages, strict=True)]


@given(replies())
def test_the_sums_are_those_of_pandas(spent):
    frame = UsageReport.from_replies("main", spent, PRICES.get).to_frame()
    rows = pd.DataFrame(
        [
            (s.model, u.prompt_tokens if u else None, u.completion_tokens if u else None, s.first_token_s, s.duration_s)
            for s in dict.fromkeys(spent)
            for u in [s.usage]
        ],
        columns=["model", "prompt_tokens", "completion_tokens", "first_token_s", "duration_s"],
    ).astype({"prompt_tokens": float, "completion_tokens": float, "first_token_s": float, "duration_s": float})
    groups = rows.groupby("model")
    assert set(frame.index) == set(groups.groups)
    for name, group in groups:
        mine = frame.loc[name]
        assert mine.turns == len(group)
        assert mine.prompt_tokens == group.prompt_tokens.sum()
        assert mine.completion_tokens == group.completion_tokens.sum()
        assert mine.duration_s == pytest.approx(group.duration_s.sum())
        assert mine.first_token_s == pytest.approx(group.first_token_s.mean(), nan_ok=True)
        priced = group.dropna(subset=["prompt_tokens", "completion_tokens"])
        if name in PRICES and len(priced):
            cost = priced.prompt_tokens.sum() * PRICES[name][0] + priced.completion_tokens.sum() * PRICES[name][1]
            assert mine.cost == pytest.approx(cost / 1e6)
        else:
            assert pd.isna(mine.cost)


@given(replies())
def test_the_total_is_the_sum_of_the_models(spent):
    report = UsageReport.from_replies("main", spent, PRICES.get)
    for name in ("turns", "counted", "prompt_tokens", "completion_tokens"):
        assert getattr(report.total, name) == sum(getattr(m, name) for m in report.models)
    known = [m.cost for m in report.models if m.cost is not None]
    assert report.total.cost == (pytest.approx(sum(known)) if known else None)


def test_a_reply_that_was_taken_from_the_store_counts_once():
    first = Completion("Hi", "gpt-5.5", "gpt-5.5-low", usage=Usage(3, 4, 7), first_token_s=0.25, duration_s=1.5)
    again = Completion.from_dict(first.to_dict())
    other = Completion("Hi", "gpt-5.5", "gpt-5.5-low", usage=Usage(3, 4, 7), first_token_s=0.25, duration_s=1.625)
    report = UsageReport.from_replies("main", map(ReplyUsage.of, (first, again, other)), PRICES.get)
    assert [(m.model, m.turns, m.prompt_tokens) for m in report.models] == [("gpt-5.5", 2, 6)]


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
spent = UsageReport.from_replies("main", [], lambda _: None)
try:
    ({{"a comparison": Comparison(Message.of("user", "a"), ()), "what was spent": spent}}[{what!r}]).to_frame()
except InputError as e:
    print(e)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == (
        "A table needs pandas, which is not installed here.\nType %pip install pandas and run the cell again.\n"
    )
