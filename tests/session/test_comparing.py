"""Several models at once against the sandbox: each with its own request, errors and end; one answer kept."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import pytest
from servers import eventually

from xcyq_magic import errors
from xcyq_magic.api import compare as compare_from_python
from xcyq_magic.chat.conversation import CellRun, Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.rerun import EARLIER
from xcyq_magic.session.comparing import Compared, compare, keep
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession, TurnOptions
from xcyq_magic.session.settings import GatewaySettings
from xcyq_magic.store.database import Database
from xcyq_magic.store.recognition import Notebook

FAST = "sandbox: first 0\nsandbox: pace 5000 20\n"
ECHO = FAST + "sandbox: echo\n"
TWO = ["gpt-5.5", "claude-opus-4-7"]
THREE = [*TWO, "gemini-2.5-pro"]


@pytest.fixture
def session():
    session = ChatSession(GatewaySettings(prices={"gpt-*": (1_000_000, 2_000_000)}))
    session.access.start_sandbox()
    yield session
    session.close()


def ask(session: ChatSession, models: list[str], prompt: str = "Hello", *, before: str = ECHO, **more) -> Compared:
    return compare(session, models, Message.of("user", before + prompt), more.pop("options", None), **more)


def received(session: ChatSession) -> list:
    return session.access.sandbox.received


def said(body: dict) -> list[tuple[str, str]]:
    return [(m["role"], m["content"].removeprefix(ECHO)) for m in body["messages"]]


def by_model(session: ChatSession) -> dict:
    return {r.body["model"]: r for r in received(session)}


# At once, each on its own


def test_all_are_asked_at_once_and_the_history_stays(session):
    session.ask(Message.of("user", ECHO + "before"))
    history = session.conversation()
    first = len(received(session))
    compared = ask(session, THREE, "Hello", before="sandbox: first 0.4\nsandbox: echo\n")
    asked = received(session)[first:]
    assert max(r.at for r in asked) < min(r.first_at for r in asked)  # none waited for another
    assert compared.error is None
    assert [c.text for c in compared.comparison.columns] == ["Hello"] * 3
    assert [r.body["messages"][0]["content"].removeprefix(ECHO) for r in asked] == ["before"] * 3
    assert session.conversation() is history
    assert session.comparison is compared.comparison


def test_a_refused_a_failed_and_a_dropped_column_leave_the_others_alone(session):
    compared = ask(
        session,
        [*THREE, "gpt-5.4"],
        before=FAST + "sandbox: markdown 900\nsandbox: for gpt-5.5: status 500 3\nsandbox: retry-after 0\n"
        "sandbox: for claude-*: drop 300\nsandbox: for gpt-5.4: unsupported seed\n",
        options=TurnOptions(parameters=Parameters(extra={"seed": 7})),
    )
    failed, dropped, whole, repaired = compared.comparison.columns
    assert compared.error is None
    assert failed.completion is None
    assert type(failed.error) is errors.ServerError
    assert sum(r.body["model"] == "gpt-5.5" for r in received(session)) == 3
    assert dropped.completion.partial == "incomplete"
    assert type(dropped.error) is errors.IncompleteReplyError
    assert whole.completion.partial is None
    assert len(whole.text) == 900
    assert len(repaired.text) == 900
    assert whole.notices == ()
    assert repaired.notices == ("gpt-5.4 does not take seed like this: it was left out.",)
    assert whole.completion.usage.completion_tokens == 225
    assert failed.cost is None
    assert repaired.cost == repaired.completion.usage.prompt_tokens + 2 * 225


def test_the_times_are_those_of_the_server(session):
    before = time.monotonic()
    compared = ask(session, THREE, before="sandbox: markdown 600\nsandbox: for gpt-*: first 0.5\n")
    wall = time.monotonic() - before
    for column in compared.comparison.columns:
        record = by_model(session)[column.model]
        assert record.first_at - record.at <= column.completion.first_token_s
        assert record.ended_at - record.at <= column.completion.duration_s <= wall
        assert column.completion.usage.completion_tokens == 150
        streaming = column.completion.duration_s - column.completion.first_token_s
        assert column.tokens_per_s == pytest.approx(150 / streaming)


def test_the_first_request_of_a_session_is_not_slower_than_the_second(session):
    """The HTTP client takes a moment to be made: that was measured as the first model's."""
    making = session._client._https
    starts = []
    ask(session, TWO, paint=lambda live: starts.append((len(making), [r.elapsed_s for r in live])))
    assert starts[0][0] == 0  # the view opens before anything
    assert len(making) == 1
    columns = session.comparison.columns
    records = by_model(session)
    starting = [records[c.model].ended_at - c.duration_s for c in columns]
    assert max(starting) - min(starting) < 0.5  # one clock for all


