"""Answers of a type: the schema that is sent, the value that is read, and what happens where none fits."""

from __future__ import annotations

import datetime as dt
import enum
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, field_validator
from servers import DONE, Answer, RawServer, chunked, delta, event, http
from typing_extensions import TypedDict

from xcyq_magic.api import Chat, compare
from xcyq_magic.chat.completion import Delta
from xcyq_magic.chat.messages import Message
from xcyq_magic.errors import OptionError, StatusError, TypeMismatchError
from xcyq_magic.gateway.attempt import Deltas, Ended
from xcyq_magic.session.grid import Grid
from xcyq_magic.session.live import LiveReply
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.settings import ChatSettings, GatewaySettings
from xcyq_magic.session.turn import TurnOptions
from xcyq_magic.session.typed import AnswerType


class Review(BaseModel):
    """What a reviewer thinks."""

    label: Literal["good", "bad", "mixed"]
    score: int | None = Field(None, ge=0, le=5)


@dataclass
class Point:
    x: int
    y: float


class Counts(TypedDict):
    words: int


class Node(BaseModel):
    name: str
    inner: list[Node] = []


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


GOOD = Review(label="good", score=4)


@pytest.mark.parametrize(
    ("python_type", "reply", "value"),
    [
        (Review, '{"label": "good", "score": 4}', GOOD),
        (Review, 'It is clear:\n```json\n{"label": "good", "score": 4}\n```\nThat is all.', GOOD),
        (Review, 'I thought {well} of [it].\n{"label": "good", "score": 4}', GOOD),
        (Review, '{"label": "great"} or rather {"label": "good", "score": 4}', GOOD),
        (Review, '{"review": {"label": "good", "score": 4}}', GOOD),
        (Point, '{"x": 1, "y": 2}', Point(1, 2.0)),
        (Counts, '{"words": 3}', {"words": 3}),
        (Node, '{"name": "a", "inner": [{"name": "b"}]}', Node(name="a", inner=[Node(name="b")])),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (list[Point], '{"value": [{"x": 1, "y": 2}]}', [Point(1, 2)]),
        (list[Point], 'These: [{"x": 1, "y": 2}]', [Point(1, 2)]),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (set[int], "[1, 1]", {1}),
        (Literal["good", "bad"], "good", "good"),
        (Literal["good", "bad"], " **good**.\n", "good"),
        (Literal["good", "bad"], '"good"', "good"),
        (Literal["good", "bad"], '{"value": "good"}', "good"),
        (Literal["5", "6"], "5", "5"),
        (int, "42", 42),
        (int, "It is\n```\n42\n```", 42),
        (int, 'The answer is {"value": 42}.', 42),
        (float, "1.5e3", 1500.0),
        (bool, "Yes.", True),
        (bool, "false", False),
        (str, "Any text, with {braces}.", "Any text, with {braces}."),
        (str, '{"value": "a text"}', "a text"),
        (Colour, "blue", Colour.BLUE),
        (int | None, "null", None),
        (int | str, '{"value": "a"}', "a"),
        (Review | Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (dt.date, "2026-11-27", dt.date(2026, 11, 27)),
    ],
)
def test_a_reply_is_read_as_a_value_of_its_type(python_type, reply, value):
    assert AnswerType(python_type).parse(reply) == value


@pytest.mark.parametrize(
    ("python_type", "reply", "why"),
    [
        (Review, "It is good.", "there is no JSON in it"),
        (Review, "", "there is no JSON in it"),
        (Review, '{"score": 4}', "label: Field required"),
        (
            Review,
            '{"label": "great", "score": 9}',
            "label: Input should be 'good', 'bad' or 'mixed', not \"great\"; score:",
        ),
        (Review, "[" * 200_000, "there is no JSON in it"),
        (Review, '{"label" "good", "tags": ["a", "b"]}', "its JSON is broken (Expecting ':' delimiter)"),
        (Review, "{ else } is code", "there is no JSON in it"),
        (int, "The answer is 42.", "unable to parse string as an integer"),
        (int, "[42]", "Input should be a valid integer"),
        (float, "NaN", "NaN is no finite number"),
        (float, '{"value": 1e999}', "Input should be a valid number"),
        (list[int], '["a", "b", "c", "d", "e"]', "and 2 more"),
        (list[int], json.dumps(["a"] * 2_000), "2,000 parts of it are wrong"),
    ],
)
def test_a_reply_that_does_not_fit_is_refused_with_the_words_of_the_validation(python_type, reply, why):
    with pytest.raises(TypeMismatchError) as raised:
        AnswerType(python_type).parse(reply)
    assert why in raised.value.message
    assert len(raised.value.message) < 500
    assert not raised.value.final


@pytest.mark.parametrize(
    ("python_type", "reply", "truncated"),
    [
        (Review, '{"label": "go', False),
        (Node, '{"name": "a", "inner": [{"name": "b"}, {"na', False),  # what is whole in it is not the answer
        (list[int], "[1, 2", False),
        (int, "12", True),
        (Review, "Let me think about it", True),
    ],
)
def test_a_reply_that_was_cut_says_so(python_type, reply, truncated):
    with pytest.raises(TypeMismatchError, match="was cut off before its JSON was complete"):
        AnswerType(python_type).parse(reply, truncated=truncated)


def test_a_value_that_was_whole_before_the_cut_counts():
    assert AnswerType(Review).parse('{"label": "good", "score": 4} I chose', truncated=True) == GOOD


reviews = st.builds(Review, label=st.sampled_from(["good", "bad", "mixed"]), score=st.none() | st.integers(0, 5))
prose = st.text(st.sampled_from("so, it is.\n`\"'"), max_size=20)


@given(prose, reviews, prose, st.booleans())
def test_whatever_stands_around_it_the_value_is_found(before, review, after, fenced):
    source = review.model_dump_json()
    reply = f"{before}\n```json\n{source}\n```\n{after}" if fenced else before + source + after
    assert AnswerType(Review).parse(reply) == review


# The schema


@pytest.mark.parametrize(
    ("python_type", "name", "wrapped"),
    [
        (Review, "Review", False),
        (Node, "Node", False),
        (dict[str, int], "dict_str_int", False),
        (list[Review], "list_Review", True),
        (Literal["a b", "c"], "Literal_a_b_c", True),
        (int, "int", True),
        (Review | Point, "Review_Point", True),
    ],
)
def test_the_root_of_a_schema_is_an_object_with_a_name_that_is_taken(python_type, name, wrapped):
    described = AnswerType(python_type).response_format()["json_schema"]
    schema = described["schema"]
    assert described["name"] == name
    assert schema["type"] == "object"
    assert (list(schema.get("properties", {})) == ["value"]) is wrapped


def objects_in(schema: Any):
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for inner in schema.values():
            yield from objects_in(inner)
    for inner in schema if isinstance(schema, list) else ():
        yield from objects_in(inner)


class Nested(BaseModel):
    title: str  # a field that is called as a keyword is
    review: Review = Field(description="What was thought")
    points: list[Point] = []
    default: Node | None = None


@pytest.mark.parametrize("python_type", [Review, Point, Node, Nested, list[Nested], Colour, int | None])
def test_a_strict_schema_has_all_fields_required_and_no_others(python_type):
    described = AnswerType(python_type).response_format()["json_schema"]
    assert described["strict"] is True
    for found in objects_in(described["schema"]):
        assert found["required"] == list(found["properties"])
        assert found["additionalProperties"] is False
    assert '"default": null' not in json.dumps(described)


class WithPairs(BaseModel):
    by_name: dict[str, int]


@pytest.mark.parametrize("python_type", [dict[str, int], WithPairs, tuple[int, str], set[int], Any, list, dict])
def test_what_strict_does_not_know_is_sent_without_it(python_type):
    answer = AnswerType(python_type)
    described = answer.response_format()["json_schema"]
    assert "strict" not in described
    assert described["schema"] == answer.schema


def test_the_instructions_hold_the_schema_without_titles_that_repeat_names():
    told = AnswerType(Review).instructions()
    schema = json.loads(told[told.index("{") :])
    assert schema == AnswerType(Review).schema
    assert schema["description"] == "What a reviewer thinks."
    assert "title" not in schema["properties"]["label"]


# What is no type


class Plain:
    """No fields."""


class Broken:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object):
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    "value", [5, "int", len, lambda x: x, GOOD, json, Plain, [int], Colour.RED, Callable, (int, str), Broken, Broken()]
)
def test_what_is_no_type_is_refused(value):
    with pytest.raises(OptionError, match=r"cannot be the type of an answer.*; nothing was sent\.") as raised:
        AnswerType(value)
    assert raised.value.hint.startswith("A type is a pydantic model")
    assert len(raised.value.message) < 300


