"""The sandbox's answers to a schema: values that fit it, written as models write them."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import json
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

from xcyq_magic.api import Chat, compare
from xcyq_magic.errors import StatusError, TypeMismatchError
from xcyq_magic.gateway.sandbox.schemas import wrong_format
from xcyq_magic.session.session import ChatSession
from xcyq_magic.session.typed import AnswerType

FAST = "sandbox: first 0\nsandbox: pace 5000 20\n"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    name: str
    inner: list[Node]


class Loop(BaseModel):
    inner: Loop  # which no value can fit


class Endless(BaseModel):
    inner: Endless | None


@dataclass
class Point:
    x: Annotated[int, Field(ge=3, lt=5)]
    y: Annotated[float, Field(gt=0, le=1)]
    z: Annotated[int, Field(multiple_of=7, ge=1, le=50)]
    below: Annotated[int, Field(le=-100)]


class Review(BaseModel):
    label: Literal["good", "bad", "mixed"]
    why: Annotated[str, Field(min_length=30, max_length=40)]
    stars: int | None = Field(None, ge=1, le=5)
    tags: Annotated[list[str], Field(min_length=2, max_length=2)]
    version: Literal[1] = 1


TYPES = [
    Review,
    Node,
    Endless,
    Point,
    Colour,
    Point | Review,
    list[Review],
    list[Annotated[int, Field(ge=1)]],
    tuple[int, str, bool],
    set[Colour],
    dict[str, int],
    dict[str, list[Point]],
    int,
    float,
    bool,
    Any,
    dt.datetime,
    dt.date,
    dt.timedelta,
    uuid.UUID,
    ipaddress.IPv4Address,
    Literal["a", 2] | None,
]


@pytest.fixture
def session():
    session = ChatSession()
    session.access.start_sandbox()
    yield session
    session.close()


@pytest.mark.parametrize("python_type", TYPES, ids=str)
def test_a_value_fits_whatever_the_type_is(session, python_type):
    chat = Chat(session=session)
    for n in range(5):
        reply = chat(f"{FAST}Judge the {n}th of {n} reviews", as_=python_type, once=True)
        assert reply.data == AnswerType(python_type).parse(reply.text)
    received = session.access.sandbox.received
    assert len(received) == 5
    assert all(r.ending == "finished" for r in received)


def test_the_same_prompt_has_the_same_answer_and_another_one_another(session):
    chat = Chat(session=session)
    first, again, *others = (chat(f"{FAST}Review {n}", as_=list[Review], once=True).data for n in (1, 1, 2, 3, 4))
    assert first == again
    assert any(first != other for other in others)


def test_each_model_answers_in_its_own_way_and_always_the_same(session):
    models = "gpt-5.5 gpt-5.4 gemini-2.5-pro"
    first, again = (compare(models, f"{FAST}Review", as_=list[Review], session=session) for _ in range(2))
    assert len({first[name].text for name in first}) > 1
    assert [first[name].text for name in first] == [again[name].text for name in again]


@pytest.mark.parametrize(
    ("words", "start", "requests"),
    [("fenced", "```json", 1), ("prose", "The sandbox was asked", 1), ("broken", "{", 2)],
)
def test_json_is_written_as_it_is_told(session, words, start, requests):
    reply = Chat(session=session)(f"{FAST}sandbox: json {words}\nJudge it.", as_=Review)
    assert isinstance(reply.data, Review)
    assert reply.text.startswith(start)
    assert len(session.access.sandbox.received) == requests


def test_json_that_is_always_broken_fails(session):
    with pytest.raises(TypeMismatchError):
        Chat(session=session)(f"{FAST}sandbox: json always broken\nJudge it.", as_=Review)
    assert len(session.access.sandbox.received) == 2


def test_a_model_that_refuses_the_format_is_told_the_schema_by_its_prompt(session):
    chat = Chat("gpt-5.5", session=session)
    prompt = f"{FAST}sandbox: unsupported response_format\nJudge it."
    first, again = (chat(prompt, as_=Review, once=True).data for _ in range(2))
    assert first == again
    assert isinstance(first, Review)
    assert ["response_format" in r.body for r in session.access.sandbox.received] == [True, False, False]


def test_a_reply_that_max_tokens_cuts_is_asked_for_again(session):
    with pytest.raises(TypeMismatchError, match="cut off"):
        Chat(session=session, max_tokens=5)(f"{FAST}Judge it.", as_=Review)
    first, second = session.access.sandbox.received
    assert len(second.body["messages"]) == len(first.body["messages"]) + 2


def test_a_type_that_nothing_fits_has_an_answer_all_the_same(session):
    with pytest.raises(TypeMismatchError, match="Input should be an object"):
        Chat(session=session)(f"{FAST}Judge it.", as_=Loop)


def test_the_reference_client_gets_what_it_asks_for(sandbox):
    with openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key=sandbox.key.header("")) as client:
        parsed = client.chat.completions.parse(
            model="gpt-5.4", messages=[{"role": "user", "content": "Judge it."}], response_format=Node
        )
    assert isinstance(parsed.choices[0].message.parsed, Node)


OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("json", "response_format.type"),
        ({"type": "xml"}, "response_format.type"),
        ({"type": "json_object"}, ""),
        ({"type": "json_schema"}, "json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": OBJECT}}, "json_schema.name"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}}, "of type 'object'"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": OBJECT, "strict": True}}, ""),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": OBJECT | {"required": []}}}, ""),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": OBJECT | {"required": []}, "strict": True}},
            "all of its fields in 'required'",
        ),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}},
            "'additionalProperties': false",
        ),
    ],
)
def test_a_format_is_checked_as_openai_does(form, wrong):
    assert wrong in wrong_format(form)
    assert bool(wrong_format(form)) is bool(wrong)


def test_a_wrong_format_is_refused_with_its_words(session):
    with pytest.raises(StatusError, match=r"response_format\.type"):
        Chat(session=session, response_format={"type": "xml"})(f"{FAST}Hi")


def test_a_typed_answer_keeps_the_history_and_plain_turns_plain(session):
    chat = Chat(session=session)
    chat(f"{FAST}Judge it.", as_=Review)
    assert "This is the sandbox" in chat(f"{FAST}Hi").text
    assert json.loads(chat.conversation.turns[0].completion.text)["label"]