def test_stopping_one_closes_its_connection_while_the_others_end(session):
    def paint(live) -> None:
        if len("".join(live[0].builder.text_pieces)) >= 40:
            threading.Thread(target=live[0].stop).start()

    before = FAST + "sandbox: markdown 900\nsandbox: for gpt-5.5: stall 40\n"
    compared = ask(session, THREE, before=before, paint=paint)
    stopped, *others = compared.comparison.columns
    assert compared.error is None
    assert stopped.completion.partial == "stopped"
    assert 40 <= len(stopped.text) < 100
    assert [len(c.text) for c in others] == [900, 900]
    assert eventually(lambda: by_model(session)["gpt-5.5"].ending == "closed by the client")
    assert [by_model(session)[c.model].ending for c in others] == ["finished", "finished"]


def test_an_interrupt_stops_all_and_what_came_is_kept(session):
    def paint(live) -> None:
        if all(r.builder.text_pieces or r.model == "gpt-5.5" for r in live):
            raise KeyboardInterrupt

    before = FAST + "sandbox: markdown 900\nsandbox: stall 40\nsandbox: for gpt-5.5: first 60\n"
    compared = ask(session, THREE, before=before, paint=paint, judge="gpt-5.4")
    nothing, *stopped = compared.comparison.columns
    assert isinstance(compared.error, KeyboardInterrupt)
    assert nothing.completion is None
    assert "stopped before" in nothing.error.message
    assert [c.completion.partial for c in stopped] == ["stopped", "stopped"]
    assert compared.comparison.verdict is None
    assert eventually(lambda: {r.ending for r in received(session)} == {"closed by the client"})


def test_where_none_answers_the_first_error_is_raised(session):
    compared = ask(session, TWO, before=FAST + "sandbox: status 400\n")
    assert type(compared.error) is errors.BadRequestError
    with pytest.raises(errors.BadRequestError):
        compared.result()


def test_what_no_model_takes_is_raised_and_not_sent(session):
    with pytest.raises(errors.RequestError, match="temperature"):
        ask(session, TWO, options=TurnOptions(parameters=Parameters(temperature=3)))
    with pytest.raises(errors.OptionError, match="is named 2 times"):
        ask(session, ["gpt-5.5", "gpt-5.5"])
    assert received(session) == []
    assert session.comparison is None


def test_what_one_model_does_not_take_is_said_before_the_others_are_asked(session):
    seen = []
    compared = ask(
        session,
        ["gpt-5.5", "two words"],
        paint=lambda live: seen.append((len(received(session)), [(r.state, str(r.error or "")) for r in live])),
    )
    sent, states = seen[0]
    assert sent == 0
    assert states[0] == ("waiting", "")
    assert states[1][0] == "failed"
    assert "A model's name is one word" in states[1][1]
    assert [c.text for c in compared.comparison.columns] == ["Hello", ""]
    assert [r.body["model"] for r in received(session)] == ["gpt-5.5"]


def test_each_repetition_is_a_request_of_its_own(session):
    compared = ask(session, TWO, repeat=2)
    assert list(compared.comparison) == ["gpt-5.5#1", "gpt-5.5#2", "claude-opus-4-7#1", "claude-opus-4-7#2"]
    assert sorted(r.body["model"] for r in received(session)) == sorted(TWO * 2)


def test_without_a_key_nothing_is_sent_or_shown():
    session = ChatSession(GatewaySettings(base_url="http://gateway.invalid"))
    painted = []
    with pytest.raises(errors.MissingKeyError):
        ask(session, TWO, paint=painted.append)
    assert painted == []