def test_without_pydantic_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from xcyq_magic.session.typed import AnswerType\n"
        "try:\n    AnswerType(int)\nexcept Exception as e:\n    print(type(e).__name__, e)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "InputError A typed answer needs pydantic, which is not installed here; nothing was sent.",
        'Type %pip install "xcyq_magic[typed]", then run this cell again.',
    ]


# Asked


KEY = "sk-5ecret-0123456789"
FITS, MISFITS = '{"label": "good", "score": 4}', '{"label": "great"}'
WORDS = "Input should be 'good', 'bad' or 'mixed'"


def says(text: str, *, tokens: int = 10, reason: str = "stop") -> Answer:
    usage = {"prompt_tokens": 2 * tokens, "completion_tokens": tokens, "total_tokens": 3 * tokens}
    return Answer(chunked(delta(text, reason), event({"choices": [], "usage": usage}), DONE))


def refuses(words: str, param: str | None = None) -> Answer:
    error = {"message": words, "type": "invalid_request_error", "param": param}
    return Answer(http(json.dumps({"error": error}), "400 Bad Request"))


@pytest.fixture
def gateway(monkeypatch, tmp_path):
    """Start a raw server, and a session that asks it."""
    monkeypatch.setenv("XCYQ_API_KEY", KEY)
    opened: list[Any] = []

    def start(*answers: Answer) -> tuple[ChatSession, RawServer]:
        server = RawServer(list(answers))
        session = ChatSession(GatewaySettings(base_url=server.base_url), ChatSettings(store=str(tmp_path / "store")))
        opened.extend([session, server])
        return session, server

    yield start
    for each in opened:
        each.close()


