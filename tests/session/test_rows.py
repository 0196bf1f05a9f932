"""The same question about many cases: what is sent, how many at once, what is kept, and what a row says."""

from __future__ import annotations

import copy
import pickle
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pydantic import create_model
from servers import ScriptedServer, eventually

from xcyq_magic.chat.conversation import Conversation
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.rows import Record
from xcyq_magic.display.settled_rows import rows_bundle
from xcyq_magic.errors import IncompleteReplyError, OptionError, StatusError
from xcyq_magic.session.asking import Asking
from xcyq_magic.session.cases import cases_of
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType

TEXTS = [f"text {n}" for n in range(12)]


@pytest.fixture
def gateway():
    """Begin a server of one's own answers, and a session that asks it."""
    opened = []

    def begin(answer=lambda n, body: f"about {body['messages'][-1]['content']}", delay_s=0.0, **settings):
        server = ScriptedServer(answer, delay_s)
        gateway = GatewaySettings(base_url=server.base_url, prices={"claude-*": (1_000_000, 2_000_000)})
        session = ChatSession(gateway, ChatSettings(store=":memory:", **settings))
        opened.extend([session.close, server.close])
        return session, server

    yield begin
    for close in opened:
        close()


def asking(session, value=TEXTS, prompt="{}", options=None, **more) -> Asking:
    cases = cases_of(value, "texts", session.chat.each_limit)
    return Asking(
        session, cases, lambda c: Message.of("user", prompt.format(c.value)), options or TurnOptions(), **more
    )


# What is sent


def test_each_case_is_asked_once_and_its_row_has_the_reply(gateway):
    session, server = gateway()
    asked = asking(session).ask()
    assert asked.error is None
    assert sorted(server.prompts()) == sorted(TEXTS)
    assert [r.text for r in asked.rows] == [f"about {t}" for t in TEXTS]
    assert [(r.label, r.case) for r in asked.rows] == [*enumerate(TEXTS)]
    assert asked.rows[0].cost == 20.0
    assert session.conversation().turns == ()


def test_equal_requests_are_sent_once(gateway):
    session, server = gateway()
    found = asking(session, TEXTS[:3] * 40)
    assert (found.outlook.rows, found.outlook.distinct, found.outlook.to_send) == (120, 3, 3)
    rows = found.ask().rows
    assert len(server.received) == 3
    assert [r.text for r in rows] == [f"about {t}" for t in TEXTS[:3] * 40]
    assert rows.cost == 60.0
    assert "· 30 tokens in, 15 out · cost 60" in rows_bundle(rows)["text/plain"].splitlines()[0]


@pytest.mark.parametrize("slots", [1, 3, 8])
def test_no_more_requests_are_on_their_way_than_there_are_slots(gateway, slots):
    def answer(n: int, body: dict) -> str:
        assert n >= slots or eventually(lambda: server.most_at_once >= slots)
        return "Yes."

    session, server = gateway(answer, delay_s=0.02, concurrency=slots)
    assert asking(session).ask().error is None
    assert server.most_at_once == slots


def test_what_was_answered_before_is_not_asked_again(gateway):
    session, server = gateway()
    first = asking(session, TEXTS[:5]).ask().rows
    again = asking(session, TEXTS)
    assert (again.outlook.answered, again.outlook.to_send) == (5, 7)
    rows = again.ask().rows
    assert sorted(server.prompts()) == sorted(TEXTS)
    assert [r.text for r in rows][:5] == [r.text for r in first]
    assert [r.cost for r in rows] == [0.0] * 5 + [20.0] * 7
    assert asking(session, TEXTS, fresh=True).outlook.to_send == 12


def test_rows_that_were_answered_need_no_server(gateway):
    session, server = gateway()
    asking(session).ask()
    server.close()
    assert [r.text for r in asking(session).ask().rows] == [f"about {t}" for t in TEXTS]


