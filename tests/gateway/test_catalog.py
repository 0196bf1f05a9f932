"""The catalogue, against the names as the gateway's documentation has them."""

from __future__ import annotations

import pytest

from xcyq_magic.gateway.catalog import CLAUDE, FAMILIES, GEMINI, GPT, MODELS, POOLS, image_limits, notice, suggest

DOCUMENTED = [
    *("gpt-5.4", "gpt-5.4-official", "gpt-5.4-hc", "gpt-5.4-fd", "gpt-5.4-low"),
    *("gpt-5.5", "gpt-5.5-official", "gpt-5.5-hc", "gpt-5.5-fd", "gpt-5.5-low"),
    *("claude-haiku-4-5", "claude-haiku-4-5-official", "claude-haiku-4-5-hc", "claude-haiku-4-5-fd"),
    *("claude-opus-4-5", "claude-opus-4-5-official", "claude-opus-4-5-hc", "claude-opus-4-5-fd"),
    *("claude-opus-4-6", "claude-opus-4-6-official", "claude-opus-4-6-hc", "claude-opus-4-6-fd"),
    *("claude-opus-4-7", "claude-opus-4-7-official", "claude-opus-4-7-hc", "claude-opus-4-7-fd"),
    *("claude-sonnet-4-5", "claude-sonnet-4-5-official", "claude-sonnet-4-5-hc", "claude-sonnet-4-5-fd"),
    *("claude-sonnet-4-6", "claude-sonnet-4-6-official", "claude-sonnet-4-6-hc", "claude-sonnet-4-6-fd"),
    *("gemini-2.5-pro", "gemini-2.5-pro-official", "gemini-2.5-pro-low"),
    *("gemini-3-flash-preview", "gemini-3-flash-preview-official", "gemini-3-flash-preview-low"),
    *("gemini-3.1-pro-preview", "gemini-3.1-pro-preview-official", "gemini-3.1-pro-preview-low"),
    "gemini-2.5-flash-lite",
    "gemini-3.1-flash-lite-preview",
]

PNG_JPEG_WEBP = {"image/png", "image/jpeg", "image/webp"}


def test_the_catalogue_holds_the_45_documented_names_and_no_other():
    assert len(DOCUMENTED) == 45
    assert list(MODELS) == DOCUMENTED
    assert all(model.name == name for name, model in MODELS.items())


def test_every_model_belongs_to_the_family_of_its_maker():
    makers = {"gpt": GPT, "claude": CLAUDE, "gemini": GEMINI}
    assert FAMILIES == (GPT, CLAUDE, GEMINI)
    assert all(model.family is makers[name.split("-")[0]] for name, model in MODELS.items())
    assert [f.name for f in FAMILIES] == ["GPT", "Claude", "Gemini"]


def test_video_is_for_gemini_alone():
    assert [f for f in FAMILIES if f.video] == [GEMINI]


@pytest.mark.parametrize(
    ("name", "base", "pool"),
    [
        ("gpt-5.4", "gpt-5.4", "standard"),
        ("gpt-5.5-low", "gpt-5.5", "budget"),
        ("claude-opus-4-7-hc", "claude-opus-4-7", "high-quality (AWS or premium accounts)"),
        ("claude-haiku-4-5-fd", "claude-haiku-4-5", "proxy pool, mixed accounts"),
        ("gemini-2.5-pro-official", "gemini-2.5-pro", "official"),
        ("gemini-3.1-flash-lite-preview", "gemini-3.1-flash-lite-preview", "standard"),
    ],
)
def test_a_suffix_names_a_pool(name, base, pool):
    assert (MODELS[name].base, MODELS[name].pool) == (base, pool)


def test_every_pool_has_models():
    assert {model.suffix for model in MODELS.values()} == set(POOLS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("claude-opus-47", "claude-opus-4-7"),
        ("claude-opus-4.7", "claude-opus-4-7"),
        ("Claude-Opus-4-7", "claude-opus-4-7"),
        ("claude_sonnet_4_6", "claude-sonnet-4-6"),
        ("claude-sonet-4-6", "claude-sonnet-4-6"),
        ("gpt5.4", "gpt-5.4"),
        ("GPT-5.5", "gpt-5.5"),
        ("gpt-5.4-offical", "gpt-5.4-official"),
        ("claude-sonnet-4-6-low", "claude-sonnet-4-6"),
        ("gemini-2.5pro", "gemini-2.5-pro"),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
    ],
)
def test_a_near_miss_gets_a_suggestion(typed, meant):
    assert suggest(typed) == meant


