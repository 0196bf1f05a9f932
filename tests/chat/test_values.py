"""The values of a chat: what is written down comes back, and how a reply was cut does not matter."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from oracle import documents
from values import completions, messages, parameter_sets, put_wrong_values, texts, turns, usages, wrong_values

from xcyq_magic.chat.comparison import Column, Comparison
from xcyq_magic.chat.completion import Completion, CompletionBuilder, Delta, Usage, code_blocks
from xcyq_magic.chat.conversation import Conversation, Parameters, Turn
from xcyq_magic.chat.given import replace_surrogates
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Video, part_from_dict
from xcyq_magic.chat.usage import Price, cost
from xcyq_magic.display.bundle import attachments, completion_bundle
from xcyq_magic.display.settled_comparison import comparison_bundle
from xcyq_magic.errors import MediaError
from xcyq_magic.magics.base import day_and_time
from xcyq_magic.session.notebook import Conversations
from xcyq_magic.store.database import Database
from xcyq_magic.store.formats import ipynb, markdown, openai_json


def through_json(record):
    return json.loads(json.dumps(record))


def media_of(message: Message) -> dict[str, bytes]:
    return {file.sha256: file.data for file in (*message.images, *message.videos)}


@given(usages)
def test_usage_comes_back_from_its_dict(usage):
    assert Usage.from_dict(through_json(usage.to_dict())) == usage


@given(completions)
def test_a_completion_comes_back_from_its_dict(completion):
    assert Completion.from_dict(through_json(completion.to_dict())) == completion


@given(parameter_sets)
def test_parameters_come_back_from_their_dict(parameters):
    assert Parameters.from_dict(through_json(parameters.to_dict())) == parameters


@given(messages)
def test_a_message_comes_back_from_its_dict_and_its_media(message):
    assert Message.from_dict(through_json(message.to_dict()), media_of(message)) == message


@given(turns)
def test_a_turn_comes_back_from_its_dict_without_its_cell(turn):
    again = Turn.from_dict(through_json(turn.to_dict()), media_of(turn.prompt))
    assert again == replace(turn, cell=None)


def test_a_message_without_its_media_does_not_come_back():
    message = Message.of("user", Image(b"pixels", "image/png", 1, 1))
    with pytest.raises(KeyError):
        Message.from_dict(message.to_dict(), {})


def test_a_picture_is_written_down_by_its_hash_alone():
    assert Image(b"pixels", "image/png", 2, 3, "plot.png").to_dict() == {
        "type": "image",
        "sha256": "6ec9c2b0eb14010746c8bce8939303b382344b296206612eb8a907a37b2b2f37",
        "mime": "image/png",
        "bytes": 6,
        "width": 2,
        "height": 3,
        "name": "plot.png",
    }


def test_a_picture_written_down_before_there_were_notes_comes_back():
    record = {"type": "image", "sha256": "x", "mime": "image/png", "bytes": 1, "width": 2, "height": 3, "name": "a"}
    assert part_from_dict(record, {"x": b"p"}) == Image(b"p", "image/png", 2, 3, "a")


def test_a_message_keeps_its_media_in_order():
    image, video = Image(b"p", "image/png", 2, 3), Video(b"v", "video/mp4")
    link = MediaLink("https://example.org/a.png")
    message = Message.of("user", link, "a", video, "b", image)
    assert message.media == (link, video, image)
    assert (message.images, message.videos, message.text) == ((image,), (video,), "a\nb")


@pytest.mark.parametrize("url", ["ftp://example.org/a.png", "file:///a.png", "javascript:x", "a.png", "http://a b", ""])
def test_only_an_address_of_the_web_is_passed_on(url):
    with pytest.raises(MediaError, match="nothing was sent"):
        MediaLink(url)


@pytest.mark.parametrize(
    ("part", "caption"),
    [
        (Image(bytes(212_345), "image/jpeg", 1568, 1176, original=(4096, 3072)), "4096×3072 → 1568×1176, 212 kB"),
        (Image(bytes(999), "image/png", 20, 10, note="first of 12 frames"), "20×10, 999 bytes, first of 12 frames"),
        (Image(bytes(1_000_000), "image/png", 20, 10), "20×10, 1 MB"),
        (Image(bytes(999_600), "image/png", 20, 10), "20×10, 1 MB"),
        (Video(bytes(3_450_000), "video/mp4", duration_s=12.5), "12.5 s, 3.45 MB"),
        (Video(bytes(10), "video/mp4"), "10 bytes"),
    ],
)
def test_a_caption_says_what_is_sent(part, caption):
    assert part.caption == caption


@pytest.mark.parametrize(
    ("record", "usage"),
    [
        ({}, Usage()),
        ({"prompt_tokens": 3}, Usage(prompt_tokens=3)),
        ({"prompt_tokens": None, "completion_tokens": "5", "total_tokens": 1.5}, Usage()),
        ({"prompt_tokens": True}, Usage()),
        ({"prompt_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}, Usage(prompt_tokens=0)),
    ],
)
def test_what_is_no_count_is_left_out_of_the_usage(record, usage):
    assert Usage.from_dict(record) == usage


def test_parameters_of_a_record_are_what_can_be_sent():
    deep = json.loads("[" * 400 + "]" * 400)
    assert Parameters.from_dict({"a": deep, "b": [float("nan")], "c": 10**400, "temperature": True}) == Parameters()
    assert (
        Parameters.from_dict({"stop": "END"}) == Parameters.from_dict({"stop": ["END", 1]}) == Parameters(stop=("END",))
    )


def test_parameters_hold_only_what_was_set():
    assert Parameters().to_dict() == {}
    assert Parameters(temperature=0, top_p=0.0).to_dict() == {"temperature": 0, "top_p": 0.0}
    assert Parameters(stop=("a", "b"), extra={"top_k": None}).to_dict() == {"stop": ["a", "b"], "top_k": None}


# Whatever JSON stands in a record

PIXEL = base64.b64decode(  # a picture, of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


@st.composite
def wrong_records(draw):
    """The record of a turn with any JSON in the place of some of its fields, and its media."""
    turn = draw(FULL)
    record = turn.to_dict()
    put_wrong_values(draw, record)
    return record, media_of(turn.prompt)


FULL = st.builds(
    Turn,
    prompt=st.just(
        Message.of(
            "user",
            "a",
            Image(PIXEL, "image/png", 2, 3, "plot.png", "scaled", (4, 6)),
            Video(b"v", "video/mp4", "film.mp4", 2.5),
            MediaLink("https://example.org/a.png", "image", "b"),
        )
    ),
    completion=st.just(Completion("Hi", "m", "n", "hm", "stop", Usage(1, 2, 3), 0.5, 1.5, "stopped", "id", 5)),
    system=st.just("Be brief."),
    parameters=st.just(Parameters(0.5, 0.9, 10, ("END",), {"seed": 1})),
    asked_at=st.just(1e9),
)


@settings(max_examples=200, derandomize=True)
@given(wrong_records())
def test_whatever_a_record_holds_it_is_read_or_refused(wrong):
    """What is read can be written, kept, counted and shown."""
    record, media = wrong
    try:
        turn = Turn.from_dict(record, media)
    except (ValueError, KeyError):
        return
    assert Turn.from_dict(through_json(turn.to_dict()), media) == turn
    conversations = Conversations(Database(None))
    conversations.edit("main", lambda now: now.with_turn(turn))
    assert conversations.take_notices() == []
    conversations.close()
    day_and_time(turn.asked_at)
    completion_bundle(turn.completion)
    attachments(turn.prompt)
    kept = Conversation(turns=(turn,))
    for written in (
        markdown.dumps(kept, ""),
        openai_json.dumps(kept),
        ipynb.dumps(kept, lambda t: completion_bundle(t.completion)),
    ):
        replace_surrogates(written).encode()
    column = Column("m", "m", turn.completion, cost=cost(turn.completion.usage, Price(1.25, 10)))
    comparison = Comparison(turn.prompt, (column, column), turn.system, turn.parameters, asked_at=turn.asked_at)
    comparison_bundle(comparison)
    assert Comparison.from_dict(through_json(comparison.to_dict()), media).columns == comparison.columns


@settings(max_examples=200, derandomize=True)
@given(st.data())
def test_whatever_the_record_of_a_comparison_holds_it_is_read_or_refused(data):
    record, media = data.draw(wrong_records())
    verdict = {"model": "m", "order": ["a"], "winner": "a", "reason": "", "completion": None, "error": None, "cost": 1}
    error = {"type": "ServerError", "message": "a", "hint": "b"}
    column = {"name": "a", "model": "m", "completion": record.get("completion"), "error": error, "notices": ["a"]}
    column |= {"duration_s": 1.0, "cost": 2}
    whole = {**record, "columns": [column], "conversation": "main", "verdict": verdict}
    place = data.draw(st.sampled_from([whole, verdict, error, column]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(wrong_values)
    try:
        comparison = Comparison.from_dict(whole, media)
    except (ValueError, KeyError):
        return
    assert Comparison.from_dict(through_json(comparison.to_dict()), media).to_dict() == comparison.to_dict()


# How a reply is cut into deltas does not matter.


def pieces(draw, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in pairwise([0, *cuts, len(text)])]


@st.composite
def cut_replies(draw):
    """The delta of a whole reply, and deltas that it was cut into."""
    whole = Delta(
        text=draw(texts),
        reasoning=draw(texts),
        id=draw(st.none() | st.text(min_size=1, max_size=5)),
        created=draw(st.none() | st.integers(min_value=1)),
        model=draw(st.none() | st.text(min_size=1, max_size=5)),
        finish_reason=draw(st.sampled_from([None, "stop", "length", "other"])),
        usage=draw(st.none() | usages),
    )
    deltas = [Delta(text=t) for t in pieces(draw, whole.text)]
    for piece in reversed(pieces(draw, whole.reasoning)):
        bound = next((n for n, d in enumerate(deltas) if d.reasoning), len(deltas))
        deltas.insert(draw(st.integers(0, bound)), Delta(reasoning=piece))
    for name in ("id", "created", "model", "finish_reason", "usage"):
        n = draw(st.integers(0, len(deltas) - 1))
        deltas[n] = deltas[n]._replace(**{name: getattr(whole, name)})
    return whole, deltas


def built(*deltas: Delta) -> Completion:
    builder = CompletionBuilder()
    for delta in deltas:
        builder.add(delta)
    return builder.build("asked", first_token_s=0.5, duration_s=2.0)


@given(cut_replies())
def test_any_cut_of_a_reply_gives_the_same_completion(cut):
    whole, deltas = cut
    assert built(*deltas) == built(whole)


def test_the_last_word_counts_for_what_is_no_text():
    completion = built(
        Delta(text="a", model="m1", usage=Usage(1), id="x"),
        Delta(text="b", model="m2", finish_reason="stop", usage=Usage(1, 2, 3)),
        Delta(),
    )
    assert (completion.text, completion.model, completion.usage) == ("ab", "m2", Usage(1, 2, 3))
    assert (completion.id, completion.finish_reason) == ("x", "stop")


def test_the_model_that_was_asked_stands_in_for_one_that_does_not_say_its_name():
    assert built(Delta(text="a")).model == "asked"


def test_a_builder_is_empty_until_text_or_reasoning_comes():
    builder = CompletionBuilder()
    builder.add(Delta(id="x", model="m", created=1, usage=Usage(1), finish_reason="stop"))
    assert builder.empty
    builder.add(Delta(reasoning="hm"))
    assert not builder.empty


def test_a_character_whose_halves_came_in_two_deltas_is_whole():
    """A gateway that cuts UTF-16 strings sends the two halves of an emoji apart, as JSON escapes."""
    assert built(Delta(text="a\ud83d"), Delta(text="\ude00b")).text == "a\N{GRINNING FACE}b"


# The code of a reply


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("No code, but `a` word of it.", "", id="none"),
        pytest.param("Look:\n\n```python\na = 1\n```\n\nDone.", "a = 1", id="one"),
        pytest.param("```\na\n```\n\ntext\n\n```r\nb\n\nc\n```", "a\n\nb\n\nc", id="two"),
        pytest.param("```python\nif a:\n    b\n```", "if a:\n    b", id="its own indentation"),
        pytest.param("```\n```", "", id="empty"),
        pytest.param("~~~python\na = 1\n~~~\n", "a = 1", id="tildes"),
        pytest.param("~~~\na\n```\nb\n~~~", "a\n```\nb", id="backticks in tildes"),
        pytest.param("```\na\n~~~\nb\n```", "a\n~~~\nb", id="tildes in backticks"),
        pytest.param("````md\n```python\na\n```\n````", "```python\na\n```", id="nested"),
        pytest.param("```\na\n`````\n", "a", id="closed by a longer fence"),
        pytest.param("1. First:\n\n   ```python\n   a\n     b\n   ```\n2. x", "a\n  b", id="indented"),
        pytest.param("- ```python\n  a\n  ```\n\nWords.\n\n```python\nb\n```", "a\n\nb", id="on the line of a list"),
        pytest.param("```python title='x'\na\n```", "a", id="info string"),
        pytest.param("Write ```a``` or\n```python\nb\n```", "b", id="three backticks in a line"),
        pytest.param(
            "```python\ndef f():\n    '''Such as:\n\n    ```\n    f()\n    ```\n    '''\n```\n",
            "def f():\n    '''Such as:\n\n    ```\n    f()\n    ```\n    '''",
            id="fences in a docstring",  # a closing fence is indented by three spaces at most (CommonMark 4.5)
        ),
        pytest.param("```python\na\n```\n\nThen:\n\n```python\nb = ", "a", id="unclosed"),
        pytest.param("````md\nwords\n\n~~~~\nwords", "", id="unclosed twice"),
        pytest.param("~~~~\na\n~~~\nb\n", "", id="unclosed by a shorter fence"),
        pytest.param("Got:\n\n    ```\n    1/0\n    ```\n\n```\na\n```", "a", id="quoted by an indent"),
        pytest.param("Got:\n\n\t```\n\t1/0\n\t```\n", "", id="quoted by a tab"),
        pytest.param("- Got:\n\n      ```\n      1/0\n      ```\n", "", id="quoted in an item"),
        pytest.param("- Do:\n    ```\n    a\n    ```\n", "a", id="indented more than its item"),
        pytest.param("1. a\n   - b\n\n     ```\n     c\n     ```\n", "c", id="in an item of an item"),
        pytest.param("- a\n\nb\n\n    ```\n    c\n    ```\n", "", id="quoted after a list"),
        pytest.param("> - a\n>   ```\n>   b\n>   ```\n", "b", id="in an item of a quotation"),
    ],
)
def test_the_code_of_a_reply_is_what_its_fences_hold(text, code):
    assert built(Delta(text=text)).code == code


DOCUMENTS = documents()
OPEN = {name for name in DOCUMENTS if name.startswith(("fence left open", "fence just begun", "fence in a quote ends"))}
OPEN |= {"backtick in an info string is no fence", "math in a fence that is not typeset"}  # half a block is no code


@pytest.mark.parametrize("name", sorted(DOCUMENTS.keys() - OPEN))
def test_the_code_of_a_document_is_what_another_reader_finds(name):
    text = DOCUMENTS[name]
    theirs = [t.content for t in MarkdownIt().parse(text) if t.type == "fence"]
    assert [b.code.strip() for b in code_blocks(text)] == [code.strip() for code in theirs]


@given(st.lists(st.sampled_from(["```", "````", "~~~", "   ", "py", "\n", "a = 1", " ", "- ", "> "]), max_size=30))
def test_looking_for_code_never_fails(words):
    assert isinstance(built(Delta(text="".join(words))).code, str)


def test_the_code_of_many_open_fences_is_found_in_time():
    """A reply is hostile input: looking at each fence again for each fence takes minutes for 100 kB."""
    completion = built(Delta(text="```a\n" * 6000))
    started = time.process_time()
    assert completion.code == ""
    assert time.process_time() - started < 10


def test_a_reply_says_where_the_value_of_a_typed_answer_is():
    typed, text = Completion("{}", "m", "m", data=[1]), Completion("Hi", "m", "m")
    with pytest.raises(AttributeError, match=r"no attribute slope\. The value is in \.data: \.data\.slope"):
        typed.slope  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute value\. The value is in \.data$"):
        typed.value  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute slope$"):
        text.slope  # noqa: B018
    assert pickle.loads(pickle.dumps(typed)).data == copy.copy(typed).data == [1]  # noqa: S301


@pytest.mark.parametrize(
    ("value", "truth"), [(None, True), (False, False), (True, True), (0, False), ([], False), ([0], True)]
)
def test_a_typed_answer_is_true_as_its_value_is(value, truth):
    assert bool(Completion("", "m", "m", data=value)) is truth