def test_only_what_failed_is_asked_again(gateway):
    failing = {"text 3", "text 7"}
    session, server = gateway(
        lambda _, body: (400, {}) if body["messages"][-1]["content"] in failing else "fine", concurrency=1
    )
    asked = asking(session).ask()
    assert asked.error is None  # a row that fails fails nothing else
    assert [r.label for r in asked.rows.failed] == [3, 7]
    assert all(isinstance(r.error, StatusError) for r in asked.rows.failed)
    assert [r.text for r in asked.rows].count("fine") == 10
    failing.clear()
    server.received.clear()
    assert asking(session).ask().rows.failed == ()
    assert server.prompts() == ["text 3", "text 7"]


def test_a_key_that_is_refused_is_not_tried_for_every_row(gateway):
    session, server = gateway(lambda *_: (401, {}), concurrency=2, each_limit=1000)
    asked = asking(session, [f"{n}" for n in range(500)]).ask()
    assert isinstance(asked.error, StatusError)
    assert len(server.received) < 20
    assert len(asked.rows) == 500
    assert isinstance(asked.rows[499].error, IncompleteReplyError)


def test_the_turns_of_a_conversation_go_along_and_it_stays_as_it_is(gateway):
    session, server = gateway()
    session.ask(Message.of("user", "before"))
    asking(session, ["one"], conversation="main").ask()
    assert [m["content"] for m in server.received[-1]["messages"]] == ["before", "about before", "one"]
    assert len(session.conversation().turns) == 1
    asking(session, ["two"]).ask()
    assert [m["content"] for m in server.received[-1]["messages"]] == ["two"]


# Waiting


def test_a_row_that_waits_gives_up_its_slot(gateway):
    """The first is refused and waits; with one slot, others are answered meanwhile."""
    session, server = gateway(
        lambda n, body: (429, {"Retry-After": "1"}) if n == 0 else body["messages"][-1]["content"], concurrency=1
    )
    asked = asking(session).ask()
    assert not asked.rows.failed
    assert server.prompts()[:2] == TEXTS[:2]
    assert sorted(server.prompts()) == sorted([*TEXTS, "text 0"])
    assert server.most_at_once == 1


def test_a_second_refusal_holds_all_back_for_as_long_as_it_says(gateway):
    refused = {0, 1}
    session, server = gateway(
        lambda n, body: (429, {"Retry-After": "0.5"}) if n in refused else body["messages"][-1]["content"],
        concurrency=1,
    )
    assert not asking(session).ask().rows.failed
    assert server.prompts()[:2] == ["text 0", "text 1"]
    assert server.times[2] - server.times[1] >= 0.5
    assert len(server.received) == 14


def test_one_refusal_among_answers_holds_nobody_back(gateway):
    session, server = gateway(
        lambda n, body: (429, {"Retry-After": "2"}) if n % 4 == 3 else body["messages"][-1]["content"], concurrency=1
    )
    assert not asking(session).ask().rows.failed
    assert server.times[11] - server.times[0] < 2  # the first refusal is the fourth request


def test_one_of_many_rows_that_is_told_to_wait_again_and_again_is_answered_in_the_end(gateway):
    refused = iter(range(5))
    session, server = gateway(
        lambda _, body: (
            (429, {"Retry-After": "0.01"})
            if body["messages"][-1]["content"] == "text 3" and next(refused, None) is not None
            else "fine"
        ),
        concurrency=4,
    )
    assert not asking(session).ask().rows.failed
    assert server.prompts().count("text 3") == 6


# Ending early


def test_stop_keeps_what_came_and_sends_nothing_more(gateway):
    session, server = gateway(delay_s=0.02, concurrency=2)

    def paint(progress) -> None:
        if progress.done >= 3:
            progress.stop()

    asked = asking(session, [f"{n}" for n in range(90)]).ask(paint)
    came = [r for r in asked.rows if r.error is None]
    assert 3 <= len(came) <= 8
    assert len(server.received) <= len(came) + 2
    assert len(asked.rows) == 90
    assert asking(session, [f"{n}" for n in range(90)]).outlook.answered == len(came)


