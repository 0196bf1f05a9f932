"""`Chat` and `compare` typed by hand: what is wrong is said in a line or two, in words of Python."""

from __future__ import annotations

import pickle
import threading
from typing import Literal

import numpy as np
import pytest

from xcyq_magic import errors
from xcyq_magic.api import Chat, compare
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings

ECHO = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"
TWO = ["gpt-5.5", "claude-opus-4-7"]


@pytest.fixture
def session():
    session = ChatSession()
    session.access.start_sandbox()
    yield session
    session.close()


def bodies(session) -> list[dict]:
    return [r.body for r in session.access.sandbox.received]


# A misspelt argument


MEANT = {
    "modell": "model",
    "modle": "model",
    "Model": "model",
    "models": "model",
    "sytem": "system",
    "sistem": "system",
    "temprature": "temperature",
    "tempreature": "temperature",
    "topp": "top_p",
    "topP": "top_p",
    "maxTokens": "max_tokens",
    "max_token": "max_tokens",
    "stops": "stop",
    "conversaton": "conversation",
    "sesion": "session",
    "cache_d": "cached",
    "temp": "temperature",
    "max": "max_tokens",
    "sys": "system",
    "conv": "conversation",
}


@pytest.mark.parametrize(("typed", "meant"), MEANT.items())
def test_a_misspelt_argument_of_a_chat_is_refused(session, typed, meant):
    with pytest.raises(errors.OptionError) as raised:
        Chat(**{typed: "gpt-5.5"}, **({} if typed == "sesion" else {"session": session}))
    assert str(raised.value) == f"Chat has no parameter {typed}.\nDid you mean {meant}?"


def test_doubled_braces_in_python_are_said_to_be_text(session):
    with pytest.warns(UserWarning, match=r"\{\{ fig \}\} goes in as text: use an f-string, or pass fig behind") as told:
        Chat(session=session)("Look at {{ fig }} and {{ df.head }}.")
    assert [w.filename for w in told] == [__file__]
    Chat(session=session)("A template: {{#each rows}} {{ 1 + 1 }} {x}")


def test_a_comparison_says_that_the_models_come_first(session):
    with pytest.raises(errors.OptionError, match="compare takes the models first, then the prompt; nothing was sent"):
        compare("What is a mode?", TWO, session=session)
    assert bodies(session) == []


class Review:
    """A type of an answer."""


Here = type("Here", (), {"__module__": "__main__"})  # a cell's


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Review, "Review"),
        (int, "int"),
        (list[str], "list[str]"),
        (Literal["good", "bad"], "Literal['good', 'bad']"),
        (list[Here], "list[Here]"),
    ],
)
def test_a_type_among_the_media_is_refused_with_where_it_goes(session, kind, name):
    with pytest.raises(errors.OptionError, match="is a type, which cannot be attached; nothing was sent") as raised:
        Chat(session=session)("Judge it.", kind)
    assert raised.value.hint == f"For an answer of that type: as_={name}."
    assert bodies(session) == []


def test_a_model_that_is_not_there_is_offered_with_its_right_name(session):
    with pytest.raises(errors.NotFoundError) as raised:
        Chat("gpt55", session=session)("Hello")
    assert raised.value.hint.startswith("Did you mean gpt-5.5? Check the model's name")
    with pytest.raises(errors.NotFoundError) as raised:
        Chat("llama-3-70b", session=session)("Hello")
    assert "Did you mean" not in raised.value.hint


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model", "models"),
        ("reapeat", "repeat"),
        ("jugde", "judge"),
        ("temprature", "temperature"),
        ("strem", "stream"),
    ],
)
def test_a_misspelt_argument_of_a_comparison_is_refused(session, typed, meant):
    with pytest.raises(errors.OptionError) as raised:
        compare(TWO, "Hello", session=session, **{typed: 1})
    assert str(raised.value) == f"compare has no parameter {typed}.\nDid you mean {meant}?"
    assert bodies(session) == []


@pytest.mark.parametrize(
    ("models", "repeat", "way_on"),
    [
        ("gpt-5.5", 1, "Name another one, or ask it twice: repeat=2."),
        (["gpt-5.5"] * 3, 1, "To ask it 3 times, name it once and add repeat=3."),
        ("gpt-5.5", 0, "Try repeat=2."),
    ],
)
def test_the_way_on_is_the_argument_of_python(session, models, repeat, way_on):
    with pytest.raises(errors.OptionError) as raised:
        compare(models, "Hello", session=session, repeat=repeat)
    assert raised.value.hint == way_on
    assert str(raised.value).endswith(f"\n{way_on}")