# Keeping


def test_a_kept_answer_is_seen_by_the_next_request(session):
    session.ask(Message.of("user", ECHO + "before"))
    compared = ask(session, TWO, options=TurnOptions(system="Be brief."))
    comparison = compared.comparison
    turn = keep(session, comparison, comparison.column("claude-opus-4-7")).turn
    assert turn.system == "Be brief."
    session.ask(Message.of("user", ECHO + "and now?"))
    expected = [("user", "before"), ("assistant", "before"), ("user", "Hello"), ("assistant", "Hello")]
    assert said(received(session)[-1].body) == [*expected, ("user", "and now?")]


def test_keeping_another_replaces_the_first_where_it_stands(session):
    before = FAST + "sandbox: vary\nsandbox: first 0\nsandbox: pace 5000 20\n"
    comparison = ask(session, TWO, before=before, cell=CellRun("A", "1")).comparison
    first, second = comparison.columns
    assert first.text != second.text
    keep(session, comparison, first)
    session.ask(Message.of("user", ECHO + "below"), cell=CellRun("B", "2"))
    keep(session, comparison, second)
    keep(session, comparison, second)
    assert [t.completion.text for t in session.conversation().turns] == [second.text, "below"]


def test_a_kept_answer_is_in_the_store_as_any_turn(tmp_path):
    def kernel() -> ChatSession:
        conversations = Conversations(Database(tmp_path / "kept.sqlite"), Notebook("/analysis.ipynb", ran={"A": ""}))
        conversations.resume()
        return ChatSession(conversations=conversations)

    before = kernel()
    before.access.start_sandbox()
    before.ask(Message.of("user", ECHO + "above"), cell=CellRun("A", "1"))
    comparison = ask(before, TWO, cell=CellRun("B", "2")).comparison
    for column in comparison.columns:
        keep(before, comparison, column)
        before.ask(Message.of("user", ECHO + "below"), cell=CellRun("C", 3))
    kept = before.conversation()
    assert kept.outdated == {2}  # it saw the answer that was kept first
    before.close()
    after = kernel()
    assert after.conversation().turns == tuple(replace(t, cell=CellRun(t.cell.cell_id, EARLIER)) for t in kept.turns)
    assert [t.completion.model for t in after.conversation().turns][1] == TWO[1]
    assert after.conversation().outdated == {2}
    after.close()


def test_a_comparison_that_runs_again_sees_only_what_stands_above(session):
    ask_one = Message.of("user", ECHO + "above")
    session.ask(ask_one, cell=CellRun("A", "1"))
    comparison = ask(session, TWO, cell=CellRun("B", "2")).comparison
    keep(session, comparison, comparison.columns[0])
    session.ask(Message.of("user", ECHO + "below"), cell=CellRun("C", "3"))
    again = ask(session, TWO, "Hello again", cell=CellRun("B", "4")).comparison
    assert said(received(session)[-1].body) == [("user", "above"), ("assistant", "above"), ("user", "Hello again")]
    keep(session, again, again.columns[1])
    assert [t.completion.text for t in session.conversation().turns] == ["above", "Hello again", "below"]


def test_once_does_not_see_the_conversation(session):
    session.ask(Message.of("user", ECHO + "before"))
    ask(session, TWO, options=TurnOptions(once=True))
    assert said(received(session)[-1].body) == [("user", "Hello")]


def test_what_never_came_cannot_be_kept(session):
    comparison = ask(session, TWO, before=ECHO + "sandbox: for gpt-5.5: status 400\n").comparison
    with pytest.raises(errors.OptionError, match=r"There is no reply of gpt-5.5 to keep"):
        keep(session, comparison, comparison.columns[0])
    assert session.conversation().turns == ()


# The judge


def judged(session: ChatSession, seed: int = 1, **more):
    before = FAST + "sandbox: markdown 300\nsandbox: for gemini-*: markdown 90\n"
    return ask(session, THREE, before=before, judge="gpt-5.4", order=random.Random(seed), **more).comparison  # noqa: S311  # no secret