def test_the_schema_goes_along_in_that_request_only(gateway):
    session, server = gateway(says(FITS), says("Yes."))
    chat = Chat(session=session, system="Be brief.")
    reply = chat("Judge it.", as_=Review)
    assert reply.data == GOOD
    assert reply.text == FITS
    chat("Sure?")
    first, second = (r.json for r in server.requests)
    assert first["response_format"] == AnswerType(Review).response_format()
    assert first["messages"][0]["content"] == f"Be brief.\n\n{AnswerType(Review).instructions()}"
    assert "response_format" not in second
    assert [m["content"] for m in second["messages"]] == ["Be brief.", "Judge it.", FITS, "Sure?"]
    assert chat.conversation.turns[0].system == "Be brief."


def test_a_conversation_with_values_of_the_notebooks_own_types_travels(gateway):
    session, _ = gateway(says(FITS))
    chat = Chat(session=session)
    assert chat("Judge it.", as_=Review).data == GOOD
    assert chat.conversation.turns[0].completion.data is None  # what is kept is the text
    assert b"Review" not in pickle.dumps(chat)


def test_what_does_not_fit_is_asked_again_once_with_what_is_wrong(gateway):
    session, server = gateway(says(MISFITS, tokens=10), says(FITS, tokens=7))
    chat = Chat(session=session)
    reply = chat("Judge it.", as_=Review)
    assert reply.data == GOOD
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (34, 17)
    first, second = (r.json for r in server.requests)
    assert second["messages"][:-2] == first["messages"]
    assert second["messages"][-2] == {"role": "assistant", "content": MISFITS}
    assert WORDS in second["messages"][-1]["content"]
    assert second["response_format"] == first["response_format"]
    assert [m.text for m in chat.conversation.turns[0].messages] == ["Judge it.", FITS]


