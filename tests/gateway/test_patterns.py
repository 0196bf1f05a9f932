"""Which models a line means."""

from __future__ import annotations

import re

import pytest

from xcyq_magic.errors import OptionError
from xcyq_magic.gateway.catalog import MODELS, asked_models


def columns(*words: str, repeat: int | None = 1, most: int = 12) -> dict[str, str]:
    return asked_models(words, repeat, most)


@pytest.mark.parametrize(
    ("words", "models"),
    [
        (["gpt-5.5", "claude-opus-4-7"], ["gpt-5.5", "claude-opus-4-7"]),
        (["gpt-5.5{,-official,-low}"], ["gpt-5.5", "gpt-5.5-official", "gpt-5.5-low"]),
        (["gpt-5.{4,5}{,-low}"], ["gpt-5.4", "gpt-5.4-low", "gpt-5.5", "gpt-5.5-low"]),
        (["{gpt-5.{4,5},my-own}"], ["gpt-5.4", "gpt-5.5", "my-own"]),
        (["claude-haiku-*"], [m for m in MODELS if m.startswith("claude-haiku-")]),
        (["gpt-5.?-LOW"], ["gpt-5.4-low", "gpt-5.5-low"]),
        (["gemini-{3,3.1}-*-preview"], [m for m in MODELS if re.fullmatch(r"gemini-3(\.1)?-.*-preview", m)]),
        (["claude-opus-4-7", "claude-opus-*-7*"], [m for m in MODELS if m.startswith("claude-opus-4-7")]),
        (["a-new-model", "gpt-5.5"], ["a-new-model", "gpt-5.5"]),
    ],
)
def test_words_expand_in_order_each_model_once(words, models):
    assert columns(*words) == {m: m for m in models}


def test_repeated_models_have_columns_with_numbers():
    assert columns("gpt-5.5", "gpt-5.4", repeat=2) == {
        "gpt-5.5#1": "gpt-5.5",
        "gpt-5.5#2": "gpt-5.5",
        "gpt-5.4#1": "gpt-5.4",
        "gpt-5.4#2": "gpt-5.4",
    }
    assert list(columns("gpt-5.5", repeat=3)) == ["gpt-5.5#1", "gpt-5.5#2", "gpt-5.5#3"]
    assert list(columns("gpt-5.5", "gpt-5.5", repeat=2)) == ["gpt-5.5#1", "gpt-5.5#2"]


@pytest.mark.parametrize(
    ("words", "repeat", "said"),
    [
        ([], 1, "at least two models, and this has no model; nothing was sent.\nName them: gpt-5.5 claude-opus-4-7."),
        (
            ["gpt-5.4"],
            1,
            "this has gpt-5.4 alone; nothing was sent.\nName another one, or ask it twice: --repeat 2.",
        ),
        (
            ["gpt-5.5", "gpt-5.5"],
            1,
            "is named 2 times; nothing was sent.\nTo ask it 2 times, name it once and add --repeat 2.",
        ),
        (["gpt-5.4"], None, "this has gpt-5.4 alone; nothing was sent.\nName another one."),
        (["gpt-5.5", "gpt-5.5", "gpt-5.4"], None, "is named 2 times; nothing was sent.\nName it once."),
        (["gpt-6*"], 1, "No model's name matches gpt-6*; nothing was sent.\nNear it are gpt-5."),
        (["clod-*"], 1, "Near it are "),
        (["????"], 1, "%chat_models lists the names."),
        (["claude-*"], 1, "These are 24 columns, and 12 is the limit; nothing was sent."),
        (["gpt-*"], 2, "These are 20 columns (10 models, 2 times each), and 12 is the limit"),
        (["gpt-5.5", "gpt-5.4"], 0, "repeat is a whole number of at least 1, not 0"),
        (["gpt-5.5,", "gpt-5.4"], 1, "by a comma ('gpt-5.5,'); nothing was sent.\nSeparate them with spaces"),
        (["gpt-5.5{,-low"], 1, "A brace in gpt-5.5{,-low has no partner"),
        (["gpt}", "gpt-5.5"], 1, "A brace in gpt} has no partner"),
        (["{a,b}" * 10], 1, "stands for more than 200 models"),
    ],
)
def test_what_cannot_be_asked_says_what_to_type(words, repeat, said):
    with pytest.raises(OptionError) as failed:
        columns(*words, repeat=repeat)
    assert said in str(failed.value)


def test_the_limit_is_the_one_given():
    assert len(columns("claude-*", most=24)) == 24
    with pytest.raises(OptionError, match="3 is the limit"):
        columns("gpt-5.4*", most=3)
