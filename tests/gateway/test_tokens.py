"""Estimates of tokens, against the figures of the model makers' documentation."""

from __future__ import annotations

import pytest

from xcyq_magic.chat.messages import Message
from xcyq_magic.chat.parts import Image, MediaLink, Text, Video
from xcyq_magic.gateway.tokens import estimated_tokens, image_tokens, least_media_tokens


def picture(width: int, height: int) -> Image:
    return Image(b"", "image/png", width, height)


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("claude-sonnet-4-6", (200, 200), 54),
        ("claude-sonnet-4-6", (1092, 1092), 1590),
        ("claude-future-9", (1000, 1000), 1334),
        ("gpt-5.5", (512, 512), 210),
        ("gpt-5.5", (1024, 1024), 630),
        ("gpt-5.5", (2048, 4096), 910),
        ("gpt-5.5", (4096, 2048), 910),
        ("gemini-2.5-pro", (384, 384), 258),
        ("gemini-2.5-pro", (960, 540), 1548),
        ("gemini-2.5-pro", (768, 768), 1032),
        ("llama", (1024, 1024), 630),
    ],
)
def test_a_picture_costs_what_its_maker_documents(model, size, tokens):
    assert image_tokens(*size, model) == tokens
    assert estimated_tokens(picture(*size), model) == tokens


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        (Text("four" * 10), 10),
        (Text("a"), 1),
        (Text(""), 0),
        (Video(b"", "video/mp4", duration_s=10), 2630),
        (Video(b"", "video/mp4"), None),
        (MediaLink("https://example.org/a.png"), None),
    ],
)
def test_other_parts_cost_by_their_length(part, tokens):
    assert estimated_tokens(part, "gemini-2.5-pro") == tokens


@pytest.mark.parametrize("model", ["gpt-5.5", "claude-opus-4-7", "gemini-2.5-pro", "llama"])
@pytest.mark.parametrize("size", [(1, 1), (20, 20), (100, 800), (548, 413), (2048, 2048), (1, 2048)])
def test_the_least_is_less_than_any_model_counts(model, size):
    assert least_media_tokens([Message.of("user", picture(*size))]) <= image_tokens(*size, model)


def test_the_least_of_all_media_counts():
    messages = [
        Message.of("user", picture(1000, 1000), "text", Video(b"", "video/mp4", duration_s=10.5)),
        Message.of("assistant", "text"),
        Message.of("user", picture(1000, 1000), MediaLink("https://example.org/a.png"), Video(b"", "video/mp4")),
    ]
    assert least_media_tokens(messages) == 200 + 693 + 200
    assert least_media_tokens([]) == 0