def test_what_does_not_fit_twice_is_kept_and_fails(gateway):
    session, server = gateway(says(MISFITS), says("No."), says("Later."))
    chat = Chat(session=session)
    with pytest.raises(TypeMismatchError, match="there is no JSON in it"):
        chat("Judge it.", as_=Review)
    turn = chat.conversation.turns[0]
    assert (turn.completion.text, turn.completion.partial, turn.completion.data) == ("No.", None, None)
    assert turn.completion.usage.completion_tokens == 20
    assert len(server.requests) == 2


def test_a_reply_that_was_cut_is_asked_again_and_an_empty_one_too(gateway):
    session, server = gateway(says('{"label": "go', reason="length"), says(FITS), says(""), says(FITS))
    chat = Chat(session=session)
    assert chat("Judge it.", as_=Review, once=True).data == GOOD
    assert "cut off" in server.requests[1].json["messages"][-1]["content"]
    assert chat("Judge it.", as_=Review, once=True).data == GOOD
    assert server.requests[3].json["messages"][-2]["content"]  # a gateway refuses an empty message


def test_half_a_number_is_no_number(gateway):
    session, server = gateway(says("12", reason="length"), says("123"))
    assert Chat(session=session)("How many?", as_=int).data == 123
    assert len(server.requests) == 2


def test_of_a_long_reply_its_ends_are_sent_back(gateway):
    session, server = gateway(says("a" * 100_000 + "end"), says(FITS))
    Chat(session=session)("Judge it.", as_=Review)
    sent_back = server.requests[1].json["messages"][-2]["content"]
    assert len(sent_back) < 25_000
    assert sent_back.endswith("end")


