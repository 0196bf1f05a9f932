"""Films: told by their first bytes, their length from their header."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.errors import MediaError
from xcyq_magic.gateway.catalog import MODELS, VIDEO_MODELS
from xcyq_magic.media.files import media_of_bytes
from xcyq_magic.media.video import SUFFIXES, TAKEN, duration_s, mime_of


def box(kind: bytes, content: bytes = b"", *, long: bool = False) -> bytes:
    if long:
        return struct.pack(">I", 1) + kind + struct.pack(">Q", len(content) + 16) + content
    return struct.pack(">I", len(content) + 8) + kind + content


def movie(ticks: int, rate: int, version: int = 0, *, long: bool = False) -> bytes:
    """The boxes of a film of so many ticks, with its pixels before them."""
    dates, form = (bytes(16), ">IQ") if version else (bytes(8), ">II")
    header = bytes([version, 0, 0, 0]) + dates + struct.pack(form, rate, ticks) + bytes(80)
    pixels = box(b"mdat", b"mvhd" * 50, long=long)
    return box(b"ftyp", b"isom" + bytes(4)) + pixels + box(b"moov", box(b"free") + box(b"mvhd", header))


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("long", [False, True])
def test_the_length_of_a_film_stands_in_its_header(version, long):
    assert duration_s(movie(7500, 600, version, long=long)) == 12.5


@pytest.mark.parametrize(
    "data", [b"", b"abc", movie(0, 600), movie(600, 0), movie(600, 600)[:-75], box(b"moov"), b"\0" * 100, b"\1" * 100]
)
def test_without_a_header_the_length_is_not_known(data):
    assert duration_s(data) is None


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda b: movie(60, 6)[:70] + b))
def test_any_bytes_are_looked_at_without_harm(data):
    assert mime_of(data) is None or "/" in mime_of(data)
    assert duration_s(data) is None or duration_s(data) > 0


FILMS = {
    "video/mp4": movie(60, 6),
    "video/mov": box(b"ftyp", b"qt  " + bytes(4)) + box(b"moov"),
    "video/3gpp": box(b"ftyp", b"3gp5" + bytes(4)),
    "video/mpeg": b"\x00\x00\x01\xba" + bytes(20),
    "video/avi": b"RIFF" + bytes(4) + b"AVI LIST",
    "video/wmv": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "video/x-flv": b"FLV\x01\x05",
    "video/webm": b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm",
}


@pytest.mark.parametrize("mime", FILMS)
def test_a_film_is_named_as_gemini_names_it(mime):
    video = media_of_bytes(FILMS[mime], "film", "film")
    assert (video.mime, video.data, video.name) == (mime, FILMS[mime], "film")
    assert video.duration_s == (10.0 if mime == "video/mp4" else None)


def test_every_kind_that_is_taken_is_recognized_and_has_a_suffix():
    assert set(FILMS) == set(SUFFIXES) == TAKEN


@pytest.mark.parametrize("data", [box(b"moov"), box(b"wide") + box(b"mdat")])
def test_quicktimes_older_files_are_recognized(data):
    assert mime_of(data) == "video/mov"


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"BM" + bytes(20), "image/bmp"),
        (b"BMW is a make of cars", None),
        (b"RIFF....WAVE", None),
        (box(b"ftyp", b"avif" + bytes(4)), "image/avif"),
        (b"<html><svg></svg></html>", None),
        (b"text about <svg", None),
        (b"The free encyclopedia", None),
        (b"\xef\xbb\xbf<?xml?><!-- a --><svg>", "image/svg+xml"),
    ],
)
def test_pictures_and_others_are_told_apart(data, mime):
    assert mime_of(data) == mime


def test_a_film_that_no_model_takes_is_refused():
    with pytest.raises(
        MediaError, match=r"film.mkv is video/x-matroska, which no model takes; nothing was sent"
    ) as raised:
        media_of_bytes(b"\x1a\x45\xdf\xa3\x42\x82\x88matroska", "film.mkv", "film.mkv")
    assert "ffmpeg" in raised.value.hint


def test_the_models_that_take_video_are_geminis():
    assert tuple(n for n in MODELS if n.startswith("gemini-") and not n.endswith(("-official", "-low"))) == VIDEO_MODELS
