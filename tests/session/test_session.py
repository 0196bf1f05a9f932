"""The middle of every chat: a session, and a `Chat` from Python, against the sandbox."""

from __future__ import annotations

import base64
import io
import json
import threading
import time

import numpy as np
import pytest
from PIL import Image as Pillow
from servers import DONE, Answer, RawServer, chunked, delta
from traitlets import TraitError

from xcyq_magic import errors
from xcyq_magic.api import Chat
from xcyq_magic.chat.completion import Delta
from xcyq_magic.chat.conversation import CellRun, Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, Video
from xcyq_magic.gateway.attempt import Deltas, Ended
from xcyq_magic.media.files import read_media
from xcyq_magic.session.grid import Grid
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions

FAST = "sandbox: first 0\nsandbox: pace 5000 20\n"
ECHO = FAST + "sandbox: echo\n"
STALL = "sandbox: first 0\nsandbox: markdown 400\nsandbox: stall 40"


@pytest.fixture
def session():
    session = ChatSession()
    session.access.start_sandbox()
    yield session
    session.close()


@pytest.fixture
def gateway():
    """Start a raw server, and a session that asks it."""
    opened: list[RawServer | ChatSession] = []

    def start(*answers: Answer) -> tuple[ChatSession, RawServer]:
        server = RawServer(list(answers))
        session = ChatSession(GatewaySettings(base_url=server.base_url))
        session.access.enter_key("sk-5ecret")
        opened.extend([session, server])
        return session, server

    yield start
    for each in opened:
        each.close()


def user(*parts: Image | str) -> Message:
    return Message.of("user", *parts)


def ask(session: ChatSession, prompt: str = "Hello", options: TurnOptions | None = None, **more):
    return session.ask(user(ECHO + prompt), options, **more)


def bodies(session: ChatSession) -> list[dict]:
    return [r.body for r in session.access.sandbox.received]


def said(body: dict) -> list[tuple[str, str]]:
    """Who said what in a request, the directives aside."""
    return [(m["role"], m["content"].removeprefix(ECHO)) for m in body["messages"]]


# History


def test_a_second_turn_repeats_the_first(session):
    first = ask(session, "one")
    assert (first.error, first.completion.text) == (None, "one")
    ask(session, "two")
    assert said(bodies(session)[1]) == [("user", "one"), ("assistant", "one"), ("user", "two")]
    assert session.conversation().turns[0] == first.turn
    assert len(session.conversation().turns) == 2


def test_conversations_are_apart(session):
    ask(session, "one")
    ask(session, "two", conversation="review")
    assert said(bodies(session)[1]) == [("user", "two")]
    assert [len(session.conversation(name).turns) for name in ("main", "review")] == [1, 1]


def test_once_neither_reads_nor_writes_the_history(session):
    ask(session, "one")
    before = session.conversation()
    outcome = ask(session, "two", TurnOptions(once=True))
    assert outcome.completion.text == "two"
    assert said(bodies(session)[1]) == [("user", "two")]
    assert session.conversation() is before
    assert outcome.conversation == before


def test_a_cell_run_again_repeats_only_what_stands_above_it(session):
    for number, (cell, prompt) in enumerate([("A", "a"), ("B", "b"), ("C", "c"), ("B", "b again")]):
        ask(session, prompt, cell=CellRun(cell, str(number)))
    assert said(bodies(session)[3]) == [("user", "a"), ("assistant", "a"), ("user", "b again")]
    assert [t.completion.text for t in session.conversation().turns] == ["a", "b again", "c"]


def test_a_conversation_that_was_reset_begins_afresh(session):
    ask(session, "one")
    session.reset()
    ask(session, "two")
    assert said(bodies(session)[1]) == [("user", "two")]


