"""What is in the ledger of what is sent, against what the server counted; estimates and the day's budget."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated

import pytest
from pydantic import AfterValidator
from servers import DONE, Answer, RawServer, ScriptedServer, chunked, delta, event

from xcyq_magic import Chat, ask_each, compare
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Video
from xcyq_magic.chat.usage import LedgerEntry
from xcyq_magic.errors import BudgetError, IncompleteReplyError, TypeMismatchError, XcyqError
from xcyq_magic.session.cases import cases_of
from xcyq_magic.session.comparing import compare as compare_in
from xcyq_magic.session.evaluating import Evaluating
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions, retry
from xcyq_magic.session.typed import AnswerType
from xcyq_magic.store.database import Database

HI = Message.of("user", "hi")
ONE = {"*": (100_000, 100_000)}  # 0.1 a token: an answer of the scripted server costs 1.5


@pytest.fixture
def gateway():
    """Begin a server, and a session that asks it."""
    opened = []

    def begin(server=lambda _, __: "BEST: 1", prices=ONE, delay_s=0.0, conversations=None, **settings):
        if not isinstance(server, RawServer):
            server = ScriptedServer(server, delay_s)
        settings = {"store": ":memory:", **settings}
        prices = GatewaySettings(base_url=server.base_url, prices=prices)
        session = ChatSession(prices, ChatSettings(**settings), conversations)
        opened.extend([session.close, server.close])
        return session, server

    yield begin
    for close in opened:
        close()


def entries(session) -> list[LedgerEntry]:
    return sorted(session.conversations.books.entries().answered, key=lambda e: e.asked_at)


def kinds(session) -> list[str]:
    return [e.kind for e in entries(session)]


# What is in it


def test_whatever_asks_is_in_the_ledger_and_what_the_store_answers_is_not(gateway):
    session, server = gateway()
    session.ask(HI)
    session.ask(HI, TurnOptions(once=True))
    retry(session.conversations, session.reply)
    Chat(session=session)("hi")
    with Chat(session=session).stream("hi") as stream:
        assert [d.text for d in stream]
    ask_each(["a", "b", "a"], "{row}", session=session)
    ask_each(["a", "b", "a"], "{row}", session=session)
    compare("gpt-5.5 gpt-5.4", "hi", session=session, judge="gpt-5.5-low")
    compare("gpt-5.5 gpt-5.4", "{row}", each=["a"], session=session, judge="gpt-5.5-low")
    asked = ["turn", "once", "turn", "turn", "turn", "row", "row", "column", "column", "judge", "row", "row", "judge"]
    assert kinds(session) == asked
    assert len(server.received) == len(asked)
    assert [e.model for e in entries(session)][-3:-1] == ["gpt-5.5", "gpt-5.4"]
    for entry in entries(session):
        assert (entry.prompt_tokens, entry.completion_tokens, entry.cost, entry.ended) == (10, 5, 1.5, "done")
        assert 0 < entry.first_token_s <= entry.duration_s


def test_a_reply_that_is_asked_for_again_is_two_requests(gateway):
    session, _ = gateway(lambda n, _: ("five", "5")[n], delay_s=0.05)
    reply = Chat(session=session)("hi", as_=int)
    assert reply.data == 5
    first, second = entries(session)
    assert (first.prompt_tokens, second.prompt_tokens) == (10, 10)
    assert first.first_token_s is not None
    assert 0.05 <= first.duration_s <= reply.duration_s - 0.05
    assert 0.05 <= second.duration_s <= reply.duration_s - 0.05


def test_a_second_request_that_cannot_be_sent_is_no_entry(gateway, tmp_path):
    session, _ = gateway(lambda *_: "5", store=str(tmp_path / "kept.sqlite"))

    def close(_: int) -> int:
        session.close()
        raise ValueError

    with pytest.raises(TypeMismatchError):
        Chat(session=session)("hi", as_=Annotated[int, AfterValidator(close)], once=True)
    assert Database(tmp_path / "kept.sqlite").read("SELECT kind, ended FROM requests") == [("once", "done")]


def test_a_request_that_is_refused_is_no_entry_and_one_that_is_tried_again_is_one(gateway):
    session, server = gateway(lambda n, _: [(400, {}), (429, {"Retry-After": "0"}), "yes"][n])
    assert session.ask(HI).completion is None
    assert entries(session) == []
    session.ask(HI)
    assert len(server.received) == 3
    assert kinds(session) == ["turn"]


def test_what_broke_off_or_was_stopped_counts_as_far_as_the_gateway_counted(gateway):
    counts = {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
    counted = event({"model": "gpt-x", "choices": [], "usage": counts})
    broken = Answer(chunked(delta("half"), counted, whole=False), "close")
    server = RawServer([broken, Answer(chunked(delta("half"), whole=False), "silence")])
    session, _ = gateway(server, {"*": (100_000, 100_000, 0)})

    assert isinstance(session.ask(HI).error, IncompleteReplyError)
    session.ask(HI, paint=lambda replies: replies[0].stop() if replies[0].builder.text_pieces else None)
    one, other = entries(session)
    assert (one.ended, one.answered_by, one.prompt_tokens, one.cached_tokens) == ("failed", "gpt-x", 10, 4)
    assert one.cost == pytest.approx(0.9)
    assert (other.ended, other.prompt_tokens, other.cost) == ("stopped", None, None)


def test_a_reply_that_took_no_tokens_was_not_counted(gateway):
    counts = {"prompt_tokens": 10, "completion_tokens": 0}
    whole = chunked(delta("yes", "stop"), event({"choices": [], "usage": counts}), DONE)
    session, _ = gateway(RawServer([Answer(whole)]))
    completion = session.ask(HI).completion
    (entry,) = entries(session)
    assert completion.usage.completion_tokens is entry.completion_tokens is entry.cost is None
    assert entry.prompt_tokens == 10


class Interrupted(Database):
    """A database amid whose first writes of an end the user interrupts."""

    left = 0

    @contextlib.contextmanager
    def transaction(self):
        if self.left:
            self.left -= 1
            raise KeyboardInterrupt
        with super().transaction() as execute:
            yield execute


@pytest.mark.parametrize("times", [1, 2])
def test_an_interrupt_leaves_nothing_on_its_way(gateway, times):
    database = Interrupted(None)
    session, _ = gateway(lambda _, body: "yes", conversations=Conversations(database))
    jobs = [session.job(session.conversation(), Message.of("user", f"{n}"), TurnOptions(once=True)) for n in range(4)]
    database.left = times
    with contextlib.suppress(KeyboardInterrupt):
        session.send(jobs, lambda _: None)
    assert database.left == 0
    assert database.read("SELECT count(*) FROM requests WHERE ended IS NULL") == [(0,)]
    assert all(job.entry is None for job in jobs)
    assert "done" in {e.ended for e in entries(session)}


def test_a_chat_on_a_closed_session_leaves_no_entry(gateway):
    session, _ = gateway()
    chat = Chat(session=session)
    chat("hi")
    session.close()
    with pytest.raises(XcyqError):
        chat("hi")
    assert kinds(session) in (["turn"], [])  # what was in memory alone is gone


# The budget


def test_what_would_pass_the_budget_is_not_sent_and_says_what_is_left(gateway):
    session, server = gateway(budget=2.0)
    session.ask(HI, TurnOptions(once=True))  # 1.5
    options = TurnOptions(once=True)
    with pytest.raises(BudgetError) as e:
        session.ask(HI, options)  # a token, and the mean of the replies: 0.6
    assert e.value.message.startswith("This request would cost about 0.6000, and 0.5000 of today's budget of 2 is left")
    assert "nothing was sent" in str(e.value)
    assert len(server.received) == 1
    session.chat.budget = 2.2
    session.ask(HI, options)
    assert len(server.received) == 2
    session.chat.budget = None
    session.ask(HI, options)


def test_max_tokens_bounds_what_a_reply_is_thought_to_cost(gateway):
    from xcyq_magic.chat.conversation import Parameters

    session, server = gateway(budget=0.5)
    few, many = (TurnOptions(parameters=Parameters(max_tokens=n)) for n in (4, 5))
    with pytest.raises(BudgetError):
        session.ask(HI, many)  # 1 + 5 tokens
    assert server.received == []
    session.ask(HI, few)
    assert len(server.received) == 1


def test_many_rows_are_refused_together_and_those_of_the_store_are_free(gateway):
    session, server = gateway(budget=16.0)
    ask_each(range(10), "{row}", session=session)  # each a token before the first, and 1.5 in truth
    assert len(server.received) == 10
    ask_each(range(10), "{row}", session=session)
    with pytest.raises(BudgetError, match=r"These 2 requests would cost about 1\.2000"):
        ask_each(range(12), "{row}", session=session)
    with pytest.raises(BudgetError, match=r"These 10 requests would cost about 6\.0000, and 1\.0000 of"):
        ask_each(range(10, 20), "{row}", session=session)
    with pytest.raises(BudgetError, match="These 2 requests"):
        compare("gpt-5.5 gpt-5.4", "x" * 40, session=session)
    assert len(server.received) == 10


def test_a_column_that_is_refused_takes_nothing_of_the_budget(gateway):
    session, server = gateway(budget=0.1)
    film = Message.of("user", Video(b"v", "video/mp4"), "hi")
    compared = compare_in(session, ["gemini-2.5-pro", "claude-opus-4-7"], film).comparison
    assert [c.error is None for c in compared.columns] == [True, False]
    assert len(server.received) == 1


def test_a_judge_over_the_budget_costs_no_reply(gateway):
    session, server = gateway(budget=3.2)
    compared = compare("gpt-5.5 gpt-5.4", "hi", session=session, judge="gpt-5.5-low")
    assert isinstance(compared.verdict.error, BudgetError)
    assert [c.text for c in compared.columns] == ["BEST: 1"] * 2
    session.chat.budget = 6.4
    models, cases = ["gpt-5.5", "gpt-5.4"], cases_of(["a"], "cases", 9)
    asking = Evaluating(session, models, cases, lambda _: HI, TurnOptions(), judge="gpt-5.5-low")
    evaluated = asking.evaluate()
    assert isinstance(evaluated.error, BudgetError)
    assert [row.text for model in models for row in evaluated.evaluation[model]] == ["BEST: 1"] * 2
    assert len(server.received) == 4


def test_a_second_request_over_the_budget_is_not_sent(gateway):
    session, server = gateway(lambda *_: "five")
    options = TurnOptions(answer=AnswerType(int))
    session.chat.budget = session.preview(HI, options).estimate.cost
    with pytest.raises(XcyqError):
        Chat(session=session)("hi", as_=int)
    assert len(server.received) == 1
    assert kinds(session) == ["turn"]


def test_what_has_no_price_is_said_once_and_sent(gateway):
    session, server = gateway(prices={"gpt-*": (100_000, 100_000)}, budget=0.0)
    told = [session.ask(HI, TurnOptions(once=True)).reply.notices for _ in range(2)]
    assert [sum("does not count towards the budget" in n for n in notices) for notices in told] == [1, 0]
    with pytest.raises(BudgetError):
        session.ask(HI, TurnOptions(model="gpt-5.5"))
    assert len(server.received) == 2


def test_a_budget_is_of_today_and_of_all_notebooks(gateway):
    session, server = gateway(budget=2.0)
    ended = {"ended": "done", "cost": 100.0}
    long_ago = LedgerEntry("1", time.time() - 2 * 86_400, "k", "/other", "turn", "m", "m", **ended)
    session.conversations.record((), [long_ago])
    session.ask(HI)
    session.conversations.record((), [long_ago._replace(id="2", asked_at=time.time())])
    with pytest.raises(BudgetError, match=r"0\.0000 of today's budget"):
        session.ask(HI)
    assert len(server.received) == 1


@pytest.mark.parametrize("wrong", [-1, float("nan"), "much"])
def test_a_budget_that_cannot_be_is_refused(wrong):
    with pytest.raises(Exception, match="budget"):
        ChatSettings(budget=wrong)


# The estimate


def test_an_estimate_has_the_replies_where_their_length_is_known(gateway):
    session, _ = gateway(prices={"claude-*": (100_000, 100_000)})
    assert str(session.preview(HI).estimate) == "about 1 token to send, cost about 0.1000 and that of the replies"
    session.ask(HI, TurnOptions(once=True))
    assert str(session.preview(HI).estimate) == "about 1 token to send, cost about 0.6000 with the replies"
    assert str(session.preview(HI, TurnOptions(model="gpt-5.5")).estimate) == "about 1 token to send"