def test_an_interrupt_keeps_what_came(gateway):
    session, server = gateway(delay_s=0.02, concurrency=2)

    def paint(progress) -> None:
        if progress.done >= 3:
            raise KeyboardInterrupt

    asked = asking(session, [f"{n}" for n in range(90)]).ask(paint)
    assert isinstance(asked.error, KeyboardInterrupt)
    came = sum(r.error is None for r in asked.rows)
    assert came >= 3
    assert eventually(lambda: len(server.received) <= came + 2)
    assert asking(session, [f"{n}" for n in range(90)]).outlook.answered == came


def test_a_view_that_fails_loses_no_row(gateway):
    session, _ = gateway()
    painted = threading.Event()

    def paint(progress) -> None:
        if progress.done:
            painted.set()
            msg = "the page is gone"
            raise RuntimeError(msg)

    asked = asking(session).ask(paint)
    assert painted.is_set()
    assert str(asked.error) == "the page is gone"
    assert not asked.rows.failed


def test_more_than_the_limit_needs_a_word(gateway):
    session, server = gateway(each_limit=5)
    with pytest.raises(OptionError, match=r"12 requests are more than .* 5") as refused:
        asking(session).check_limit(go=False)
    assert "--go" in refused.value.hint
    asking(session, TEXTS[:5]).check_limit(go=False)
    asking(session).check_limit(go=True)
    assert server.received == []


def test_a_row_that_cannot_be_asked_is_named_and_nothing_is_sent(gateway):
    session, server = gateway()
    with pytest.raises(OptionError.__mro__[1], match=r"Row 1: "):
        asking(session, ["one", "\udc80", "three"])
    assert server.received == []


def test_the_line_before_says_what_will_happen(gateway):
    session, _ = gateway()
    asking(session, TEXTS[:2]).ask()
    shown = str(asking(session, [*TEXTS, *TEXTS[:3]]).outlook)
    assert shown.startswith("15 rows · 12 distinct · 2 answered before · about 20 tokens to send, cost about ")
    assert shown.endswith(" with the replies")
    assert str(asking(session, TEXTS[:1]).outlook) == "1 row · 1 answered before"


# Cases


FRAME = pd.DataFrame({"text": ["a", "b"], "n": [3, 4], "x": [0.5, None]}, index=["r", "s"])


def test_the_rows_of_a_frame_keep_the_types_of_their_columns():
    cases = cases_of(FRAME, "df", 100)
    assert [c.label for c in cases.all] == ["r", "s"]
    first, second = (c.value for c in cases.all)
    assert isinstance(first, Record)
    assert (first.text, first["n"], f"{first.n} {second.n}") == ("a", 3, "3 4")  # not 3.0
    with pytest.raises(AttributeError, match=r"no column 'txt'; it has 'text', 'n', 'x'"):
        _ = first.txt


METHODS = [name for name in dir(dict) if not name.startswith("_")]


def test_columns_called_as_the_methods_of_a_dict_are_attributes_too(gateway):
    frame = pd.DataFrame([METHODS, METHODS], columns=METHODS)
    row = cases_of(frame, "df", 100).all[0].value
    assert [getattr(row, name) for name in METHODS] == METHODS
    again = pickle.loads(pickle.dumps(row))  # noqa: S301  # what was written here
    assert {**row} == dict(row) == copy.copy(row) == again == dict(zip(METHODS, METHODS, strict=True))
    assert type(again) is Record
    session, server = gateway()
    rows = asking(session, frame, prompt="{0.items} {0.get}").ask().rows
    assert set(server.prompts()) == {"items get"}
    assert "clear: clear, copy: copy" in rows_bundle(rows)["text/plain"]
    assert [*cases_of(pd.DataFrame({"a": [1]}), "df", 9).all[0].value.items()] == [("a", 1)]


def test_columns_that_are_no_texts_are_found_by_their_own_names():
    row = cases_of(pd.DataFrame([["a", "b"]], columns=[5, ("x", "y")]), "df", 9).all[0].value
    assert (row[5], row["5"], row["x", "y"]) == ("a", "a", "b")
    with pytest.raises(KeyError, match="6"):
        _ = row[6]