def test_the_judge_sees_no_names_and_the_names_come_back(session):
    session.ask(Message.of("user", ECHO + "before"))
    comparison = judged(session, options=TurnOptions(system="Be brief.", parameters=Parameters(max_tokens=500)))
    verdict = comparison.verdict
    body = by_model(session)["gpt-5.4"].body
    text = body["messages"][-1]["content"]
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]  # and no system prompt of its own
    assert "max_tokens" not in body
    assert "Be brief." in text
    assert not any(name in text.split("Reply 1", 1)[1] for name in THREE)
    assert set(verdict.order) == set(THREE)
    assert verdict.winner == "gemini-2.5-pro"
    assert "None is shorter than `gemini-2.5-pro`." in verdict.reason
    assert "BEST" not in verdict.reason
    assert verdict.cost == verdict.completion.usage.prompt_tokens + 2 * verdict.completion.usage.completion_tokens


def test_the_order_of_the_replies_is_random_and_can_be_repeated(session):
    orders = {judged(session, seed).verdict.order for seed in (1, 2, 3, 4, 1)}
    assert len(orders) > 1
    assert judged(session, 1).verdict.order == judged(session, 1).verdict.order


@pytest.mark.parametrize("once", [True, False])
def test_the_judge_sees_the_turns_above_unless_the_models_saw_none(session, once):
    session.ask(Message.of("user", ECHO + "above"))
    judged(session, options=TurnOptions(once=once))
    *columns, judge = received(session)[1:]
    assert {r.body["model"] for r in columns} == set(THREE)
    above = [] if once else ["user", "assistant"]
    assert [[m["role"] for m in r.body["messages"]] for r in (*columns, judge)] == [[*above, "user"]] * 4


def test_a_judge_that_fails_spoils_no_comparison(session):
    compared = ask(session, TWO, before=ECHO + "sandbox: for gpt-5.4: status 400\n", judge="gpt-5.4")
    assert compared.error is None
    assert type(compared.comparison.verdict.error) is errors.BadRequestError
    assert compared.comparison.verdict.winner is None


@pytest.mark.parametrize("judge", ["two words", "", " ", "a\nb", "a\x00b"])
def test_a_judge_that_no_model_can_be_is_refused_before_any_is_asked(session, judge):
    with pytest.raises(errors.RequestError, match="one word"):
        ask(session, TWO, judge=judge)
    assert received(session) == []


def test_one_reply_is_not_judged(session):
    before = ECHO + "sandbox: for gpt-5.5: status 400\n"
    verdict = ask(session, TWO, before=before, judge="gpt-5.4").comparison.verdict
    assert "not two replies" in verdict.error.message
    assert "gpt-5.4" not in by_model(session)


def test_an_interrupt_while_it_is_judged_keeps_the_comparison(session):
    def paint(live) -> None:
        if len(live) == 3:
            raise KeyboardInterrupt

    compared = ask(session, TWO, judge="gpt-5.4", paint=paint)
    assert isinstance(compared.error, KeyboardInterrupt)
    assert [c.text for c in compared.comparison.columns] == ["Hello", "Hello"]
    assert compared.comparison.verdict.winner is None


# From Python


def test_from_python_it_is_the_same(session):
    found = compare_from_python("gpt-5.5{,-low}", ECHO + "Hello", session=session, temperature=0.5, stream=False)
    assert {name: reply.text for name, reply in found.items()} == {"gpt-5.5": "Hello", "gpt-5.5-low": "Hello"}
    assert {r.body["temperature"] for r in received(session)} == {0.5}
    assert all("stream" not in r.body for r in received(session))
    assert [reply.first_token_s for reply in found.values()] == [None, None]


def test_from_python_a_conversation_is_followed_only_by_name(session):
    session.ask(Message.of("user", ECHO + "before"))
    compare_from_python(TWO, ECHO + "Hello", session=session)
    assert said(received(session)[-1].body) == [("user", "Hello")]
    compare_from_python(TWO, ECHO + "Hello", session=session, conversation="main")
    assert said(received(session)[-1].body)[0] == ("user", "before")


def test_from_python_a_name_that_is_nearly_right_is_refused(session):
    with pytest.raises(errors.OptionError, match="compare has no parameter temprature"):
        compare_from_python(TWO, "Hello", session=session, temprature=1)
