"""The sandbox's cheats: each does what it says to any request, not to those of a check alone."""

from __future__ import annotations

import base64
import statistics
from contextlib import closing

import openai
import pytest
from kernels import AT_ONCE, KEY
from PIL import Image as Pillow

from xcyq_magic.gateway.catalog import is_name
from xcyq_magic.gateway.sandbox.cheats import CHEATS, cheated
from xcyq_magic.gateway.sandbox.directives import Plan
from xcyq_magic.gateway.sandbox.server import Sandbox
from xcyq_magic.media.digits import drawn, read
from xcyq_magic.media.images import opened

LONG = "sandbox: markdown 2000"
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two"},
]


@pytest.fixture(scope="module")
def reference():
    with (
        closing(Sandbox(key=KEY, plan=AT_ONCE)) as sandbox,
        openai.OpenAI(base_url=f"{sandbox.base_url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client


def answer(reference, cheats: str, content="three", before=(), **options):
    messages = [*before, {"role": "user", "content": content}]
    return reference.chat.completions.create(model=f"gpt-5.4{cheats}", messages=messages, **options)


def text(reference, cheats: str, *arguments, **options) -> str:
    return answer(reference, cheats, *arguments, **options).choices[0].message.content


def test_every_name_can_be_a_models(reference):
    assert all(is_name(f"gpt-5.4~{name}") for name in CHEATS)
    listed = text(reference, "", "sandbox: help")
    assert all(f"`gpt-5.5~{name}`" in listed for name in CHEATS)


@pytest.mark.parametrize("name", ["gpt-5.4~lies", "gpt-5.4~noise~lies", "gpt-5.4~", "nobody~noise"])
def test_an_unknown_cheat_or_model_is_refused(reference, name):
    with pytest.raises(openai.NotFoundError, match=r"knows no cheat|does not exist"):
        reference.chat.completions.create(model=name, messages=TALK[1:2])


def test_messages_and_pictures_get_lost(reference):
    system, turn = "the system prompt “Be brief.”", "1 earlier turn"
    for cheats, left in (("", f"{system} · {turn}"), ("~system-dropped", turn), ("~history-cut", system)):
        assert text(reference, cheats, "three", TALK).split("\nWith it: ")[1].splitlines()[0] == left
    assert "With it" not in text(reference, "~history-cut~system-dropped", "three", TALK)
    picture = base64.b64encode(drawn("123").data).decode()
    parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}]
    parts.append({"type": "text", "text": "What is it?"})
    assert "| PNG |" in text(reference, "", parts)
    assert "| PNG |" not in text(reference, "~picture-dropped", parts)
    assert text(reference, "~picture-dropped", parts[:1])


def test_limits_are_ignored_and_another_one_answers(reference):
    assert len(text(reference, "", LONG, max_tokens=10)) == 40
    assert len(text(reference, "~max-tokens-ignored", LONG, max_tokens=10)) == 2000
    assert len(text(reference, "~stop-ignored", LONG, stop="sample")) == 2000
    assert answer(reference, "~another-model").model != "gpt-5.4~another-model"
    with pytest.raises(openai.InternalServerError, match="No available channel"):
        answer(reference, "~dead")


def test_counts_are_inflated_or_vary(reference):
    true = answer(reference, "", LONG).usage
    inflated = answer(reference, "~usage-inflated", LONG).usage
    assert inflated.prompt_tokens == round(1.6 * true.prompt_tokens)
    counts = [answer(reference, "~noise", LONG).usage.completion_tokens / true.completion_tokens for _ in range(30)]
    assert 0.84 < min(counts) < max(counts) < 1.16
    assert statistics.stdev(counts) > 0.02


def test_times_vary_by_a_tenth():
    plans = [cheated(Plan(), {"model": "gpt-5.4~noise"})[0] for _ in range(50)]
    for name in ("first_s", "deltas_per_s"):
        ratios = [getattr(plan, name) / getattr(Plan(), name) for plan in plans]
        assert 0.9 <= min(ratios) < 0.97
        assert 1.03 < max(ratios) <= 1.1


@pytest.mark.parametrize("digits", ["123", "400", "567", "989", "000"])
def test_digits_are_read_as_they_were_drawn(digits):
    assert read(opened(drawn(digits).data, "")) == digits


def test_no_digits_are_read_in_another_picture():
    assert read(Pillow.new("RGB", (336, 176), "white")) == ""
    assert read(Pillow.new("RGB", (20, 20), "black")) == ""