class Lies:
    """What says that it has another length than it has."""

    def __init__(self, said: int, real: int) -> None:
        self.said, self.real = said, real

    def __len__(self) -> int:
        return self.said

    def __iter__(self):
        return iter(range(self.real))


@pytest.mark.parametrize(
    ("said", "real", "taken", "told"),
    [(3, 10**5, 4, True), (0, 3, 3, False), (0, 9, 4, True), (10**12, 3, 3, False), (9, 9, 9, False)],
)
def test_what_lies_about_its_length_is_taken_up_to_a_bound(said, real, taken, told):
    cases = cases_of(Lies(said, real), "x", 4)
    assert len(cases.all) == taken
    assert bool(cases.notices) is told


class Lazily:
    """What has no length."""

    def __iter__(self):
        return iter("abcdef")


@pytest.mark.parametrize(
    ("value", "labels", "values"),
    [
        (["a", "b"], [0, 1], ["a", "b"]),
        (("a",), [0], ["a"]),
        (np.arange(6).reshape(3, 2), [0, 1, 2], [[0, 1], [2, 3], [4, 5]]),
        (pd.Series([1.5, 2.5], index=["p", "q"]), ["p", "q"], [1.5, 2.5]),
        ({"k": 1, "l": 2}, ["k", "l"], [{"key": "k", "value": 1}, {"key": "l", "value": 2}]),
        ({"k": 1}.items(), [0], [("k", 1)]),
        ((c for c in "abc"), [0, 1, 2], ["a", "b", "c"]),
        (range(3), [0, 1, 2], [0, 1, 2]),
        (Lazily(), [0, 1, 2, 3], ["a", "b", "c", "d"]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_cases_are_rows_items_and_pairs(value, labels, values):
    cases = cases_of(value, "x", 4)
    assert [c.label for c in cases.all] == labels
    assert [np.asarray(c.value).tolist() if isinstance(c.value, np.ndarray) else c.value for c in cases.all] == values


def test_the_fields_of_a_dict_are_attributes_too():
    for value in ([{"q": 1}], iter([{"q": 1}])):
        assert cases_of(value, "x", 4).all[0].value.q == 1


def test_of_what_has_no_end_the_first_are_taken_and_that_is_said():
    cases = cases_of(iter(int, 1), "endless", 4)
    assert len(cases.all) == 4
    assert cases.notices == ("endless has no length, so only its first 4 items were taken (ChatSettings.each_limit).",)
    assert cases_of(iter("ab"), "short", 4).notices == ()


@pytest.mark.parametrize("value", ["text", b"bytes", 3, None, object(), dict, np.array(1.0)], ids=lambda v: repr(v)[:9])
def test_what_has_no_rows_is_refused(value):
    with pytest.raises(OptionError, match=r"x is of type \w+, which has no rows; nothing was sent"):
        cases_of(value, "x", 100)


@pytest.mark.parametrize("value", [[], {}, pd.DataFrame(), pd.DataFrame(columns=["a"]), iter(()), np.zeros((0, 3))])
def test_nothing_to_ask_about_is_refused(value):
    with pytest.raises(OptionError, match="x holds no rows"):
        cases_of(value, "x", 100)


def test_columns_of_one_name_are_refused():
    with pytest.raises(OptionError, match="two columns called 'a'"):
        cases_of(pd.DataFrame([[1, 2]], columns=["a", "a"]), "df", 100)


# A table of them


def test_a_table_joins_its_frame(gateway):
    session, _ = gateway()
    rows = asking(session, FRAME, prompt="{0.text} {0.n}").ask().rows
    joined = FRAME.join(rows.to_frame())
    assert joined["reply"].tolist() == ["about a 3", "about b 4"]
    assert joined["error"].isna().all()


@pytest.mark.parametrize(
    "index",
    [
        [0, 0],
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]),
        pd.to_datetime(["2026-01-01", "2026-01-02"]),
        [None, 1.0],
    ],
    ids=["duplicates", "levels", "dates", "missing"],
)
def test_a_table_has_the_index_of_its_frame(gateway, index):
    session, _ = gateway()
    frame = FRAME.set_axis(index, axis=0)
    assert asking(session, frame, prompt="{0.text}").ask().rows.to_frame().index.equals(frame.index)


def test_fields_of_an_answer_take_no_column_of_the_tables_place(gateway):
    session, _ = gateway(lambda *_: '{"error": "E12", "label": "x"}')
    frame = (
        asking(session, FRAME, "{0.text}", TurnOptions(answer=AnswerType(create_model("Fault", error=str, label=str))))
        .ask()
        .rows.to_frame()
    )
    assert [*frame] == ["reply_error", "label", "error"]
    assert frame["reply_error"].tolist() == ["E12", "E12"]
    assert frame["error"].isna().all()


def test_a_slice_of_rows_has_its_part_of_the_index(gateway):
    session, _ = gateway()
    rows = asking(session, FRAME, prompt="{0.text}").ask().rows
    assert rows[1:].to_frame().index.tolist() == ["s"]
    assert rows[-1].label == "s"
    assert repr(rows) == "<Rows: 2 of claude-sonnet-4-6>"


# Kept replies, wherever they are asked for


def test_columns_and_the_judge_are_answered_from_the_store(gateway):
    from xcyq_magic.session.comparing import compare

    session, server = gateway(lambda n, body: f"{body['model']} says {n}\nBEST: 1")
    options = TurnOptions(cached=True)
    first = compare(session, ["gpt-5.5", "gpt-5.4"], Message.of("user", "x"), options, judge="gpt-4o").comparison
    assert len(server.received) == 3
    again = compare(session, ["gpt-5.5", "gpt-5.4"], Message.of("user", "x"), options, judge="gpt-4o").comparison
    assert len(server.received) == 3
    assert [c.text for c in again.columns] == [c.text for c in first.columns]
    assert again.verdict.winner == first.verdict.winner
    assert all(c.completion.cached for c in again.columns)
    compare(session, ["gpt-5.5", "gpt-5.4"], Message.of("user", "x"))
    assert len(server.received) == 5


def test_twelve_columns_take_turns_in_eight_slots(gateway):
    from xcyq_magic.session.comparing import compare

    session, server = gateway(delay_s=0.05)
    found = compare(session, ["gpt-5.5"], Message.of("user", "x"), repeat=12).comparison
    assert len(server.received) == 12  # of equal requests, each column has its own
    assert server.most_at_once == 8
    assert all(c.completion for c in found.columns)


def test_what_is_asked_once_with_cached_is_answered_from_the_store(gateway):
    session, server = gateway()
    options = TurnOptions(once=True, cached=True)
    texts = [session.ask(Message.of("user", "x"), options).completion.text for _ in range(2)]
    assert len(server.received) == 1
    assert texts == ["about x"] * 2
    assert session.ask(Message.of("user", "x"), replace(options, cached=False)).completion.cached is False
    assert session.conversation() == Conversation("main")


def test_where_all_fail_the_cell_says_why_and_not_that_a_row_was_not_asked(gateway):
    """The first row waits to be sent again when the tenth of the others has failed."""
    session, _ = gateway(
        lambda n, body: (503, {"Retry-After": "100"}) if body["messages"][-1]["content"] == TEXTS[0] else (400, {})
    )
    asked = asking(session).ask()
    assert isinstance(asked.error, StatusError)
    assert asked.error.status == 400


def test_what_came_while_the_store_could_not_be_used_is_not_asked_again_and_written_later(gateway, tmp_path):
    session, server = gateway()
    path = tmp_path / "answers.sqlite"
    path.mkdir()
    kept = ChatSession(session.gateway, ChatSettings(store=str(path)))
    asking(kept, TEXTS[:2]).ask()
    assert asking(kept, TEXTS[:2]).outlook.to_send == 0  # from memory
    path.rmdir()
    kept.close()
    again = ChatSession(session.gateway, ChatSettings(store=str(path)))
    assert asking(again, TEXTS[:2]).outlook.to_send == 0
    again.close()
    assert len(server.received) == 2
