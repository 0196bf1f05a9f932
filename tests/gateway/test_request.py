"""What breaks a rule of the gateway is refused before anything is sent, with the rule in the message."""

from __future__ import annotations

import math

import pytest

from xcyq_magic.chat.conversation import Parameters
from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Video
from xcyq_magic.errors import RequestError
from xcyq_magic.gateway.request import ChatRequest, check, check_parameters

PICTURE = Image(b"pixels", "image/png", 1, 1)


def circular() -> dict:
    record: dict = {}
    record["itself"] = record
    return record


@pytest.mark.parametrize(
    "parameters",
    [
        Parameters(),
        Parameters(temperature=0),
        Parameters(temperature=2),
        Parameters(temperature=0.7, top_p=0.9),
        Parameters(top_p=0),
        Parameters(top_p=1.0),
        Parameters(max_tokens=1),
        Parameters(stop=("a",)),
        Parameters(stop=("a", "b", " ", "\n")),
        Parameters(extra={"top_k": 5, "metadata": {"a": [1, None, "x"]}, "stream_options": {"include_usage": False}}),
    ],
    ids=str,
)
def test_what_keeps_the_rules_passes(parameters):
    check_parameters(parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (Parameters(temperature=3), "temperature is a number from 0 to 2, not 3;"),
        (Parameters(temperature=2.01), "temperature is a number from 0 to 2, not 2.01;"),
        (Parameters(temperature=-0.1), "temperature is a number from 0 to 2, not -0.1;"),
        (Parameters(temperature=math.nan), "temperature is a number from 0 to 2, not nan;"),
        (Parameters(temperature=math.inf), "temperature is a number from 0 to 2, not inf;"),
        (Parameters(top_p=1.5), "top_p is a number from 0 to 1, not 1.5;"),
        (Parameters(top_p=-1), "top_p is a number from 0 to 1, not -1;"),
        (Parameters(top_p=math.nan), "top_p is a number from 0 to 1, not nan;"),
        (Parameters(max_tokens=0), "max_tokens is a whole number of at least 1, not 0;"),
        (Parameters(max_tokens=-5), "max_tokens is a whole number of at least 1, not -5;"),
        (Parameters(stop=("a", "b", "c", "d", "e")), "stop takes up to 4 strings, not 5;"),
        (Parameters(stop=("a", "")), "A stop string cannot be empty;"),
        (Parameters(extra={"x": math.nan}), "x = NaN cannot be written as JSON;"),
        (Parameters(extra={"x": {"y": math.inf}}), "cannot be written as JSON;"),
        (Parameters(extra={"x": {1, 2}}), "x = {1, 2} cannot be written as JSON;"),
        (Parameters(extra={"x": b"bytes"}), "x = b'bytes' cannot be written as JSON;"),
        (Parameters(extra={"x": circular()}), "cannot be written as JSON;"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_rule(parameters, words):
    with pytest.raises(RequestError) as raised:
        check_parameters(parameters)
    assert words in raised.value.message
    assert "nothing was sent" in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("model", "-m"),
        ("messages", "the cell's text"),
        ("stream", "--no-stream"),
        ("temperature", "-t"),
        ("top_p", "--top-p"),
        ("max_tokens", "--max-tokens"),
        ("stop", "--stop"),
    ],
)
def test_a_field_with_an_option_of_its_own_is_refused_with_that_option(name, way):
    with pytest.raises(RequestError) as raised:
        check_parameters(Parameters(extra={name: 1}))
    assert f"-p cannot set {name}; nothing was sent." in raised.value.message
    assert way in raised.value.hint


def request(model: str = "gpt-5.4", *parts: Image | str, **parameters) -> ChatRequest:
    return ChatRequest(model, (Message.of("user", *(parts or ("Hello",))),), Parameters(**parameters))


@pytest.mark.parametrize("model", ["gpt-5.4", "a-model-of-tomorrow", "org/model:tag@2", "модель"])
def test_any_word_may_be_the_name_of_a_model(model):
    check(request(model))


@pytest.mark.parametrize("model", ["", " ", "gpt 5.4", "gpt-5.4 ", "gpt\t5", "gpt-5.4\n", "gpt\u00a05", "gpt\x1b[31m"])
def test_the_name_of_a_model_is_one_word(model):
    with pytest.raises(RequestError, match="A model's name is one word") as raised:
        check(request(model))
    assert raised.value.message.isprintable()


@pytest.mark.parametrize("prompt", ["", " ", "\n\t\n"])
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(RequestError, match="The prompt is empty, so nothing was sent"):
        check(request("gpt-5.4", prompt))


def test_a_picture_is_prompt_enough():
    check(request("gpt-5.4", PICTURE))
    check(request("gpt-5.4", PICTURE, ""))


def test_a_request_is_checked_with_its_parameters():
    with pytest.raises(RequestError, match="temperature"):
        check(request(temperature=3))


# Addresses


# Films


def film_request(model: str, *parts, before=()) -> ChatRequest:
    earlier = [Message.of("user", *before, "first"), Message.of("assistant", "answer")] if before else []
    return ChatRequest(model, (*earlier, Message.of("user", *parts, "Look.")))


FILM, FILM_LINK = Video(bytes(1_000_000), "video/mp4", "film.mp4"), MediaLink("https://example.org/a.mp4", "video")


@pytest.mark.parametrize("film", [FILM, FILM_LINK])
@pytest.mark.parametrize("model", ["gpt-5.5-low", "claude-opus-4-7", "claude-future-9"])
def test_a_film_is_for_gemini_models_which_are_named(model, film):
    with pytest.raises(RequestError, match=f"{model} takes no video, so nothing was sent") as raised:
        check(film_request(model, film))
    assert all(name in raised.value.hint for name in ("gemini-2.5-pro", "gemini-3-flash-preview"))
    assert "earlier turn" not in raised.value.hint


def test_a_film_of_an_earlier_turn_is_named_as_such():
    with pytest.raises(RequestError, match="takes no video") as raised:
        check(film_request("gpt-5.5", before=(FILM,)))
    assert "earlier turn" in raised.value.hint


@pytest.mark.parametrize("model", ["gemini-2.5-pro-low", "gemini-9", "my-own-model"])
def test_a_film_passes_where_it_may_be_taken(model):
    check(film_request(model, FILM, FILM_LINK))


def test_a_picture_by_its_address_is_no_film():
    check(film_request("gpt-5.5", MediaLink("https://example.org/a.png")))


@pytest.mark.parametrize(("count", "most"), [(1, 1.3), (3, 3.9)])
def test_films_over_the_limit_are_refused_with_what_to_do(count, most):
    films = [FILM] * count
    check(film_request("gemini-2.5-pro", *films), most + 0.2)
    what = "film.mp4" if count == 1 else "3 videos"
    with pytest.raises(RequestError, match=f"{what} would take {count * 4 / 3:.1f} MB of the request, more") as raised:
        check(film_request("gemini-2.5-pro", *films), most)
    assert "ffmpeg" in raised.value.hint
    assert "%config GatewaySettings.max_video_mb" in raised.value.hint


@pytest.mark.parametrize("media", [FILM, FILM_LINK, PICTURE])
def test_media_alone_are_a_prompt(media):
    check(ChatRequest("gemini-2.5-pro", (Message.of("user", media),)))