def test_a_turn_remembers_what_it_asked_with(session):
    parameters = Parameters(temperature=0.5, extra={"seed": 7})
    cell = CellRun("A", "1")
    turn = ask(session, "one", TurnOptions(system="Be brief.", parameters=parameters), cell=cell).turn
    assert (turn.system, turn.parameters, turn.cell) == ("Be brief.", parameters, cell)
    assert turn.completion.finish_reason == "stop"
    assert turn.completion.usage.total_tokens > 0
    assert 0 <= turn.completion.first_token_s <= turn.completion.duration_s
    assert abs(turn.asked_at - time.time()) < 60
    assert (bodies(session)[0]["temperature"], bodies(session)[0]["seed"]) == (0.5, 7)


@pytest.mark.parametrize("stream", [True, False])
def test_a_reply_is_streamed_or_not_as_the_option_says(session, stream):
    outcome = ask(session, "one", TurnOptions(stream=stream))
    assert outcome.completion.text == "one"
    assert bodies(session)[0].get("stream", False) is stream


def test_whether_replies_are_streamed_is_a_setting(session):
    session.chat.stream = False
    ask(session)
    assert "stream" not in bodies(session)[0]


# System prompt and model


@pytest.mark.parametrize(
    ("setting", "conversation", "option", "sent"),
    [
        ("", None, None, None),
        ("setting", None, None, "setting"),
        ("setting", "conversation", None, "conversation"),
        ("setting", "", None, None),
        ("setting", "conversation", "option", "option"),
        ("setting", "conversation", "", None),
        ("setting", None, "  \n", None),
        ("", None, " option\n", "option"),
    ],
)
def test_the_nearest_system_prompt_is_sent(session, setting, conversation, option, sent):
    session.chat.system = setting
    session.choose(system=conversation)
    outcome = ask(session, "one", TurnOptions(system=option))
    assert said(bodies(session)[0]) == [*([("system", sent)] if sent else []), ("user", "one")]
    assert outcome.turn.system == sent


@pytest.mark.parametrize(
    ("setting", "conversation", "option", "sent"),
    [
        (None, None, None, "claude-sonnet-4-6"),
        ("gpt-5.4", None, None, "gpt-5.4"),
        ("gpt-5.4", "gpt-5.5", None, "gpt-5.5"),
        ("gpt-5.4", "gpt-5.5", "gemini-2.5-pro", "gemini-2.5-pro"),
        ("gpt-5.4", None, "gemini-2.5-pro", "gemini-2.5-pro"),
    ],
)
def test_the_nearest_model_is_asked(session, setting, conversation, option, sent):
    if setting:
        session.chat.model = setting
    session.choose(model=conversation)
    outcome = ask(session, "one", TurnOptions(model=option))
    assert bodies(session)[0]["model"] == sent
    assert outcome.completion.requested_model == outcome.completion.model == sent


def test_the_environment_gives_the_model(monkeypatch):
    monkeypatch.setenv("XCYQ_MODEL", " gpt-5.5 \n")
    assert ChatSettings().model == "gpt-5.5"
    monkeypatch.setenv("XCYQ_MODEL", " ")
    assert ChatSettings().model == "claude-sonnet-4-6"


def test_another_model_that_answered_is_kept(session):
    outcome = session.ask(user(FAST + "sandbox: model gpt-5.4-low"), TurnOptions(model="gpt-5.4"))
    assert (outcome.completion.requested_model, outcome.completion.model) == ("gpt-5.4", "gpt-5.4-low")


def test_an_unknown_model_is_asked_with_a_notice(session):
    outcome = ask(session, "one", TurnOptions(model="claude-opus-47"))
    assert bodies(session)[0]["model"] == "claude-opus-47"
    assert outcome.reply.notices == [
        "claude-opus-47 is not in the catalogue; requests use it as typed. Did you mean claude-opus-4-7?"
    ]
    assert type(outcome.error) is errors.NotFoundError


# Failures


