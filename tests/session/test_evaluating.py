"""Models over cases: each reply scored by a function or a judge, and whether a difference may be chance."""

from __future__ import annotations

import _thread
import random
import threading
from asyncio import CancelledError
from decimal import Decimal
from functools import partial
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model
from servers import ScriptedServer

from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.scores import chance_of, holm, score_of
from xcyq_magic.display.settled_evaluation import evaluation_bundle
from xcyq_magic.errors import CheckError, GatewayError, InputError, OptionError, RequestError
from xcyq_magic.session.asking import Outlook, Progress
from xcyq_magic.session.cases import cases_of
from xcyq_magic.session.evaluating import Evaluating
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType

TWO = ["gpt-5.5", "claude-opus-4-7"]
CASES = [{"n": n, "answer": str(n)} for n in range(20)]


def right(model: str, n: int) -> str:
    """GPT is right, Claude about every other time."""
    return str(n) if model.startswith("gpt") or n % 2 else "I do not know"


def reply(_: int, body: dict) -> str:
    prompt = body["messages"][-1]["content"]
    if "BEST" in prompt:  # a judge's question: the first reply that is a number
        replies = prompt.split("Reply ")[1:3]
        return f"BEST: {1 + next((n for n, r in enumerate(replies) if r.split()[1].isdigit()), 0)}"
    return right(body["model"], int(prompt))


@pytest.fixture
def gateway():
    opened = []

    def begin(answer=reply, **settings):
        server = ScriptedServer(answer)
        session = ChatSession(
            GatewaySettings(base_url=server.base_url, prices={"*": (1_000_000, 0)}),
            ChatSettings(store=":memory:", **settings),
        )
        opened.extend([session.close, server.close])
        return session, server

    yield begin
    for close in opened:
        close()


def evaluating(session, cases=CASES, models=TWO, options=None, **more) -> Evaluating:
    found, options = cases_of(cases, "cases", 100), options or TurnOptions()
    return Evaluating(session, models, found, lambda c: Message.of("user", str(c.value["n"])), options, **more)


def is_right(reply, case) -> bool:
    return case["answer"] == reply.text


def test_each_model_is_asked_about_each_case_and_scored(gateway):
    session, server = gateway()
    asking = evaluating(session, check=is_right)
    assert str(asking.outlook).startswith("20 rows · 2 models · about 40 tokens")
    found = asking.evaluate().result()
    assert len(server.received) == 40
    gpt, claude = found.models
    assert (gpt.model, gpt.score.mean, gpt.failed, gpt.cost_of_1000) == ("gpt-5.5", 1.0, 0, 10_000.0)
    assert (claude.model, claude.score.mean, claude.score.count) == ("claude-opus-4-7", 0.5, 20)
    assert found.scored_by == "is_right"
    assert len(found.disagreements) == 10
    (difference,) = found.differences
    assert (difference.one, difference.other, difference.count) == ("gpt-5.5", "claude-opus-4-7", 20)
    assert difference.chance == pytest.approx(2 / 2**10)
    assert not difference.may_be_chance
    frame = found.to_frame()
    assert len(frame) == 40
    assert frame.groupby("model").score.mean().to_dict() == {"gpt-5.5": 1.0, "claude-opus-4-7": 0.5}


def test_cases_are_asked_one_after_the_other_by_all_models(gateway):
    session, server = gateway(concurrency=1)
    evaluating(session, CASES[:3]).evaluate()
    assert [(b["messages"][-1]["content"], b["model"]) for b in server.received] == [
        (str(n), m) for n in range(3) for m in TWO
    ]


def test_run_again_it_asks_nothing_and_the_check_may_be_another(gateway):
    session, server = gateway()
    evaluating(session, check=is_right).evaluate()
    found = evaluating(session, check=lambda reply, _: len(reply.text)).evaluate().result()
    assert len(server.received) == 40
    assert found["gpt-5.5"][11].score == 2.0
    assert found.models[0].score.is_share is False


@pytest.mark.parametrize(
    ("given", "score"),
    [
        (3 > 2, True),  # noqa: PLR0133
        (np.bool_(3 < 2), False),  # noqa: PLR0133
        (3, 3.0),
        (np.float64(0.5), 0.5),
        (0, 0.0),
        (np.array(0.5), 0.5),
        (np.array(True), True),  # noqa: FBT003
        (Decimal("0.5"), 0.5),
    ],
    ids=repr,
)
def test_a_check_gives_yes_or_no_or_a_number(gateway, given, score):
    session, _ = gateway()
    row = evaluating(session, CASES[:1], check=lambda *_: given).evaluate().result()["gpt-5.5"][0]
    assert (row.score, type(row.score), row.error) == (score, type(score), None)


class NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError


class NoStrError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


NONE = ["yes", None, float("nan"), float("inf"), [1], 1j, pd.NA, pd.Series([True]), 10**400, NoRepr(), Decimal("nan")]


@pytest.mark.parametrize("given", NONE, ids=lambda v: type(v).__name__)
def test_what_is_no_score_is_the_rows_error(gateway, given):
    session, _ = gateway()
    row = evaluating(session, CASES[:1], check=lambda *_: given).evaluate().result()["gpt-5.5"][0]
    assert isinstance(row.error, CheckError)
    assert row.score is None
    assert row.text == "0"


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), CancelledError(), NoStrError()], ids=repr)
def test_a_check_that_would_end_more_than_itself_fails_its_row_alone(gateway, error):
    session, server = gateway()

    def check(reply, case) -> bool:
        if case["n"] == 3:
            raise error
        return True

    found = evaluating(session, check=check).evaluate().result()
    assert [r.label for r in found["gpt-5.5"].failed] == [3]
    assert type(error).__name__ in found["gpt-5.5"][3].error.message
    assert len(server.received) == 40


@pytest.mark.parametrize("before", [False, True], ids=["asked now", "answered before"])
def test_after_an_interrupt_no_further_check_is_run_and_what_came_is_there(gateway, before):
    session, _ = gateway()
    if before:
        evaluating(session).evaluate()
    calls = []

    def slow(reply, case) -> bool:
        calls.append(case)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return True

    ended = evaluating(session, check=slow).evaluate()
    assert isinstance(ended.error, KeyboardInterrupt)
    assert len(calls) == 3
    rows = [row for model in TWO for row in ended.evaluation[model]]
    assert sum(row.score is not None for row in rows) == 2
    unscored = [
        row for row in rows if row.completion is not None and row.completion.partial is None and row.score is None
    ]
    assert unscored
    assert {row.error.message for row in unscored} == {"slow was not run: it was interrupted."}


def test_fields_of_an_answer_take_no_column_of_the_tables_place(gateway):
    session, _ = gateway(lambda *_: '{"score": 7, "model": "mine", "n": 1}')
    options = TurnOptions(answer=AnswerType(create_model("Grade", score=int, model=str, n=int)))
    found = evaluating(session, CASES[:1], check=lambda *_: True, options=options).evaluate().result().to_frame()
    assert found.model.tolist() == TWO
    assert found.score.tolist() == [True, True]
    assert found.reply_score.tolist() == [7, 7]
    assert found.reply_model.tolist() == ["mine", "mine"]
    assert found.n.tolist() == [1, 1]


def test_a_check_that_raises_fails_its_row_alone(gateway):
    session, server = gateway()

    def picky(reply, case) -> bool:
        if case["n"] == 3:
            msg = f"what is {reply.text}?"
            raise ValueError(msg)
        return True

    found = evaluating(session, check=picky).evaluate().result()
    assert [r.label for r in found["gpt-5.5"].failed] == [3]
    assert found["gpt-5.5"][3].error.message == "picky failed: ValueError: what is 3?"
    assert len(server.received) == 40  # although every check might fail, the models answer


def test_a_check_that_always_raises_stops_no_model(gateway):
    session, server = gateway()
    found = evaluating(session, check=lambda reply: True).evaluate().result()
    assert len(server.received) == 40
    assert len(found["gpt-5.5"].failed) == 20


def test_a_judge_scores_the_replies_to_each_case(gateway):
    session, server = gateway()
    found = evaluating(session, judge="gemini-2.5-pro").evaluate().result()
    assert len(server.received) == 60
    scores = {m: [r.score for r in found[m]] for m in TWO}
    even = [n for n in range(20) if n % 2 == 0]
    assert all((scores["gpt-5.5"][n], scores["claude-opus-4-7"][n]) == (1.0, 0.0) for n in even)
    assert all(sum(pair) == 1.0 for pair in zip(*scores.values(), strict=True))
    questions = [b["messages"][-1]["content"] for b in server.received[40:]]
    assert not any("gpt" in q or "claude" in q for q in questions)
    assert evaluating(session, judge="gemini-2.5-pro").evaluate().result().scored_by == "gemini-2.5-pro"
    assert len(server.received) == 60