class Picky(BaseModel):
    label: str

    @field_validator("label")
    @classmethod
    def _raise(cls, label: str) -> str:
        return label[1 // 0]


def test_a_type_that_fails_itself_is_not_paid_for_twice(gateway):
    session, server = gateway(says(FITS))
    with pytest.raises(TypeMismatchError, match="ZeroDivisionError"):
        Chat(session=session)("Judge it.", as_=Picky)
    assert len(server.requests) == 1


def test_where_the_second_request_fails_the_first_reply_is_kept(gateway):
    session, server = gateway(says(MISFITS), refuses("The prompt is too long."))
    chat = Chat(session=session)
    with pytest.raises(StatusError, match="too long"):
        chat("Judge it.", as_=Review)
    assert len(server.requests) == 2
    assert chat.conversation.turns[0].completion.text == MISFITS


@pytest.mark.parametrize(
    "refusal",
    [
        refuses("Invalid schema for response_format 'Review': 'minimum' is not permitted.", "response_format"),
        refuses("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."),
        refuses("This response_format type is unavailable now"),
        refuses("output_format: Extra inputs are not permitted"),
        refuses("Unknown name \"additionalProperties\" at 'generation_config.response_schema': Cannot find field."),
        refuses("json_schema is not supported by this model"),
        refuses("Wrong value", "response_format.json_schema.schema"),
    ],
)
def test_a_format_that_is_refused_is_left_out_and_that_is_remembered_for_the_model(gateway, refusal):
    session, server = gateway(refusal, says(FITS))
    chat = Chat("gpt-5.5", session=session)
    assert chat("Judge it.", as_=Review, once=True).data == GOOD
    assert chat("Judge it.", as_=Review, once=True).data == GOOD
    assert Chat("gpt-5.4", session=session)("Judge it.", as_=Review, once=True).data == GOOD
    sent = ["response_format" in r.json for r in server.requests]
    assert sent == [True, False, False, True]
    assert all(AnswerType(Review).instructions() in r.json["messages"][0]["content"] for r in server.requests)


def test_what_is_known_of_our_format_says_nothing_of_the_users_own(gateway):
    session, server = gateway(refuses("json_schema is not supported by this model"), says(FITS))
    Chat(session=session)("Judge it.", as_=Review, once=True)
    Chat(session=session, response_format={"type": "json_object"})("Judge it in JSON.", once=True)
    assert server.requests[2].json["response_format"] == {"type": "json_object"}


def test_another_refusal_is_not_taken_for_one_of_the_format(gateway):
    session, server = gateway(refuses("Your account is suspended."))
    with pytest.raises(StatusError, match="suspended"):
        Chat(session=session)("Judge it.", as_=Review)
    assert len(server.requests) == 1


def test_a_format_of_the_users_own_beside_a_type_is_refused_before_anything_is_sent(gateway):
    session, server = gateway(says(FITS))
    with pytest.raises(OptionError, match="nothing was sent"):
        Chat(session=session, response_format={"type": "json_object"})("Judge it.", as_=Review)
    with pytest.raises(OptionError, match="nothing was sent"):
        Chat(session=session)("Judge it.", as_=5)
    with pytest.raises(OptionError, match="has no parameter as_"):
        Chat(session=session, as_=Review)
    assert server.requests == []


def test_a_kept_answer_is_read_again_where_type_and_all_are_the_same(gateway):
    session, server = gateway(says(FITS), says(FITS), says("4"), says("five"), says("five"), says("4"))
    chat = Chat(session=session, cached=True)
    for _ in range(2):
        assert chat("Judge it.", as_=Review, once=True).data == GOOD
    assert len(server.requests) == 1
    assert chat("Judge it.", once=True).data is None
    assert chat("Judge it.", as_=int, once=True).data == 4
    assert len(server.requests) == 3
    with pytest.raises(TypeMismatchError):
        chat("Count it.", as_=int, once=True)
    assert chat("Count it.", as_=int, once=True).data == 4  # one that did not fit is not taken for an answer
    assert len(server.requests) == 6


def test_each_column_of_a_comparison_has_its_value_or_why_there_is_none(gateway):
    session, server = gateway(says(FITS))
    found = compare(["gpt-5.5", "gpt-5.4"], "Judge it.", as_=Review, session=session)
    assert [found[name].data for name in found] == [GOOD, GOOD]
    server.answers[:] = [says(MISFITS)]
    found = compare("gpt-5.5", "Judge it.", as_=Review, repeat=2, session=session)
    column = found.columns[0]
    assert (column.completion.text, column.completion.data) == (MISFITS, None)
    assert isinstance(column.error, TypeMismatchError)
    assert len(server.requests) == 6


# While it comes


def interrupting(when: Callable[[LiveReply], bool]):
    """A paint during which the user interrupts, once something has come."""

    def paint(replies):
        if when(replies[0]):
            raise KeyboardInterrupt

    return paint


@pytest.mark.parametrize(
    ("second", "kept"),
    [(chunked(whole=False), (MISFITS, None)), (chunked(delta('{"lab'), whole=False), ('{"lab', "stopped"))],
    ids=["before its first word", "in the middle"],
)
def test_an_interrupt_of_the_second_request_keeps_what_came(gateway, second, kept):
    session, server = gateway(says(MISFITS), Answer(second, "silence"))
    words = kept[0] if kept[1] else ""

    def has_come(live: LiveReply) -> bool:
        return len(server.requests) == 2 and "".join(live.builder.text_pieces) == words

    options = TurnOptions(answer=AnswerType(Review))
    outcome = session.ask(Message.of("user", "Judge it."), options, paint=interrupting(has_come))
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert (outcome.completion.text, outcome.completion.partial) == kept
    assert outcome.completion.usage.completion_tokens == 10
    assert outcome.completion.data is None
    assert [t.completion.text for t in session.conversation().turns] == [kept[0]]


def test_an_interrupt_of_the_first_request_asks_nothing_again(gateway):
    session, server = gateway(Answer(chunked(delta('{"lab'), whole=False), "silence"))
    options = TurnOptions(answer=AnswerType(Review))
    paint = interrupting(lambda live: bool(live.builder.text_pieces))
    outcome = session.ask(Message.of("user", "Judge it."), options, paint=paint)
    assert (outcome.completion.text, outcome.completion.partial) == ('{"lab', "stopped")
    assert outcome.reply.mismatch is None
    assert len(server.requests) == 1


class Replies:
    """Exchanges that are heard to their ends at once, each with the next text; and which of them were cancelled."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.sent: list[str] = []
        self.cancelled: list[str] = []
        self.asked_again: list[str] = []

    def send(self, sink) -> Any:
        text = self._texts[len(self.sent)]
        self.sent.append(text)
        sink(Deltas((Delta(text),), 1.0))
        sink(Ended(None, 2.0))
        sink(Ended(StatusError("What comes behind the end does not count."), 3.0))
        return SimpleNamespace(cancel=lambda: self.cancelled.append(text))

    def again(self, reply: str, why: TypeMismatchError) -> Any:
        self.asked_again += [reply, why.message]
        return self.send


def waited_for(start) -> LiveReply:
    """A reply to a typed request that `start` sends, once it has ended."""
    live = LiveReply("gpt-5.5", answer=AnswerType(Review))
    Grid([live], lambda _: None, slots=1).run(lambda: None, start)
    return live


def test_what_views_show_is_json_as_code_and_the_second_reply_below_the_first():
    replies = Replies(MISFITS, "It is\n" + FITS)
    live = waited_for(lambda live, arrivals: live.start(replies.send, arrivals, replies.again))
    assert "".join(live.shown) == f"```json\n{MISFITS}\n```\n\nIt is\n{FITS}\n\n"
    assert (live.state, live.error, live.mismatch, live.completion.data) == ("done", None, None, GOOD)
    assert replies.asked_again[0] == MISFITS
    assert WORDS in replies.asked_again[1]
    assert "It was asked for again." in live.notices[0]


def test_a_stop_that_comes_with_the_end_of_the_first_reply_stops_the_second():
    replies = Replies(MISFITS, FITS)

    def start(live, arrivals) -> None:
        live.start(replies.send, arrivals, replies.again)
        live.stop()

    live = waited_for(start)
    assert live.state == "stopped"
    assert replies.cancelled == [MISFITS, FITS]


def test_a_reply_for_which_nobody_can_ask_again_ends_with_what_is_wrong():
    live = waited_for(lambda live, arrivals: live.start(Replies(MISFITS).send, arrivals))
    assert WORDS in live.mismatch.message
    assert live.completion.text == MISFITS


# For a type checker

SNIPPET = """
from typing import Any, Literal
from pydantic import BaseModel
from typing_extensions import assert_type
from xcyq_magic import Chat, Evaluation, ask_each, compare
from xcyq_magic.chat.completion import Completion
from xcyq_magic.errors import XcyqError

class Review(BaseModel):
    label: str

chat = Chat()
assert_type(chat("Judge it.", as_=Review), Completion[Review])
assert_type(chat("Judge it.", "a.png", as_=list[Review], once=True).data, list[Review])
assert_type(chat("Judge it.", as_=Review).data.label, str)
assert_type(chat("Judge it.", as_=Literal["good", "bad"]).data, Any)
assert_type(chat("Judge it.", as_=Review | None).data, Any)
assert_type(chat("Judge it."), Completion[None])
assert_type(compare("gpt-5.5 gpt-5.4", "Judge it.", as_=Review)["gpt-5.5"], Completion[Review] | XcyqError)
assert_type(compare("gpt-5.5 gpt-5.4", "Judge it.")["gpt-5.5"], Completion[Any] | XcyqError)
assert_type(ask_each(["a"], "Judge {row}", as_=Review)[0].data, Review | None)
assert_type(compare("gpt-5.5 gpt-5.4", "{row}", each=["a"], check=lambda reply, case: True), Evaluation)
assert_type(chat.stream("Judge it.", as_=Review).completion, Completion[Review])

async def ask() -> None:
    assert_type(await chat.ask("Judge it.", as_=Review), Completion[Review])

chat("Judge it.", as_=Review).data.lable
"""


def test_a_type_checker_knows_what_a_reply_holds(tmp_path):
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET, encoding="utf-8")
    said, _, _ = api.run(["--strict", str(file)])
    assert re.findall(r"error: (.*)  \[", said) == ['"Review" has no attribute "lable"; maybe "label"?']