@pytest.mark.parametrize(
    ("directive", "kind"),
    [
        ("status 500\nsandbox: retry-after 0", errors.ServerError),
        ("status 429\nsandbox: retry-after 0", errors.RateLimitError),
        ("page", errors.AnswerError),
        ("dance", errors.BadRequestError),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_a_request_that_failed_leaves_the_conversation_as_it_was(session, directive, kind, stream):
    ask(session, "one", cell=CellRun("A", "1"))
    before = session.conversation()
    prompt = user(f"{FAST}sandbox: {directive}")
    outcome = session.ask(prompt, TurnOptions(stream=stream), cell=CellRun("A", "2"))
    assert type(outcome.error) is kind
    assert outcome.turn is outcome.completion is None
    assert outcome.reply.state == "failed"
    assert outcome.conversation == session.conversation() == before


def test_what_breaks_a_rule_is_raised_and_not_sent(session):
    with pytest.raises(errors.RequestError):
        ask(session, "one", TurnOptions(parameters=Parameters(temperature=3)))
    assert bodies(session) == []
    assert session.conversation().turns == ()


def test_a_dropped_reply_is_kept_and_marked(session):
    outcome = session.ask(user(FAST + "sandbox: markdown 900\nsandbox: drop 200"))
    assert type(outcome.error) is errors.IncompleteReplyError
    assert outcome.completion.partial == "incomplete"
    assert 200 <= len(outcome.completion.text) < 300
    assert session.conversation().turns == (outcome.turn,)
    ask(session, "go on")
    assert bodies(session)[1]["messages"][1] == {"role": "assistant", "content": outcome.completion.text}


def test_an_error_before_the_first_word_leaves_no_turn(session):
    outcome = session.ask(user(FAST + "sandbox: error 0"))
    assert "asked to fail in the middle" in outcome.error.message
    assert outcome.turn is None
    assert session.conversation().turns == ()


@pytest.mark.parametrize("directive", ["error 200", "garbage 200", "drop 200"])
def test_a_reply_that_broke_off_is_kept_and_its_error_says_so(session, directive):
    outcome = session.ask(user(f"{FAST}sandbox: markdown 900\nsandbox: {directive}"))
    assert type(outcome.error) is errors.IncompleteReplyError
    assert outcome.completion.partial == "incomplete"
    assert session.conversation().turns == (outcome.turn,)


def test_a_reply_is_stopped_from_another_thread(session):
    streaming = threading.Event()
    replies: list = []

    def paint(live) -> None:
        replies[:] = live
        if live[0].state == "streaming":
            streaming.set()

    def stop() -> None:
        streaming.wait(10)
        replies[0].stop()

    stopper = threading.Thread(target=stop)
    stopper.start()
    outcome = session.ask(user(STALL), paint=paint)
    stopper.join()
    assert outcome.error is None
    assert outcome.reply.state == "stopped"
    assert outcome.completion.partial == "stopped"
    assert outcome.completion.text
    assert session.conversation().turns == (outcome.turn,)


def test_a_reply_stopped_before_its_first_word_leaves_no_turn(session):
    before = session.conversation()
    outcome = session.ask(user("sandbox: first 60"), paint=lambda live: live[0].stop())
    assert outcome.error is None
    assert outcome.turn is None
    assert outcome.reply.state == "stopped"
    assert session.conversation() == before


def test_an_interrupt_ends_the_reply_and_keeps_what_came(session):
    def paint(live) -> None:
        if live[0].state == "streaming":
            raise KeyboardInterrupt

    outcome = session.ask(user(STALL), paint=paint)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert outcome.completion.partial == "stopped"
    assert session.conversation().turns == (outcome.turn,)


def test_a_view_that_fails_takes_no_reply_away(session):
    painted = []

    def paint(live) -> None:
        painted.append(live[0].state)
        if live[0].state == "streaming":
            msg = "no such colour"
            raise ValueError(msg)

    outcome = session.ask(user("sandbox: markdown 900"), paint=paint)
    assert str(outcome.error) == "no such colour"
    assert (outcome.completion.partial, painted.count("streaming")) == (None, 1)
    assert session.conversation().turns == (outcome.turn,)


def test_a_view_that_fails_before_anything_is_sent_prevents_the_request(session):
    def paint(live) -> None:
        msg = "no such colour"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="no such colour"):
        session.ask(user(ECHO), paint=paint)
    assert session.access.sandbox.received == []
    assert ask(session, "two").error is None


@pytest.mark.parametrize("stream", [True, False])
def test_a_reply_without_text_does_not_spoil_the_next_turn(session, stream):
    """The gateway refuses a message whose content is empty, and so every later turn would fail."""
    first = session.ask(user(ECHO), TurnOptions(stream=stream))
    assert (first.error, first.completion.text) == (None, "")
    assert ask(session, "two").error is None


def test_a_reply_stopped_while_it_thought_does_not_spoil_the_next_turn(session):
    def paint(live) -> None:
        if live[0].builder.reasoning_pieces:
            live[0].stop()

    first = session.ask(user("sandbox: first 0\nsandbox: think 4000\nsandbox: pace 50 5"), paint=paint)
    assert (first.completion.text, first.completion.partial) == ("", "stopped")
    assert first.completion.reasoning
    assert ask(session, "two").error is None


def test_half_a_character_in_a_reply_does_not_spoil_the_next_turn(gateway):
    """A gateway that cuts UTF-16 strings, or a reply that ends inside an emoji, leaves a lone surrogate."""
    session, server = gateway(Answer(chunked(delta("Hi \ud83d"), DONE)))
    assert session.ask(user("one")).error is None
    second = session.ask(user("two"))
    assert second.error is None
    assert server.requests[1].json["messages"][1]["content"].startswith("Hi ")


def test_a_prompt_that_is_no_text_is_an_error_of_ours(session):
    try:
        error = ask(session, "half an emoji: \ud83d").error
    except errors.InputError as e:
        error = e
    assert error is None or isinstance(error, errors.XcyqError)


# The way to the gateway


def test_without_a_key_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("XCYQ_API_KEY", raising=False)
    session = ChatSession()
    with pytest.raises(errors.MissingKeyError, match="nothing was sent") as raised:
        session.ask(user("Hello"))
    assert all(way in raised.value.hint for way in ("XCYQ_API_KEY", "XCYQ_BASE_URL"))
    assert "%" not in raised.value.hint  # there may be no IPython to type a magic into
    session.close()


def test_the_key_comes_from_the_environment_unless_it_was_entered(gateway, monkeypatch):
    monkeypatch.setenv("XCYQ_API_KEY", "sk-environment")
    entered, server = gateway(Answer(chunked(delta("Hi"), DONE)))
    entered.ask(user("Hello"))
    other = ChatSession(entered.gateway)
    other.ask(user("Hello"))
    other.close()
    assert [r.headers["authorization"] for r in server.requests] == ["Bearer sk-5ecret", "Bearer sk-environment"]


def test_the_key_is_nowhere_in_the_session(gateway):
    session, _ = gateway(Answer(chunked(delta("Hi"), DONE)))
    outcome = session.ask(user("Hello"))
    shown = [repr(vars(session)), repr(vars(session.access)), repr(outcome), repr(vars(outcome.reply))]
    assert not any("5ecret" in s for s in shown)
    assert "5ecret" not in json.dumps(outcome.turn.to_dict())


def test_a_base_url_of_the_environment_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("XCYQ_BASE_URL", "gateway.example")
    session = ChatSession()
    session.access.enter_key("sk-5ecret")
    with pytest.raises(errors.SettingError, match="http"):
        session.ask(user("Hello"))
    session.close()


def test_a_session_that_left_its_sandbox_asks_the_gateway_again(session, monkeypatch):
    monkeypatch.delenv("XCYQ_API_KEY", raising=False)
    assert session.access.base_url == session.access.start_sandbox().base_url
    session.access.stop_sandbox()
    assert session.access.base_url == "http://apillm.globalaiopc.com/gw_llm_power"
    with pytest.raises(errors.MissingKeyError):
        session.access.key()


def test_closing_a_session_ends_its_threads():
    before = set(threading.enumerate())
    session = ChatSession()
    session.access.start_sandbox()
    ask(session)
    assert set(threading.enumerate()) - before
    session.close()
    session.close()
    assert not set(threading.enumerate()) - before


# Pictures


def picture(tmp_path, form: str, size: tuple[int, int] = (60, 40)) -> Image:
    path = tmp_path / f"picture.{form.lower()}"
    Pillow.new("RGB", size, "#ff8000").save(path, form)
    return read_media(path)


def pictures(body: dict) -> list[tuple[str, tuple[int, int]]]:
    """The format and size of each picture in a request."""
    parts = [p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]]
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    opened = [Pillow.open(io.BytesIO(base64.b64decode(u.partition(",")[2]))) for u in urls]
    assert all(u.startswith(f"data:image/{p.format.lower()};base64,") for u, p in zip(urls, opened, strict=True))
    return [(p.format, p.size) for p in opened]


