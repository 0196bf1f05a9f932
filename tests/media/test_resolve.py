"""Whatever is in memory becomes a content part: what the server received has the pixels that the value has."""

from __future__ import annotations

import array
import base64
import decimal
import io
import pathlib
import types
from dataclasses import dataclass
from typing import NamedTuple

import IPython.display
import numpy as np
import pytest
from files import ENDLESS, at_once, make_endless
from matplotlib.figure import Figure
from PIL import Image as Pillow
from shells import shell_of

from xcyq_magic.chat.messages import Image, MediaLink, Text, Video
from xcyq_magic.errors import MediaError
from xcyq_magic.media.resolve import attach, media_of, resolve

COLOURS = np.random.default_rng(7).integers(0, 256, (24, 32, 3), np.uint8)
GREY = COLOURS[..., 0]
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='32' height='24'><rect width='16' height='24' fill='red'/></svg>"
MP4 = bytes.fromhex("0000001066747970") + b"isom" + bytes(4)


def png(mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(COLOURS).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


class Tensor:
    """What NumPy can make an array of, and no more: as torch on the CPU, jax, xarray."""

    def __init__(self, values) -> None:
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._values, dtype)


class WithPng:
    def _repr_png_(self) -> bytes:
        return png()


class WithPngAndMetadata:
    def _repr_png_(self) -> tuple[bytes, dict]:
        return png(), {"width": 16}


class WithPngInBase64:
    def _repr_png_(self) -> str:
        return base64.b64encode(png()).decode("ascii")


class WithBundle:
    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"image/png": base64.b64encode(png()).decode("ascii"), "text/plain": "a plot"}


class WithBundleWhenAsked:
    """As graphviz: SVG, and PNG for whoever asks for it."""

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        made = {"image/png": png()} if "image/png" in (include or ()) else {"image/svg+xml": "<svg/>"}
        return made, {}


class WithTextFirst:
    """Other representations do not matter."""

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/plain": "a plot"}

    def _repr_html_(self) -> str:
        return "<b>a plot</b>"

    def _repr_png_(self) -> bytes:
        return png()


EXACT = {
    "an image of ours": (lambda: Image(png(), "image/png", 32, 24), COLOURS),
    "Pillow, RGB": (lambda: Pillow.fromarray(COLOURS), COLOURS),
    "Pillow, grey": (lambda: Pillow.fromarray(GREY), GREY),
    "Pillow, a palette": (lambda: Pillow.fromarray(GREY).quantize(16), None),
    "Pillow, black and white": (lambda: Pillow.fromarray(GREY > 99), GREY > 99),
    "Pillow, opacity": (
        lambda: Pillow.fromarray(np.dstack([COLOURS, GREY]), "RGBA"),
        np.dstack([COLOURS, GREY]),
    ),
    "array, HxW": (lambda: GREY, GREY),
    "array, HxWx1": (lambda: GREY[..., None], GREY),
    "array, HxWx3": (lambda: COLOURS, COLOURS),
    "array, HxWx4": (lambda: np.dstack([COLOURS, GREY]), np.dstack([COLOURS, GREY])),
    "array, strided": (lambda: COLOURS[::-1, ::2], COLOURS[::-1, ::2]),
    "array, Fortran's order": (lambda: np.asfortranarray(COLOURS), COLOURS),
    "array, read-only": (lambda: np.frombuffer(COLOURS.tobytes(), np.uint8).reshape(24, 32, 3), COLOURS),
    "array, the other byte order": (lambda: COLOURS.astype(">i4"), COLOURS),
    "array, booleans": (lambda: GREY > 99, GREY > 99),
    **{f"array, {t}": (lambda t=t: COLOURS.astype(t), COLOURS) for t in ("u2", "i2", "u4", "i4", "u8", "i8")},
    **{f"array, {t} from 0 to 1": (lambda t=t: (COLOURS / 255).astype(t), COLOURS) for t in ("f4", "f8", "g")},
    "matrix": (lambda: GREY.view(np.matrix), GREY),
    "masked array, nothing masked": (lambda: np.ma.masked_greater(GREY, 300), GREY),
    "what NumPy can read": (lambda: Tensor(COLOURS), COLOURS),
    "IPython Image, data": (lambda: IPython.display.Image(png()), COLOURS),
    "IPython Image, data and format": (lambda: IPython.display.Image(png(), format="png", width=9), COLOURS),
    "bytes": (png, COLOURS),
    "bytearray": (lambda: bytearray(png()), COLOURS),
    "memoryview": (lambda: memoryview(png()), COLOURS),
    "_repr_png_": (WithPng, COLOURS),
    "_repr_png_ with metadata": (WithPngAndMetadata, COLOURS),
    "_repr_png_ in base64": (WithPngInBase64, COLOURS),
    "_repr_mimebundle_": (WithBundle, COLOURS),
    "_repr_mimebundle_ when asked": (WithBundleWhenAsked, COLOURS),
    "_repr_png_ beside others": (WithTextFirst, COLOURS),
}


