"""The values of a comparison: what is written down comes back; metrics; the judge's question and answer."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.comparison import Column, Comparison, Verdict
from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.conversation import CellRun, Conversation, Turn
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.usage import Price, cost, tokens_per_s
from xcyq_magic.errors import OptionError, ServerError, XcyqError
from xcyq_magic.session.judging import question, verdict_of
from xcyq_magic.session.settings import GatewaySettings

HELLO = Message.of("user", "Hello")
names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True)
errors = st.none() | st.builds(ServerError, st.text(max_size=20), st.text(max_size=20))


def completion(text="Hi", model="gpt-5.5", **more) -> Completion:
    return Completion(text, model, more.pop("answered_by", model), finish_reason="stop", **more)


@st.composite
def comparisons(draw):
    columns = []
    for name in draw(names):
        error = draw(errors)
        text = draw(st.text(max_size=20))
        done = completion(text, name, usage=Usage(1, 2, 3), first_token_s=0.5, duration_s=2.0)
        columns.append(Column(name, name, done if error is None or draw(st.booleans()) else None, error, ("n",), 2.0))
    verdict = draw(st.none() | st.just(Verdict("judge", ("a",), "a", "because", completion(), None, 0.1)))
    return Comparison(HELLO, tuple(columns), "Be brief.", asked_at=5.0, verdict=verdict)


@given(comparisons())
def test_a_comparison_is_written_as_json_and_read_again(comparison):
    record = json.loads(json.dumps(comparison.to_dict()))
    again = Comparison.from_dict(record, {})
    assert again.to_dict() == comparison.to_dict()
    assert again.columns[0].completion == comparison.columns[0].completion


def test_a_comparison_is_an_ordered_mapping_of_names_to_what_came():
    failed = ServerError("500", "Wait.")
    columns = (Column("b", "b", completion("B")), Column("a", "a", error=failed))
    comparison = Comparison(HELLO, columns)
    assert list(comparison) == ["b", "a"]
    assert comparison["b"].text == "B"
    assert comparison["a"] is failed
    assert len(comparison) == 2
    assert "c" not in comparison
    assert isinstance(comparison["a"], XcyqError)
    assert repr(comparison) == "<Comparison of b, a>"


def test_a_column_is_found_by_name_and_by_number():
    columns = tuple(Column(n, n.split("#")[0], completion(n)) for n in ("x#1", "x#2", "7"))
    comparison = Comparison(HELLO, columns)
    assert comparison.column("x#2").text == "x#2"
    assert comparison.column("7").text == "7"  # a name wins over a number
    assert comparison.column("1").text == "x#1"
    with pytest.raises(OptionError, match=r"x was asked several times; nothing was kept\.\nThere are x#1, x#2\."):
        comparison.column("x")
    for wrong in ("4", "0", "y", "²"):
        with pytest.raises(
            OptionError, match=r"is no column of this comparison.*\nType its number: 1 for x#1, 2 for x#2, 3 for 7\."
        ):
            comparison.column(wrong)


def test_a_frame_has_a_row_for_each_column():
    fast = completion("Hi", answered_by="gpt-5.4", usage=Usage(10, 30, 40), first_token_s=0.5, duration_s=2.5)
    columns = (
        Column("gpt-5.5", "gpt-5.5", fast, duration_s=2.5, cost=0.25),
        Column("other", "other", error=ServerError("500 came"), duration_s=1.0),
    )
    frame = Comparison(HELLO, columns).to_frame()
    assert list(frame.index) == ["gpt-5.5", "other"]
    row = frame.loc["gpt-5.5"]
    assert (row["answered_by"], row["tokens_per_s"], row["cost"], row["text"]) == ("gpt-5.4", 15.0, 0.25, "Hi")
    assert frame.loc["other", "error"] == "500 came"
    assert frame["duration_s"].tolist() == [2.5, 1.0]


# Metrics


def test_pace_counts_from_the_first_content_on():
    assert tokens_per_s(completion(usage=Usage(1, 20, 21), first_token_s=1.0, duration_s=5.0)) == 5.0
    assert tokens_per_s(completion(usage=Usage(1, 20, 21), duration_s=5.0)) is None
    assert tokens_per_s(completion(first_token_s=1.0, duration_s=5.0)) is None
    assert tokens_per_s(completion(usage=Usage(1, 1, 2), first_token_s=5.0, duration_s=5.0)) is None
    assert tokens_per_s(completion(usage=Usage(1, 500, 501), first_token_s=5.0, duration_s=5.02)) is None
    assert tokens_per_s(completion(usage=Usage(1, 500, 501), first_token_s=5.0, duration_s=5.25)) == 2000.0


def test_the_nearest_price_counts():
    settings = GatewaySettings(prices={"gpt-*": (1, 2), "gpt-5.5*": (3, 4), "gpt-5.5": (5, 6)})
    assert settings.price_of("gpt-5.5") == Price(5, 6)
    assert settings.price_of("gpt-5.5-low") == Price(3, 4)
    assert settings.price_of("gpt-5.4") == Price(1, 2)
    assert settings.price_of("claude-opus-4-7") is None
    assert cost(Usage(1_000_000, 500_000, None), Price(3, 4)) == 5.0
    assert cost(Usage(1_000_000, 500_000, None, 400_000), Price(3, 4, 1)) == 4.2
    assert cost(Usage(1_000_000, 500_000, None, 400_000), Price(3, 4)) == 5.0
    assert cost(Usage(1_000_000, 0, None, 2_000_000), Price(3, 4, 1)) == 1.0  # no more than there were
    assert cost(None, Price(3, 4)) is cost(Usage(1), Price(3, 4)) is cost(Usage(1, 2, 3), None) is None


@pytest.mark.parametrize("wrong", [3, (1,), (1, 2, 3, 4), (1, 2, -3), ("a", "b"), (-1, 2), (1, float("nan")), None])
def test_a_price_is_two_numbers_or_three(wrong):
    with pytest.raises(Exception, match="the price of m is two numbers"):
        GatewaySettings(prices={"m": wrong})


# One answer kept


def test_one_of_several_turns_takes_the_place_of_another():
    one, two, other = (Turn(HELLO, completion(t), cell=CellRun("A", "1")) for t in ("one", "two", "other"))
    below = Turn(HELLO, completion("below"), cell=CellRun("B", "2"))
    kept = Conversation().with_one_of(one, [one, two]).with_turn(below)
    assert [t.completion.text for t in kept.with_one_of(two, [one, two]).turns] == ["two", "below"]
    assert [t.completion.text for t in Conversation(turns=(other,)).with_one_of(two, [one, two]).turns] == [
        "other",
        "two",
    ]


# The judge


def test_the_judge_sees_the_prompt_the_instructions_and_the_replies_without_names():
    asked = question(Message.of("user", "Why?"), "Be brief.", ["Because.", "{braces} stay"], "c0ffee")
    for line in ("==c0ffee the prompt\nWhy?", "given\nBe brief.", "Reply 1\nBecause.", "Reply 2\n{braces} stay"):
        assert line in asked.text


@pytest.mark.parametrize(
    ("said", "winner"),
    [
        ("Reply 2 is clear.\n\nBEST: 2", "b"),
        ("**BEST: 1**", "a"),
        ("**BEST:** 1", "a"),
        ("Best: Reply 2.", "b"),
        ("best reply: #2", "b"),
        ("> BEST = `2`", "b"),
        ("BEST: 1 is what I would say, but no:\nBEST: 2\n", "b"),
        ("BEST: tie", None),
        ("BEST: 3", None),
        ("BEST: 0", None),
        ("BEST: 02", "b"),
        ("BEST: " + "9" * 5000, None),
        ("BEST: " + "0" * 5000 + "1", "a"),
        ("BEST: ²", None),
        ("BEST: ٢", None),
        ("BEST: B", None),
        ("Reply 1 is the best.", None),
        ("", None),
    ],
)
def test_a_verdict_is_read_however_it_is_written(said, winner):
    assert verdict_of(said, ["a", "b"])[0] == winner


@pytest.mark.parametrize("unit", ["\n", "best:\n", "best \n", "best: !\n", "reply 1 ", "* ", "9", "best reply "])
def test_a_judge_that_repeats_itself_is_read_in_time(unit):
    """What a looping model emits must not hold the cell: a pattern that begins again at each line takes minutes."""
    started = time.monotonic()
    verdict_of("BEST: " + unit * 20_000, ["a", "b"])
    assert time.monotonic() - started < 1


def test_the_names_come_back_and_the_last_line_goes():
    reason = "Reply 1 is right; reply 2 is long, and Reply 12 is not there."
    assert verdict_of(f"{reason}\n\nBEST: 1\n", ["gpt-5.5", "claude"]) == (
        "gpt-5.5",
        "`gpt-5.5` is right; `claude` is long, and Reply 12 is not there.",
    )