def test_a_picture_is_fitted_for_the_model_that_is_asked(session, tmp_path):
    outcome = session.ask(user(picture(tmp_path, "PNG", (3000, 30)), FAST), TurnOptions(model="claude-sonnet-4-6"))
    assert outcome.error is None
    assert pictures(bodies(session)[0]) == [("PNG", (1568, 16))]
    assert outcome.turn.prompt.images[0].width == 3000  # another model may see more of it


def test_pictures_of_earlier_turns_are_fitted_for_the_model_that_is_asked_now(session, tmp_path):
    prompt = user(picture(tmp_path, "GIF", (300, 200)), picture(tmp_path, "PNG", (2048, 20)), FAST)
    assert session.ask(prompt, TurnOptions(model="gpt-5.4")).error is None
    assert ask(session, "now?", TurnOptions(model="gemini-2.5-pro")).error is None
    assert ask(session, "now?", TurnOptions(model="claude-haiku-4-5")).error is None
    assert [pictures(body) for body in bodies(session)] == [
        [("GIF", (300, 200)), ("PNG", (2048, 20))],
        [("PNG", (300, 200)), ("PNG", (2048, 20))],
        [("GIF", (300, 200)), ("PNG", (1568, 15))],
    ]


def test_over_twenty_pictures_keep_claudes_harder_limit(session, tmp_path):
    """With more than 20 pictures in a request, Claude refuses it for one over 2000 pixels."""
    many = [picture(tmp_path, "PNG", (2500, 10))] * 21
    outcome = session.ask(user(*many, FAST), TurnOptions(model="claude-opus-4-7"))
    assert outcome.error is None
    assert len(pictures(bodies(session)[0])) == 21
    assert all(max(size) <= 2000 for _, size in pictures(bodies(session)[0]))