@pytest.mark.parametrize(("make", "expected"), EXACT.values(), ids=EXACT)
def test_what_the_server_received_has_the_pixels_that_the_value_has(picture, make, expected):
    value = make()
    expected = np.asarray(value.convert("RGB")) if expected is None else expected
    came = picture(resolve(value))
    assert came.format == "PNG"
    came = came.convert({"P": "RGB", "1": "L"}.get(came.mode, came.mode))
    np.testing.assert_array_equal(np.asarray(came), np.asarray(expected) * 255 if expected.dtype == bool else expected)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "my plot.png"
    path.write_bytes(png())
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path,
        lambda path: pathlib.Path(path.name),
        lambda path: pathlib.Path("~") / path.name,
        lambda path: IPython.display.Image(str(path)),
        lambda path: IPython.display.Image(filename=str(path), embed=False),
        lambda path: IPython.display.Image(url=path.name, embed=False),
        Pillow.open,
    ],
)
def test_a_file_is_read(picture, file, make):
    part = resolve(make(file))
    assert part.name in {"my plot.png", ""}
    np.testing.assert_array_equal(np.asarray(picture(part)), COLOURS)


@pytest.mark.parametrize("write", [str, lambda p: p.name, lambda p: f"~/{p.name}"])
def test_a_string_is_a_path_where_it_is_attached_and_text_in_a_prompt(picture, file, write):
    text = write(file)
    np.testing.assert_array_equal(np.asarray(picture(attach(text))), COLOURS)
    assert resolve(text) == Text(text)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.org/a.png", "image"),
        ("http://example.org/a?b=c#d", "image"),
        ("HTTPS://example.org/a.MP4?b=c", "video"),
    ],
)
def test_an_address_is_passed_on_where_it_is_attached(received, url, kind):
    part = attach(url)
    assert part == MediaLink(url, kind)
    assert received(part) == (part,)
    assert resolve(url) == Text(url)


def test_what_ipython_shows_by_its_address_is_passed_on(received):
    shown = IPython.display.Image(url="https://example.org/a.png"), IPython.display.Video("https://example.org/a.mp4")
    parts = tuple(resolve(s) for s in shown)
    assert received(*parts) == parts
    assert [p.kind for p in parts] == ["image", "video"]


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path,
        lambda path: path.read_bytes(),
        lambda path: IPython.display.Video(str(path)),
        lambda path: IPython.display.Video(filename=str(path), embed=True),
        lambda path: IPython.display.Video(MP4, embed=True),
        lambda path: Video(MP4, "video/mp4"),
        lambda path: attach(str(path)),
    ],
)
def test_a_film_is_sent_as_it_is(received, tmp_path, make):
    path = tmp_path / "film.mp4"
    path.write_bytes(MP4)
    (video,) = received(resolve(make(path)))
    assert (video.data, video.mime) == (MP4, "video/mp4")


class Plot:
    """For which a formatter is registered."""


def test_a_formatter_that_is_registered_for_a_type_is_used(picture):
    with shell_of() as shell:
        shell.display_formatter.formatters["image/png"].for_type(Plot, lambda _: png())
        part = resolve(Plot())
    np.testing.assert_array_equal(np.asarray(picture(part)), COLOURS)


class WithJpeg:
    def _repr_png_(self) -> None:
        return None

    def _repr_jpeg_(self) -> bytes:
        buffer = io.BytesIO()
        Pillow.fromarray(COLOURS).save(buffer, "JPEG")
        return buffer.getvalue()


class WithSvg:
    def _repr_svg_(self) -> str:
        return SVG


def test_a_jpeg_is_sent_as_it_is(received):
    (image,) = received(resolve(WithJpeg()))
    assert (image.data, image.mime) == (WithJpeg()._repr_jpeg_(), "image/jpeg")