def numbered(progresses: list):
    """What paints: notes each progress once, and how far it was at the last time."""

    def paint(progress) -> None:
        if progress not in progresses:
            progresses.append(progress)

    return paint


def test_a_judge_is_seen_at_work(gateway):
    session, _ = gateway(concurrency=1)
    seen: list = []
    evaluating(session, CASES[:4], judge="gemini-2.5-pro").evaluate(numbered(seen)).result()
    asked, judged = seen
    assert (asked.outlook.judge, asked.done, asked.outlook.in_all) == ("", 8, 8)
    assert (judged.outlook.judge, judged.done, judged.outlook.in_all) == ("gemini-2.5-pro", 4, 4)
    assert (judged.prompt_tokens, judged.cost) == (40, 40.0)
    assert all(r.score is not None for r in judged.rows["gpt-5.5"])
    assert len(judged.replies) == 4


def test_a_judge_may_be_stopped_and_what_it_judged_is_kept(gateway):
    session, server = gateway(concurrency=1)

    def paint(progress) -> None:
        if progress.outlook.judge and progress.done:
            progress.stop()

    found = evaluating(session, judge="gemini-2.5-pro").evaluate(paint).result()
    scored = [r for r in found["gpt-5.5"] if r.score is not None]
    assert 0 < len(scored) < 20
    assert len(server.received) < 60
    assert all(r.text for r in found["gpt-5.5"])