# Painting


def test_a_reply_is_painted_at_most_twenty_times_a_second(session):
    states: list[tuple[str, int]] = []

    def paint(live) -> None:
        states.append((live[0].state, len(live[0].builder.text_pieces)))

    started = time.monotonic()
    prompt = user("sandbox: first 0\nsandbox: pace 400 4\nsandbox: markdown 1600")
    outcome = session.ask(prompt, paint=paint)
    elapsed = time.monotonic() - started
    assert len(outcome.completion.text) == 1600
    assert 3 <= len(states) <= 20 * elapsed + 5
    assert states[0] == ("waiting", 0)
    assert states[-1] == ("done", len(outcome.reply.builder.text_pieces))


@pytest.mark.parametrize("prompt", [ECHO + "short", "sandbox: status 500\nsandbox: retry-after 0"])
def test_even_a_reply_of_no_time_is_painted_to_its_end(session, prompt):
    states = []
    session.ask(user(prompt), paint=lambda live: states.append(live[0].state))
    assert states[0] == "waiting"
    assert states[-1] in {"done", "failed"}


def test_first_words_do_not_wait_for_their_frame():
    """A frame has just been painted, and more has come behind them: they are shown, and then the rest."""
    reply, painted = LiveReply("gpt-5.5"), []

    def start(live, arrivals) -> None:
        for arrival in (Deltas((Delta(model="gpt-5.5"),), 1.0), *(Deltas((Delta(text=t),), 2.0) for t in "abc")):
            arrivals.put((live, arrival))
        arrivals.put((live, Ended(None, 3.0)))

    grid = Grid([reply], lambda live: painted.append("".join(live[0].builder.text_pieces)), slots=1)
    assert grid.run(lambda: None, start) is None
    assert painted == ["", "", "a", "abc"]  # before it is sent, then with it