@pytest.mark.parametrize(
    ("typed", "newest"),
    [
        ("claude", "claude-opus-4-7"),
        ("claude-opus", "claude-opus-4-7"),
        ("claude-opus-4", "claude-opus-4-7"),
        ("claude-3-opus", "claude-opus-4-7"),
        ("claude-opus-45", "claude-opus-4-5"),  # which names its version
        ("claude-opus-official", "claude-opus-4-7-official"),
        ("claude-sonnet-5", "claude-sonnet-4-6"),
        ("opus", "claude-opus-4-7"),
        ("gpt", "gpt-5.5"),
        ("gpt-5", "gpt-5.5"),
        ("gpt-6-low", "gpt-5.5-low"),
        ("gemini-pro", "gemini-3.1-pro-preview"),
        ("gemini-flash", "gemini-3-flash-preview"),
        ("gemini-flash-lite", "gemini-3.1-flash-lite-preview"),
        ("gemini-2.5-pro-preview", "gemini-2.5-pro"),
    ],
)
def test_of_several_that_fit_the_newest_is_suggested(typed, newest):
    assert suggest(typed) == newest


def test_a_date_is_no_version_and_a_size_neither():
    dated = ["claude-opus-4-20250514", "claude-opus-4-7", "qwen3:8b", "qwen3:32b"]
    assert suggest("claude-opus", dated) == "claude-opus-4-7"
    assert suggest("qwen3", dated) == "qwen3:8b"


NO_NAMES = ["", "-", "x", "5", "4-7", "preview", "low", "llama-3-70b", "deepseek-v3", "text-embedding-ada-002"]


@pytest.mark.parametrize("typed", NO_NAMES)
def test_a_name_that_is_near_nothing_gets_none(typed):
    assert suggest(typed) is None


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_known_name_suggests_itself_and_needs_no_notice(name):
    assert suggest(name) == name
    assert notice(name) is None


def test_a_notice_says_that_an_unknown_name_is_sent_all_the_same():
    assert notice("claude-opus-47") == (
        "claude-opus-47 is not in the catalogue; requests use it as typed. Did you mean claude-opus-4-7?"
    )
    assert notice("llama-3-70b") == (
        "llama-3-70b is not in the catalogue; requests use it as typed. %chat_models lists those that are known."
    )


@pytest.mark.parametrize(
    ("name", "mimes", "long_edge", "max_bytes"),
    [
        ("gpt-5.4", {*PNG_JPEG_WEBP, "image/gif"}, 2048, None),
        ("gpt-5.5-low", {*PNG_JPEG_WEBP, "image/gif"}, 2048, None),
        ("claude-sonnet-4-6", {*PNG_JPEG_WEBP, "image/gif"}, 1568, 3_932_160),
        ("claude-opus-4-6-hc", {*PNG_JPEG_WEBP, "image/gif"}, 1568, 3_932_160),
        ("claude-opus-4-7", {*PNG_JPEG_WEBP, "image/gif"}, 2576, 3_932_160),
        ("claude-opus-4-7-fd", {*PNG_JPEG_WEBP, "image/gif"}, 2576, 3_932_160),
        ("gemini-2.5-pro", PNG_JPEG_WEBP, 2048, None),
        ("gemini-3.1-flash-lite-preview", PNG_JPEG_WEBP, 2048, None),
        ("gpt-7", {*PNG_JPEG_WEBP, "image/gif"}, 2048, None),
        ("claude-epos-5", {*PNG_JPEG_WEBP, "image/gif"}, 1568, 3_932_160),
        ("gemini-9-ultra", PNG_JPEG_WEBP, 2048, None),
        ("llama-3-70b", PNG_JPEG_WEBP, 1568, 3_932_160),
    ],
)
def test_a_model_known_or_not_has_limits_for_pictures(name, mimes, long_edge, max_bytes):
    limits = image_limits(name)
    assert (limits.mimes, limits.long_edge, limits.max_bytes) == (mimes, long_edge, max_bytes)


def test_base64_of_the_largest_claude_picture_is_five_mebibytes():
    assert CLAUDE.images.max_bytes * 4 / 3 == 5 * 1024**2