@pytest.mark.parametrize(
    ("name", "way_on"),
    [
        ("once", 'chat("…", once=True)'),
        ("onces", 'chat("…", once=True)'),
        ("stream", 'chat("…", stream=False)'),
        ("prompt", 'chat("…")'),
        ("messages", 'chat("…")'),
        ("repeat", "compare"),
        ("judge", "compare"),
        ("check", "compare"),
        ("each", "compare"),
        ("system_prompt", "Did you mean system?"),
        ("as_type", 'chat("…", as_=Review)'),
        ("api_key", "XCYQ_API_KEY"),
        ("base_url", "XCYQ_BASE_URL"),
    ],
)
def test_what_goes_elsewhere_is_no_field_of_the_request(session, name, way_on):
    with pytest.raises(errors.OptionError, match=f"Chat has no parameter {name}\\.") as raised:
        Chat(session=session, **{name: "sk-secret"})
    assert way_on in raised.value.hint
    assert "secret" not in str(raised.value)


FIELDS = [
    *("top_k", "min_tokens", "max_completion_tokens", "max_new_tokens", "stop_sequences", "stream_options", "store"),
    *("top_logprobs", "modalities", "user", "tools", "seed", "n", "cache", "session_id", "conversation_id", "thinking"),
]


def test_any_other_field_is_sent_as_it_is(session):
    fields = {name: 1 for name in FIELDS if name != "stream_options"} | {"stream_options": {"include_usage": False}}
    Chat(session=session, **fields)(ECHO + "Hello")
    compare(TWO, ECHO + "Hello", session=session, **fields)
    for body in bodies(session):
        assert {name: body[name] for name in FIELDS} == fields


# Words that fit Python


WRONG = {
    "a number as the prompt": lambda s: Chat(session=s)(5),
    "several prompts": lambda s: Chat(session=s)(["a", "b"]),
    "no prompt": lambda s: Chat(session=s)(None),
    "bytes as the prompt": lambda s: Chat(session=s)(b"Hello"),
    "an array as the prompt": lambda s: Chat(session=s)(np.zeros(3), "What is it?"),
    "an empty prompt": lambda s: Chat(session=s)(""),
    "a blank prompt": lambda s: Chat(session=s)(" \n"),
    "too warm": lambda s: Chat(session=s, temperature=5)("Hello"),
    "a word as the temperature": lambda s: Chat(session=s, temperature="hot")("Hello"),
    "a truth as the temperature": lambda s: Chat(session=s, temperature=True)("Hello"),
    "too much mass": lambda s: Chat(session=s, top_p=2)("Hello"),
    "no tokens": lambda s: Chat(session=s, max_tokens=0)("Hello"),
    "half a token": lambda s: Chat(session=s, max_tokens=1.5)("Hello"),
    "a word as the tokens": lambda s: Chat(session=s, max_tokens="5")("Hello"),
    "a number to stop at": lambda s: Chat(session=s, stop=5)("Hello"),
    "numbers to stop at": lambda s: Chat(session=s, stop=[1, 2])("Hello"),
    "nothing to stop at": lambda s: Chat(session=s, stop="")("Hello"),
    "five to stop at": lambda s: Chat(session=s, stop=["END"] * 5)("Hello"),
    "a number as the model": lambda s: Chat(5, session=s)("Hello"),
    "several models": lambda s: Chat(TWO, session=s)("Hello"),
    "two words as the model": lambda s: Chat("gpt 5.5", session=s)("Hello"),
    "a number as the system prompt": lambda s: Chat(session=s, system=5)("Hello"),
    "a number as the conversation": lambda s: Chat(session=s, conversation=5)("Hello"),
    "a name as the session": lambda _: Chat(session="review")("Hello"),
    "what is no JSON": lambda s: Chat(session=s, metadata={1, 2})("Hello"),
    "not a number": lambda s: Chat(session=s, metadata=float("nan"))("Hello"),
    "what cannot be attached": lambda s: Chat(session=s)("Hello", None),
    "a word to undo": lambda s: Chat(session=s).undo("two"),
    "less than nothing to undo": lambda s: Chat(session=s).undo(-1),
    "one model": lambda s: compare("gpt-5.5", "Hello", session=s),
    "no model": lambda s: compare("", "Hello", session=s),
    "one model twice": lambda s: compare(["gpt-5.5", "gpt-5.5"], "Hello", session=s),
    "models with a comma": lambda s: compare("gpt-5.5, gpt-5.4", "Hello", session=s),
    "a number of models": lambda s: compare(2, "Hello", session=s),
    "numbers as models": lambda s: compare([1, 2], "Hello", session=s),
    "too many models": lambda s: compare("claude-*", "Hello", session=s),
    "no repetition": lambda s: compare(TWO, "Hello", session=s, repeat=0),
    "a word as the repetitions": lambda s: compare(TWO, "Hello", session=s, repeat="2"),
    "a name as the session of a comparison": lambda _: compare(TWO, "Hello", session="review"),
    "a number as the judge": lambda s: compare(TWO, "Hello", session=s, judge=5),
    "an empty comparison": lambda s: compare(TWO, "", session=s),
    "prompts for a comparison": lambda s: compare(TWO, ["a", "b"], session=s),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_wrong_call_is_refused_in_words_of_python(session, call):
    with pytest.raises(errors.InputError) as raised:
        call(session)
    assert len(raised.value._render_traceback_()) == 2  # what happened, and the way on
    assert bodies(session) == []
    for magic in ("%%", "%chat ", "%config", " -t", " -p", " -m", "Try -", "type --", "the cell"):
        assert magic not in str(raised.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda s: Chat(session=s)(["a", "b"]),
            """The prompt is text, not a list; nothing was sent.
Put values after it: chat("What is odd?", values). Ask several prompts one by one.""",
        ),
        (lambda s: Chat(session=s)(""), "The prompt is empty, so nothing was sent.\nWrite what you want to know."),
        (
            lambda s: Chat(session=s, temperature=5)("Hello"),
            "temperature is a number from 0 to 2, not 5; nothing was sent.\nTry 0.7.",
        ),
        (
            lambda s: Chat(session=s, max_tokens="5")("Hello"),
            "max_tokens is a whole number of at least 1, not '5'; nothing was sent.\nTry 500, or leave it out.",
        ),
        (
            lambda s: Chat(TWO, session=s),
            "model is text, not ['gpt-5.5', 'claude-opus-4-7'].\nTry model=\"gpt-5.5\".",
        ),
        (lambda _: Chat(session="review"), "session is a ChatSession, not 'review'.\nTry conversation=\"review\"."),
    ],
)
def test_what_is_wrong_is_named(session, call, words):
    with pytest.raises(errors.InputError) as raised:
        call(session)
    assert str(raised.value) == words