class Closing:
    """An exchange whose end is heard while it is being cancelled, as where the client's thread is the faster one."""

    def __init__(self, sink) -> None:
        self._sink = sink

    def cancel(self) -> None:
        self._sink(Ended(errors.GatewayError("The connection was closed from here."), time.monotonic()))


@pytest.mark.parametrize("end", [LiveReply.stop, LiveReply.abandon])
def test_a_reply_that_is_stopped_ends_as_stopped_however_fast_its_connection_closes(end):
    reply = LiveReply("gpt-5.5")

    def start(live, arrivals) -> None:
        live.start(Closing, arrivals)
        end(live)

    Grid([reply], lambda _: None, slots=1).run(lambda: None, start)
    assert (reply.state, reply.error) == ("stopped", None)


def test_a_silent_reply_is_painted_too(session):
    painted, started = [], time.monotonic()
    session.ask(user("sandbox: first 1"), paint=painted.append)
    assert 3 <= len(painted) <= 20 * (time.monotonic() - started) + 5


# From Python


def test_a_chat_has_a_conversation_of_its_own(session):
    first, second = Chat(session=session), Chat(session=session)
    assert first(ECHO + "one").text == "one"
    assert second(ECHO + "two").text == "two"
    assert first(ECHO + "three").text == "three"
    assert said(bodies(session)[2]) == [("user", "one"), ("assistant", "one"), ("user", "three")]
    assert [len(c.conversation.turns) for c in (first, second)] == [2, 1]
    assert session.conversation().turns == ()


def test_a_chat_takes_part_in_a_conversation_by_its_name(session):
    ask(session, "one", conversation="review")
    chat = Chat(session=session, conversation="review")
    chat(ECHO + "two")
    ask(session, "three", conversation="review")
    assert said(bodies(session)[2])[::2] == [("user", "one"), ("user", "two"), ("user", "three")]
    assert chat.conversation == session.conversation("review")
    assert len(chat.conversation.turns) == 3


def test_a_chat_asks_with_its_options(session):
    chat = Chat("gpt-5.5", session=session, system="Be brief.", temperature=0, top_p=0.5, stop="END", seed=7)
    chat(ECHO + "one", stream=False)
    body = bodies(session)[0]
    assert said(body) == [("system", "Be brief."), ("user", "one")]
    assert {name: body[name] for name in body if name != "messages"} == {
        "model": "gpt-5.5",
        "temperature": 0,
        "top_p": 0.5,
        "stop": ["END"],
        "seed": 7,
    }


def test_a_chat_sends_pictures_before_the_text(session, tmp_path):
    path = tmp_path / "plot.png"
    Pillow.new("RGB", (6, 4)).save(path)
    Chat(session=session)(FAST + "What is this?", path, str(path))
    content = bodies(session)[0]["messages"][0]["content"]
    assert [p["type"] for p in content] == ["image_url", "image_url", "text"]


@pytest.mark.parametrize("odd", ["missing.png", "~nobody-of-this-name/plot.png", None])
def test_a_chat_refuses_what_cannot_be_attached(session, odd):
    chat = Chat(session=session)
    with pytest.raises(errors.MediaError, match="nothing was sent"):
        chat("What is this?", odd)
    assert bodies(session) == []


