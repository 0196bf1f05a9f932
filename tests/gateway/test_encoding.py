"""Messages as the JSON of a request's body, both ways."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import DataUrl, Image, MediaLink, Text, Video
from xcyq_magic.gateway import encoding
from xcyq_magic.gateway.catalog import VIDEO_FORMS
from xcyq_magic.gateway.request import ChatRequest


def sent(body):
    """What the gateway reads of it."""
    return json.loads(encoding.to_json(body))


HELLO = (Message.of("user", "Hello"),)

# Requests


def test_a_whole_answer_is_asked_for_with_model_and_messages_alone():
    assert encoding.encode(ChatRequest("gpt-5.4", HELLO, stream=False)) == {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "Hello"}],
    }


def test_a_stream_is_asked_for_with_its_usage():
    assert encoding.encode(ChatRequest("gpt-5.4", HELLO)) == {
        "model": "gpt-5.4",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_parameters_that_were_set_are_sent():
    parameters = Parameters(temperature=0, top_p=0.5, max_tokens=10, stop=("END", "###"))
    body = encoding.encode(ChatRequest("gpt-5.4", HELLO, parameters, stream=False))
    assert body["temperature"] == 0
    assert (body["top_p"], body["max_tokens"], body["stop"]) == (0.5, 10, ["END", "###"])


def test_the_users_own_fields_pass_through():
    extra = {"reasoning_effort": "low", "metadata": {"a": [1, None]}, "stream_options": {"include_usage": False}}
    body = encoding.encode(ChatRequest("gpt-5.4", HELLO, Parameters(extra=extra)))
    assert {name: body[name] for name in extra} == extra
    assert set(body) == {"model", "messages", "stream", *extra}


def test_messages_are_sent_in_order_with_their_roles():
    messages = (Message.of("system", "Be brief."), *HELLO, Message.of("assistant", "Hi"), Message.of("user", "Bye"))
    body = encoding.encode(ChatRequest("gpt-5.4", messages))
    assert [(m["role"], m["content"]) for m in body["messages"]] == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Bye"),
    ]


def test_several_texts_are_one_string():
    assert encoding.encode_message(Message.of("user", "a", "b")) == {"role": "user", "content": "a\nb"}


def test_media_make_the_content_an_array_in_the_users_order():
    message = Message.of("user", "Before", Image(b"\x00\xff", "image/png", 1, 1, "x.png"), "after")
    assert encoding.encode_message(message) == {
        "role": "user",
        "content": [
            {"type": "text", "text": "Before"},
            {"type": "image_url", "image_url": {"url": DataUrl("image/png", b"AP8=")}},
            {"type": "text", "text": "after"},
        ],
    }
    assert str(DataUrl("image/png", b"AP8=")) == "data:image/png;base64,AP8="


VIDEO = Video(b"\x00\xff", "video/mp4", "film.mp4")


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("video_url", {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AP8="}}),
        ("image_url", {"type": "image_url", "image_url": {"url": "data:video/mp4;base64,AP8="}}),
        ("file", {"type": "file", "file": {"filename": "film.mp4", "file_data": "data:video/mp4;base64,AP8="}}),
    ],
)
def test_a_film_is_sent_in_the_form_that_is_set(form, part):
    request = ChatRequest("gemini-2.5-pro", (Message.of("user", VIDEO),), stream=False, video_form=form)
    assert sent(encoding.encode(request))["messages"][0]["content"] == [part]


def test_a_film_without_a_name_gets_one_where_the_form_asks_for_it():
    part = encoding.encode_message(Message.of("user", replace(VIDEO, mime="video/mov", name="")), "file")["content"][0]
    assert part["file"]["filename"] == "video.mov"


@pytest.mark.parametrize(
    ("kind", "form", "part"),
    [
        ("image", "video_url", {"type": "image_url", "image_url": {"url": "https://example.org/a"}}),
        ("image", "file", {"type": "image_url", "image_url": {"url": "https://example.org/a"}}),
        ("video", "video_url", {"type": "video_url", "video_url": {"url": "https://example.org/a"}}),
        ("video", "image_url", {"type": "image_url", "image_url": {"url": "https://example.org/a"}}),
    ],
)
def test_an_address_is_passed_on(kind, form, part):
    assert encoding.encode_message(Message.of("user", MediaLink("https://example.org/a", kind)), form)["content"] == [
        part
    ]


texts = st.text(max_size=40)
# A picture's size and name do not travel, nor a film's length.
images = st.builds(
    Image,
    data=st.binary(max_size=30),
    mime=st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"]),
    width=st.just(0),
    height=st.just(0),
)
videos = st.builds(Video, data=st.binary(max_size=30), mime=st.sampled_from(["video/mp4", "video/x-flv", "video/3gpp"]))
links = st.builds(MediaLink, st.just("https://example.org/a?b=c"), st.sampled_from(["image", "video"]))
media = images | videos | links
roles = st.sampled_from(["system", "user", "assistant"])
with_media = st.tuples(
    st.lists(texts.map(Text) | media, max_size=3), media, st.lists(texts.map(Text) | media, max_size=3)
).map(lambda t: (*t[0], t[1], *t[2]))
messages = st.builds(Message, roles, texts.map(lambda t: (Text(t),)) | with_media)


@given(messages)
def test_a_message_comes_back_from_the_wire(message):
    assert encoding.decode_message(sent(encoding.encode_message(message))) == message


@given(st.lists(messages, min_size=1, max_size=4), st.sampled_from(VIDEO_FORMS))
def test_the_body_is_the_json_of_what_was_encoded(messages, form):
    """The standard library writes it whole, with every data URL as a string."""
    parameters = Parameters(extra={"x": ['"', "\u2028", None]})
    body = encoding.encode(ChatRequest("m", tuple(messages), parameters, video_form=form))
    assert encoding.to_json(body) == json.dumps(body, ensure_ascii=False, default=str).encode()


def test_what_is_no_json_is_refused():
    with pytest.raises(TypeError, match="object"):
        encoding.to_json({"x": object()})


@given(roles, st.lists(texts, min_size=1, max_size=4))
def test_a_message_of_several_texts_comes_back_as_their_lines(role, lines):
    decoded = encoding.decode_message(encoding.encode_message(Message.of(role, *lines)))
    assert decoded == Message.of(role, "\n".join(lines))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:image/png,abc", "data:;base64,AA=="])
def test_media_elsewhere_are_no_media(url):
    with pytest.raises(ValueError, match="neither in the message"):
        encoding.decode_message({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