class Sent:
    """A request on its way, which is stopped by somebody else while it is being sent."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


def test_a_stop_while_a_request_is_being_sent_is_heard():
    live, arrivals, sent = LiveReply("gpt-5.5"), SimpleQueue(), Sent()

    def send(_) -> Sent:
        live.stop()  # a click, on another thread
        return sent

    live.start(send, arrivals)
    assert arrivals.get_nowait() == (live, None)
    assert sent.cancelled == 1


def test_a_stop_begins_with_what_is_still_to_be_sent():
    """One that is stopped gives its slot to the next, which must not be sent any more."""
    stopped: list[int] = []
    replies = [SimpleNamespace(stop=partial(stopped.append, n)) for n in range(3)]
    Progress(Outlook(3, 3, 0, 0, None), replies, {}).stop()
    assert stopped == [2, 1, 0]


def test_who_stops_the_answers_pays_no_judge(gateway):
    session, server = gateway(concurrency=1)

    def paint(progress) -> None:
        if progress.done >= 4:
            progress.stop()

    found = evaluating(session, judge="gemini-2.5-pro").evaluate(paint).result()
    assert not [b for b in server.received if "BEST" in b["messages"][-1]["content"]]
    assert found["gpt-5.5"][0].text == "0"


def test_a_judge_that_fails_for_some_leaves_these_without_a_score(gateway):
    def answer(n: int, body: dict):
        prompt = body["messages"][-1]["content"]
        return (400, {}) if "BEST" in prompt and "\n7\n" in prompt else reply(n, body)

    session, _ = gateway(answer)
    found = evaluating(session, judge="gemini-2.5-pro").evaluate().result()
    assert [n for n, r in enumerate(found["gpt-5.5"]) if r.score is None] == [7]


def test_a_judge_that_fails_for_all_fails_the_cell_and_the_answers_are_kept(gateway):
    session, server = gateway(
        lambda n, body: (400, {}) if "BEST" in body["messages"][-1]["content"] else reply(n, body), concurrency=1
    )
    evaluated = evaluating(session, judge="gemini-2.5-pro").evaluate()
    assert isinstance(evaluated.error, GatewayError)
    assert all(r.text and r.error is None for r in evaluated.evaluation["gpt-5.5"])
    assert len(server.received) == 50  # after ten failures, it is not asked again and again


def test_a_judge_that_cannot_be_asked_keeps_the_answers(gateway):
    session, server = gateway()
    with pytest.raises(RequestError, match="one word"):
        evaluating(session, judge="no model")
    assert server.received == []

    def paint(progress) -> None:
        if progress.done == 40:
            session.close()  # as by %unload_ext

    evaluated = evaluating(session, judge="gemini-2.5-pro").evaluate(paint)
    assert len(server.received) == 40
    assert isinstance(evaluated.error, InputError)
    assert all(r.text for r in evaluated.evaluation["gpt-5.5"])


def test_equal_questions_to_a_judge_are_sent_once(gateway):
    session, server = gateway()
    found = evaluating(session, [CASES[2]] * 5, judge="gemini-2.5-pro").evaluate().result()
    assert len(server.received) == 2 + 1
    assert [r.score for r in found["gpt-5.5"]] == [1.0] * 5


def test_cases_that_were_not_scored_do_not_differ(gateway):
    session, _ = gateway()

    def only_odd(reply, case) -> bool:
        if case["n"] % 2 == 0:
            msg = "even"
            raise ValueError(msg)
        return True

    found = evaluating(session, check=only_odd).evaluate().result()
    assert found.disagreements == []
    assert len(evaluating(session).evaluate().result().disagreements) == 10  # by their texts


def test_a_check_and_a_judge_together_are_refused_and_so_is_what_is_no_function(gateway):
    session, server = gateway()
    with pytest.raises(OptionError, match="not by both"):
        evaluating(session, check=is_right, judge="gpt-5.5")
    with pytest.raises(OptionError, match=r"not a str"):
        evaluating(session, check="is_right")
    assert server.received == []


# How sure it is


def test_the_intervals_are_wilsons():
    score = score_of([True] * 8 + [False] * 2)  # the example of many textbooks
    assert (round(score.low, 3), round(score.high, 3)) == (0.490, 0.943)
    assert (score_of([True] * 5).high, score_of([False] * 5).low) == (1.0, 0.0)
    assert score_of([]) is None


@given(st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=30))
def test_the_interval_of_numbers_lies_among_them(values):
    score = score_of(values)
    rounding = pytest.approx(0, abs=1e-9)
    assert min(values) - score.low <= 0 or min(values) - score.low == rounding
    assert score.low <= score.high
    assert score.high - max(values) <= 0 or score.high - max(values) == rounding


def test_equal_models_are_called_different_in_one_of_twenty_at_most():
    chance, called = random.Random(0), 0  # noqa: S311  # no secret
    for _ in range(1_000):
        hard = [chance.random() for _ in range(60)]
        called += chance_of([chance.random() < h for h in hard], [chance.random() < h for h in hard]) < 0.05
    assert called <= 50


def test_what_differs_is_called_different():
    assert chance_of([True] * 12, [False] * 12) < 0.001
    assert chance_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0] * 6) == pytest.approx(2 / 2**6)
    assert chance_of([n / 20 + 0.5 for n in range(20)], [n / 20 for n in range(20)]) < 0.01
    assert chance_of([1, 2], [1, 2]) == 1.0


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), max_size=14))
def test_who_is_called_first_does_not_matter(pairs):
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    assert 0 < chance_of(one, other) <= 1
    assert chance_of(one, other) == pytest.approx(chance_of(other, one), abs=0.03)


def test_several_pairs_are_corrected():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_model_that_is_refused_holds_no_other_back(gateway):
    """All are answered by the one while the other waits, however many of its requests do."""
    answered = threading.Event()
    gpt = []

    def answer(_: int, body: dict) -> str | tuple[int, dict]:
        if not body["model"].startswith("gpt"):
            return 429, {"Retry-After": "100"}
        gpt.append(body)
        if len(gpt) == 60:
            answered.set()
        return "yes"

    session, _ = gateway(answer, concurrency=2)
    asking, stops = evaluating(session, [{"n": n} for n in range(60)]), []
    waits: set[str] = set()

    def paint(progress: Progress) -> None:
        waits.update(str(r.retry) for r in progress.replies if r.retry is not None)
        if answered.is_set() and progress.answered == 60 and not stops:
            stops.append(progress.stop())

    watch = threading.Timer(20, _thread.interrupt_main)
    watch.start()
    found = asking.evaluate(paint)
    watch.cancel()
    assert found.error is None
    assert [r.text for r in found.evaluation["gpt-5.5"]] == ["yes"] * 60
    assert any(w.startswith("others were refused, again in ") and w.endswith(" s") for w in waits)


def test_scores_and_tests_are_computed_once_however_often_they_are_shown(gateway, monkeypatch):
    session, _ = gateway()
    found = evaluating(session, check=lambda reply, _: random.random()).evaluate().result()  # noqa: S311  # no secret
    computed = []
    choices = random.Random.choices
    monkeypatch.setattr(random.Random, "choices", lambda *a, **k: computed.append(1) or choices(*a, **k))
    evaluation_bundle(found)
    found.to_frame()
    assert found.differences is found.differences
    assert len(computed) == 2 * 2_000  # of a bootstrap for each model