def test_a_chat_asks_once(session):
    chat = Chat(session=session)
    chat(ECHO + "one")
    chat(ECHO + "two", once=True)
    assert said(bodies(session)[1]) == [("user", "two")]
    assert len(chat.conversation.turns) == 1


@pytest.mark.parametrize("name", [None, "review"])
def test_a_chat_takes_turns_back(session, name):
    chat = Chat(session=session, conversation=name)
    for prompt in ("one", "two", "three"):
        chat(ECHO + prompt)
    chat.undo()
    assert [t.completion.text for t in chat.conversation.turns] == ["one", "two"]
    chat.undo(2)
    assert chat.conversation.turns == ()
    chat.undo()
    assert chat(ECHO + "four").text == "four"
    assert said(bodies(session)[3]) == [("user", "four")]


def test_a_chat_raises_the_error_and_stays_as_it_was(session):
    chat = Chat(session=session)
    chat(ECHO + "one")
    before = chat.conversation
    with pytest.raises(errors.ServerError):
        chat("sandbox: status 500\nsandbox: retry-after 0")
    with pytest.raises(errors.RequestError):
        Chat(session=session, temperature=3)("Hello")
    assert chat.conversation == before


@pytest.mark.parametrize("name", [None, "review"])
def test_a_chat_raises_the_error_of_a_dropped_reply_and_keeps_it(session, name):
    chat = Chat(session=session, conversation=name)
    with pytest.raises(errors.IncompleteReplyError):
        chat(FAST + "sandbox: markdown 900\nsandbox: drop 200")
    assert chat.conversation.turns[-1].completion.partial == "incomplete"


# Films


def test_a_film_travels_in_the_form_that_is_set(session):
    film = Video(bytes.fromhex("0000001066747970") + b"isom" + bytes(4), "video/mp4", "film.mp4")
    for form in ("video_url", "file"):
        session.gateway.video_form = form
        outcome = session.ask(user(film, FAST + "What is this?"), TurnOptions(model="gemini-2.5-pro", once=True))
        assert f"`{form}`" in outcome.result().text
    assert [b["messages"][0]["content"][0]["type"] for b in bodies(session)] == ["video_url", "file"]


def test_a_film_that_is_too_large_or_for_another_model_is_not_sent(session):
    film = Video(bytes(200_000), "video/mp4", "film.mp4")
    session.gateway.max_video_mb = 0.2
    for model, words in (("gemini-2.5-pro", "film.mp4 would take 0.3 MB"), ("gpt-5.5", "takes no video")):
        with pytest.raises(errors.RequestError, match=words):
            session.ask(user(film, "What is this?"), TurnOptions(model=model))
    assert bodies(session) == []
    assert session.conversation().turns == ()


@pytest.mark.parametrize(("name", "value"), [("video_form", "url"), ("max_video_mb", 0), ("max_video_mb", -1.0)])
def test_a_setting_of_films_that_cannot_be_is_refused(name, value):
    with pytest.raises(TraitError):
        setattr(GatewaySettings(), name, value)


def test_a_chat_takes_whatever_is_in_memory(session):
    grey = np.arange(400, dtype=np.uint8).reshape(20, 20)
    session.chat.value_chars = 200
    with pytest.warns(UserWarning, match="This dict does not go in whole. Left out: 4,960 items; .* = 2000 takes more"):
        Chat("gemini-2.5-pro", session=session)(
            FAST + "Look.", grey, {"a": [*range(5000)]}, "https://example.org/a.png"
        )
    parts = bodies(session)[0]["messages"][0]["content"]
    assert [p["type"] for p in parts] == ["image_url", "text", "image_url", "text"]
    assert "more of 5,000" in parts[1]["text"]
    assert len(parts[1]["text"]) <= 200
    assert parts[2]["image_url"]["url"] == "https://example.org/a.png"