def test_numbers_of_numpy_are_taken(session):
    Chat(
        session=session,
        temperature=np.float32(0.5),
        top_p=np.float64(0.5),
        max_tokens=np.int64(50),
        stop=None,
        seed=np.int64(7),
        logprobs=np.True_,
    )(ECHO + "Hello")
    body = bodies(session)[0]
    names = ("temperature", "top_p", "max_tokens", "seed", "logprobs")
    assert [body[n] for n in names] == [0.5, 0.5, 50, 7, True]
    assert "stop" not in body
    compare(TWO, ECHO + "Hello", session=session, repeat=np.int64(2), max_tokens=np.int64(50))
    assert [b["max_tokens"] for b in bodies(session)[1:]] == [50] * 4


# How it shows itself


def test_a_chat_shows_its_name_its_model_and_its_turns(session):
    chat = Chat("gpt-5.5", session=session)
    assert repr(chat) == "<Chat: gpt-5.5, no turns>"
    chat(ECHO + "one")
    assert repr(chat) == "<Chat: gpt-5.5, 1 turn>"
    named = Chat(session=session, conversation="review")
    named(ECHO + "one")
    named(ECHO + "two")
    session.choose("review", model="claude-opus-4-7")
    assert repr(named) == "<Chat 'review': claude-opus-4-7, 2 turns>"
    session.chat.model = "gpt-5.4"
    assert repr(Chat(session=session)) == "<Chat: gpt-5.4, no turns>"


def test_a_chat_shows_itself_in_a_line_whatever_its_name_and_model_are(session):
    shown = repr(Chat("gpt\n\x1b[31m\u202e5", session=session, conversation="a\nb\u202ec"))
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1


def test_a_chat_never_shows_the_key(session):
    session.access.stop_sandbox()
    session.access.enter_key("sk-5ecret5ecret")
    assert "5ecret" not in repr(Chat(session=session))


@pytest.mark.parametrize("name", [None, "review"])
def test_to_look_at_a_chat_starts_nothing(session, name):
    chat = Chat("gpt-5.5", session=session, conversation=name)
    chat(ECHO + "one")
    expected = repr(chat)
    copy = pickle.loads(pickle.dumps(chat))  # noqa: S301  # our own
    threads = threading.active_count()
    assert repr(copy) == expected  # its session would start a sandbox
    assert threading.active_count() == threads
    session.close()
    assert repr(chat).startswith("<Chat")


def test_a_chat_without_a_session_names_the_model_of_the_settings():
    chat = pickle.loads(pickle.dumps(Chat(session=ChatSession(chat=ChatSettings(model="gpt-5.4")))))  # noqa: S301
    assert repr(chat) == "<Chat: gpt-5.4, no turns>"


def test_a_chat_in_a_script_shows_itself_before_its_first_use(monkeypatch):
    assert repr(Chat()) == "<Chat: claude-sonnet-4-6, no turns>"
    monkeypatch.setenv("XCYQ_MODEL", "gpt-5.4")
    assert repr(Chat(conversation="review")) == "<Chat 'review': gpt-5.4, no turns>"