@pytest.mark.parametrize("value", [WithSvg(), IPython.display.SVG(SVG), SVG.encode()], ids=["method", "SVG", "bytes"])
def test_an_svg_is_drawn(picture, value):
    pytest.importorskip("resvg_py")
    came = picture(resolve(value)).convert("RGB")
    assert (came.size, came.getpixel((5, 5)), came.getpixel((25, 5))) == ((32, 24), (255, 0, 0), (255, 255, 255))


def test_an_svg_that_nothing_draws_names_what_does(monkeypatch, tmp_path):
    for name in ("resvg_py", "cairosvg"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MediaError, match="is an SVG") as raised:
        resolve(WithSvg())
    assert "%pip install resvg-py" in raised.value.hint


@pytest.mark.parametrize("svg", [b"<svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><rect"])
def test_a_damaged_svg_is_refused(svg):
    pytest.importorskip("resvg_py")
    with pytest.raises(MediaError, match="nothing was sent"):
        resolve(svg)


# What is no picture


class WithNothing:
    def _repr_png_(self) -> None:
        return None

    def __repr__(self) -> str:
        return "a plot of nothing"


class SaysItHasAll:
    """As a mock or a proxy: it has every attribute that it is asked for."""

    def __getattr__(self, name: str):
        return lambda *_: png()

    def __repr__(self) -> str:
        return "yes"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Record:
    name: str


TEXT = [
    pytest.param(value, id=f"{n} {type(value).__name__}")
    for n, value in enumerate(
        [
            *(None, True, 5, 1.5, 2j, "scatter.png", "https://example.org/a.png", b"text", b"", bytearray(b"text")),
            *([], {}, (), set(), [1, 2], {"a": 1}, Point(1, 2), Record("a"), range(3), decimal.Decimal("1.5")),
            *(array.array("d", [1.0]), types.SimpleNamespace(a=1), ValueError("no"), Pillow, Pillow.Image, WithPng),
            *(np.zeros(9), np.zeros((2, 9, 9, 3)), np.zeros((3, 9, 9)), np.zeros((3, 3)), np.zeros((9, 9, 2))),
            *(np.float64(1), np.zeros(()), np.zeros((0, 9)), np.zeros((9, 9), complex), np.zeros((9, 9), "M8[s]")),
            *(np.full((9, 9), np.nan), np.full((9, 9), "a"), np.full((9, 9), None), [np.zeros((9, 9))]),
            *(WithNothing(), SaysItHasAll(), len, np, Record, Figure, memoryview(np.zeros(3))),
        ]
    )
]


@pytest.mark.parametrize("value", TEXT)
def test_what_is_no_picture_goes_in_as_text(value):
    assert media_of(value) is None
    part = resolve(value)
    assert isinstance(part, Text)


def test_a_text_of_ours_stays_itself():
    text = Text("a")
    assert resolve(text) is text


# Bad input


class Raises:
    def _repr_png_(self) -> bytes:
        msg = "no\ndata"
        raise RuntimeError(msg)


class GivesNonsense:
    def _repr_png_(self) -> bytes:
        return b"nonsense"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Raises(), r"The Raises cannot be drawn \(RuntimeError: no data\)"),
        (GivesNonsense(), "The GivesNonsense is no picture"),
        (png()[:200], "is damaged"),
        (pathlib.Path("missing.png"), "missing.png cannot be attached: no such file"),
        (pathlib.Path("~nobody-of-this-name") / "a.png", "cannot be attached"),
        (pathlib.Path(__file__), "is no picture"),
        (IPython.display.Video(filename="missing.mp4"), "missing.mp4 cannot be attached"),
        (IPython.display.Image(b"nonsense"), "This Image is no picture"),
        (Pillow.new("RGB", (0, 5)), "has no pixels"),
        (b"\x1a\x45\xdf\xa3\x42\x82matroska", "video/x-matroska, which no model takes"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_with_a_hint(value, words):
    with pytest.raises(MediaError, match=words) as raised:
        resolve(value)
    assert "nothing was sent" in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("value", [None, "missing.png", "some text", ""])
def test_what_is_nothing_to_attach_is_refused(value):
    with pytest.raises(MediaError, match="nothing was sent"):
        attach(value)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_file_without_an_end_is_refused_unread(tmp_path, kind):
    make_endless(kind, tmp_path / "film.mp4")
    with at_once(), pytest.raises(MediaError, match="nothing was sent") as raised:
        attach(str(tmp_path / "film.mp4"))
    assert raised.value.hint


def test_a_file_too_large_to_read_is_refused_unread(tmp_path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(600 * 1024 * 1024)  # of which nothing is on the disk
    with pytest.raises(MediaError, match="629 MB, which is too much"):
        resolve(path)
