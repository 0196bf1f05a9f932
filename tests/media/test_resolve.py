"""Whatever is in memory becomes a content part: what the server received has the pixels that the value has."""

from __future__ import annotations

import array
import base64
import collections
import decimal
import io
import pathlib
import re
import sys
import types
from dataclasses import dataclass
from typing import NamedTuple

import IPython.display
import ipywidgets
import numpy as np
import pandas as pd
import pytest
from files import ENDLESS, at_once, make_endless
from matplotlib.figure import Figure
from pictures import attached_part, part_of
from PIL import Image as Pillow
from shells import shell_of

from xcyq_magic.chat.parts import Image, MediaLink, Text, Video
from xcyq_magic.errors import MediaError
from xcyq_magic.media.resolve import Reading, attach, hint_for, media_of, resolve
from xcyq_magic.media.text_files import Bounds
from xcyq_magic.media.values import describe

COLOURS = np.random.default_rng(7).integers(0, 256, (216, 288, 3), np.uint8)
GREY = COLOURS[..., 0]
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='288' height='216'><rect width='144' height='216' fill='red'/></svg>"
)
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
    "an image of ours": (lambda: Image(png(), "image/png", 288, 216), COLOURS),
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
    "array, read-only": (lambda: np.frombuffer(COLOURS.tobytes(), np.uint8).reshape(216, 288, 3), COLOURS),
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
    came = picture(part_of(value))
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
    part = part_of(make(file))
    assert part.name in {"my plot.png", ""}
    np.testing.assert_array_equal(np.asarray(picture(part)), COLOURS)


@pytest.mark.parametrize("write", [str, lambda p: p.name, lambda p: f"~/{p.name}"])
def test_a_string_is_a_path_where_it_is_attached_and_text_in_a_prompt(picture, file, write):
    text = write(file)
    np.testing.assert_array_equal(np.asarray(picture(attached_part(text))), COLOURS)
    assert part_of(text) == Text(text)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://example.org/a.png", "image"),
        ("http://example.org/a.jpg?b=c#d", "image"),
        ("HTTPS://example.org/a.MP4?b=c", "video"),
    ],
)
def test_an_address_is_passed_on_where_it_is_attached(received, url, kind):
    part = attached_part(url)
    assert part == MediaLink(url, kind)
    assert received(part) == (part,)
    assert part_of(url) == Text(url)


def test_what_ipython_shows_by_its_address_is_passed_on(received):
    shown = IPython.display.Image(url="https://example.org/a.png"), IPython.display.Video("https://example.org/a.mp4")
    parts = tuple(part_of(s) for s in shown)
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
        lambda path: attached_part(str(path)),
    ],
)
def test_a_film_is_sent_as_it_is(received, tmp_path, make):
    path = tmp_path / "film.mp4"
    path.write_bytes(MP4)
    (video,) = received(part_of(make(path)))
    assert (video.data, video.mime) == (MP4, "video/mp4")


class Plot:
    """For which a formatter is registered."""


def test_a_formatter_that_is_registered_for_a_type_is_used(picture):
    with shell_of() as shell:
        shell.display_formatter.formatters["image/png"].for_type(Plot, lambda _: png())
        part = part_of(Plot())
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
    (image,) = received(part_of(WithJpeg()))
    assert (image.data, image.mime) == (WithJpeg()._repr_jpeg_(), "image/jpeg")


@pytest.mark.parametrize("value", [WithSvg(), IPython.display.SVG(SVG), SVG.encode()], ids=["method", "SVG", "bytes"])
def test_an_svg_is_drawn(picture, value):
    pytest.importorskip("resvg_py")
    came = picture(part_of(value)).convert("RGB")
    assert (came.size, came.getpixel((45, 5)), came.getpixel((225, 5))) == ((288, 216), (255, 0, 0), (255, 255, 255))


def test_an_svg_that_nothing_draws_names_what_does(monkeypatch, tmp_path):
    for name in ("resvg_py", "cairosvg"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MediaError, match="is an SVG") as raised:
        part_of(WithSvg())
    assert "%pip install resvg-py" in raised.value.hint


@pytest.mark.parametrize("svg", [b"<svg", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><rect"])
def test_a_damaged_svg_is_refused(svg):
    pytest.importorskip("resvg_py")
    with pytest.raises(MediaError, match="nothing was sent"):
        part_of(svg)


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
    part = part_of(value)
    assert isinstance(part, Text)


def test_a_text_of_ours_stays_itself():
    text = Text("a")
    assert part_of(text) is text


# Numbers

DICE = np.random.default_rng(7)
WHOLE = {
    "a confusion matrix": DICE.integers(0, 90, (10, 10)),
    "correlations": np.corrcoef(DICE.normal(size=(12, 40))),
    "more correlations": np.corrcoef(DICE.normal(size=(20, 40))),
    "digits of 8 by 8": DICE.integers(0, 17, (8, 8)).astype(float),
    "who knows whom": DICE.random((10, 10)) > 0.5,
    "labels": DICE.integers(0, 3, (20, 20)),
    "one channel": DICE.integers(0, 3, (9, 9, 1)),
    "a matrix of uint16": DICE.integers(0, 3, (9, 9)).astype("u2"),
}
CUT = {
    "features": DICE.normal(size=(150, 12)),
    "features from 0 to 1": DICE.random((569, 30)),
    "few features from 0 to 1": DICE.random((60, 15)),
    "word counts": DICE.integers(0, 9, (200, 60)),
    "a mask of labels": DICE.integers(0, 3, (100, 100)),
    "elevations": DICE.normal(size=(300, 300)) * 900,
    "elevations, whole numbers": DICE.integers(-90, 2000, (100, 100)),
}
PICTURES = {
    "uint8": DICE.integers(0, 2, (28, 28), np.uint8),
    "uint8, small": DICE.integers(0, 2, (8, 8), np.uint8),
    "floats from 0 to 1": DICE.random((64, 64)),
    "floats from 0 to 1, one channel": DICE.random((64, 64, 1)),
    "whole numbers to 255": DICE.integers(0, 256, (64, 64)),
    "a mask": DICE.random((64, 64)) > 0.5,
    "uint16": DICE.integers(0, 65536, (64, 64)).astype("u2"),
    "colours of any range": DICE.normal(size=(9, 40, 3)),
}


@pytest.mark.parametrize("array", WHOLE.values(), ids=WHOLE)
def test_a_matrix_that_fits_goes_in_with_all_its_numbers(array):
    text = part_of(array).text
    assert "..." not in text
    assert len(text) <= 4000
    numbers = text.partition("\n")[2].partition("…")[0]
    assert len(re.findall(r"[\w.e+-]+", numbers)) == array.size
    assert hint_for(array, "matrix", text) is None
    assert ("rounded to 4 digits" in text) == (array.size == 400 and array.dtype == float)


@pytest.mark.parametrize("array", CUT.values(), ids=CUT)
def test_numbers_that_are_no_picture_by_type_or_range_say_how_to_have_them_seen(array):
    text = part_of(array).text
    assert text.startswith(f"array of shape {array.shape}")
    assert "{{ plt.matshow(numbers) }}" in hint_for(array, "numbers", text)


@pytest.mark.parametrize("array", PICTURES.values(), ids=PICTURES)
def test_what_is_a_picture_by_its_type_or_its_range_is_one(array):
    assert isinstance(part_of(array), Image)


def test_with_more_characters_more_numbers_go_in_as_text():
    (part,) = resolve(DICE.random((64, 64)), reading=Reading(Bounds(value=60_000)))
    assert "..." not in part.text


# What holds media

FIGURES = [Figure(), Figure()]
for _n, _figure in enumerate(FIGURES):
    _figure.subplots().plot([_n, 1, 2])
RED, BLUE = (Pillow.new("RGB", (9, 9), c) for c in ("red", "blue"))


class Named(NamedTuple):
    first: object
    second: object


def kinds(value, send=resolve) -> list[str]:
    return [p.text if isinstance(p, Text) else f"[{p.name}]" for p in send(value, "x")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FIGURES, ["[x[0]]", "[x[1]]"]),
        (tuple(FIGURES), ["[x[0]]", "[x[1]]"]),
        (Named(*FIGURES), ["[x[0]]", "[x[1]]"]),
        (collections.deque([RED, BLUE]), ["[x[0]]", "[x[1]]"]),
        ({"a": RED, "b": BLUE}.values(), ["[x[0]]", "[x[1]]"]),
        ({"a": RED, 2: BLUE}, ["a:", "[x['a']]", "2:", "[x[2]]"]),
        ([["look", RED], [BLUE]], ["look", "[x[0][1]]", "[x[1][0]]"]),
        ({"a": [RED, BLUE], "b": 5}, ["a:", "[x['a'][0]]", "a:", "[x['a'][1]]", "b: 5"]),
        (["first", RED, 1, [2, 3], BLUE, None], ["first", "[x[1]]", "1\n[2, 3]", "[x[4]]", "None"]),
        ([COLOURS, GREY], ["[x[0]]", "[x[1]]"]),
        ([png(), io.BytesIO(png())], ["[x[0]]", "[x[1]]"]),
        ([IPython.display.Image(png()), WithPng()], ["[]", "[]"]),
    ],
)
def test_what_holds_media_is_its_items_in_order(value, expected):
    assert kinds(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        ["a.png", "b.png"],
        [pathlib.Path("a.csv"), pathlib.Path("folder")],
        {"a": [1, {"b": np.zeros((9, 9))}]},
        [DICE.normal(size=(9, 9))] * 2,
        [],
        [[]],
        list(range(1000)),
    ],
)
def test_what_holds_no_media_is_text_as_python_writes_it(value):
    assert kinds(value) == [describe(value)]


def test_what_holds_itself_and_media_ends():
    loop: list = [RED]
    loop.append(loop)
    assert kinds(loop)[:2] == ["[x[0]]", "[x[1][0]]"]


def test_paths_in_a_list_are_read_if_they_are_called_as_pictures_are(file):
    assert kinds([file, pathlib.Path("notes.txt")]) == ["[my plot.png]", "notes.txt"]
    with pytest.raises(MediaError, match=r"gone\.png cannot be attached: no such file"):
        resolve([file, pathlib.Path("gone.png")])


def test_names_in_a_list_are_paths_where_the_list_is_attached(file):
    names = [file.name, "https://example.org/a.mp4"]
    assert kinds(names, attach) == ["[my plot.png]", "[]"]
    assert kinds(names) == [repr(names)]
    assert kinds(["ann", "bob"], attach) == ["['ann', 'bob']"]


def test_more_media_than_go_along_are_refused():
    with pytest.raises(MediaError, match="x holds more than 50 items, media among them; nothing was sent") as raised:
        kinds([RED] * 51)
    assert "x[:50]" in raised.value.hint
    assert len(kinds([RED] * 50)) == 50


def test_what_is_text_among_media_shares_the_budget():
    words, numbers = resolve([RED, "word " * 5000, RED, list(range(5000))], reading=Reading(Bounds(value=1000)))[1::2]
    assert words == Text("word " * 5000)  # text of the user's stays whole
    assert len(numbers.text) <= 500


# What says nothing of itself


class Silent:
    def __init__(self) -> None:
        self.inner = 1


class InMarkdown(Silent):
    def _repr_markdown_(self) -> str:
        return "**bold**"


class InLatex(Silent):
    def _repr_latex_(self) -> tuple[str, dict]:
        return "$x^2$", {}


class InWords(Silent):
    def __str__(self) -> str:
        return "so many words"


FRAME = pd.DataFrame({"a": [1, 2]})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (IPython.display.Markdown("# one"), "# one"),
        (IPython.display.Latex("$x$"), "$x$"),
        (IPython.display.HTML("<b>x</b>"), "<b>x</b>"),
        (IPython.display.JSON({"a": [1]}), "{'a': [1]}"),
        (IPython.display.Pretty("so"), "so"),
        (IPython.display.HTML("<b>x</b>" * 5000), "characters left out"),
        (InMarkdown(), "**bold**"),
        (InLatex(), "$x^2$"),
        (InWords(), "so many words"),
        ([InWords(), InMarkdown()], "[so many words, **bold**]"),
        (FRAME.style.highlight_max(), describe(FRAME)),
        (io.StringIO("words\n" * 2000), "words\n" * 2000),
        (io.BytesIO(b"text"), "4 bytes: b'text'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_would_be_an_address_is_what_it_holds(value, text):
    said = part_of(value).text
    assert (text in said) if "left out" in text else (said == text)
    assert hint_for(value, "x", said) is None


@pytest.mark.parametrize(
    "value", [Silent(), [Silent()], {"a": Silent()}, IPython.display.Audio(b"1", rate=8), iter([])]
)
def test_where_only_an_address_is_left_a_line_says_so(value):
    hint = hint_for(value, "thing", part_of(value).text)
    assert hint.startswith("thing goes in as ")
    assert ("{{ vars(thing) }}" in hint) == hasattr(value, "__dict__")


def function_with_an_address():
    return "<x object at 0x7f0000000000>"


@pytest.mark.parametrize(
    "value", [function_with_an_address, "at 0x7f00000000", ValueError("<x object at 0x7f00000000>"), 5, FRAME, Silent]
)
def test_what_is_known_by_more_than_an_address_gets_no_line(value):
    assert hint_for(value, "thing", part_of(value).text) is None


class Refuses:
    """As an xarray Dataset and CuPy's arrays: it says what it holds, and refuses to be made an array."""

    def __array__(self, dtype=None, copy=None):
        msg = "Implicit conversion to a NumPy array is not allowed"
        raise TypeError(msg)

    def __repr__(self) -> str:
        return "<Dataset> Dimensions: (x: 3)"


class RefusesWithShape(Refuses):
    shape, dtype, ndim = (20, 20), np.dtype("f4"), 2


@pytest.mark.parametrize("value", [Refuses(), RefusesWithShape()])
def test_what_refuses_to_be_an_array_is_its_own_words(value):
    assert part_of(value) == Text("<Dataset> Dimensions: (x: 3)")


def test_a_ragged_array_is_text():
    rows = np.empty(9, object)
    rows[:] = [[1] * n for n in range(9)]
    assert "[1, 1, 1]" in part_of(rows).text


# Libraries that are not among those of the tests: classes of their names that do as those do.


def of(module: str, name: str, **members) -> type:
    return type(name, (), {"__module__": module, "__qualname__": name, **members})


def save(self, buffer, **options):
    assert tuple(options.values()) == ("png", 2)
    buffer.write(png())


def save_without_library(self, buffer, **_):
    msg = "Saving charts in 'png' format requires the vl-convert-python package"
    raise ValueError(msg)


@pytest.mark.parametrize("version", [4, 5, 6])
def test_a_chart_of_altair_is_its_own_export(picture, version):
    top = of(f"altair.vegalite.v{version}.api", "TopLevelMixin", save=save, __repr__=lambda _: "alt.Chart(...)")
    layers = type("LayerChart", (top,), {"__module__": top.__module__})
    np.testing.assert_array_equal(np.asarray(picture(part_of(layers()))), COLOURS)


@pytest.mark.parametrize(
    ("plot", "hint"),
    [
        (of("altair.vegalite.v6.api", "TopLevelMixin", save=save_without_library), "%pip install vl-convert-python"),
        (of("bokeh.models.layouts", "LayoutDOM"), "%pip install selenium"),
        (of("plotly.basedatatypes", "BaseFigure"), "%pip install kaleido"),
    ],
)
def test_a_plot_that_only_a_page_draws_names_what_draws_it(plot, hint):
    with pytest.raises(MediaError, match="cannot be drawn") as raised:
        part_of(plot())
    assert hint in raised.value.hint


def test_a_plot_of_bokeh_is_its_own_export(picture, monkeypatch, tmp_path):
    folder = tmp_path / "bokeh" / "io"
    folder.mkdir(parents=True)
    (folder / "export.py").write_text("def get_screenshot_as_png(plot): return plot.drawn")
    monkeypatch.syspath_prepend(tmp_path)
    plot = of("bokeh.models.layouts", "LayoutDOM", drawn=Pillow.fromarray(COLOURS))
    np.testing.assert_array_equal(np.asarray(picture(part_of(plot()))), COLOURS)
    for name in ("bokeh", "bokeh.io", "bokeh.io.export"):
        sys.modules.pop(name)


def test_a_display_of_scikit_learn_is_its_figure():
    display = of("sklearn.metrics._plot.confusion_matrix", "ConfusionMatrixDisplay")()
    assert isinstance(part_of(display), Text)  # nothing is drawn yet
    display.figure_ = FIGURES[0]
    assert part_of(display).data == part_of(FIGURES[0]).data


def test_a_shape_is_its_coordinates():
    point = of("shapely.geometry.point", "Point", _repr_svg_=lambda _: SVG, __str__=lambda _: "POINT (1 2)")
    assert part_of(point()) == Text("POINT (1 2)")


def test_a_widget_with_a_picture_is_that_picture(picture, file):
    np.testing.assert_array_equal(np.asarray(picture(part_of(ipywidgets.Image(value=png())))), COLOURS)
    assert part_of(ipywidgets.Video(value=MP4)) == Video(MP4, "video/mp4")
    for kind, name in (("image", "Image"), ("video", "Video")):
        widget = getattr(ipywidgets, name)(value=b"https://example.org/a", format="url")
        assert part_of(widget) == MediaLink("https://example.org/a", kind)
    local = ipywidgets.Image(value=file.name.encode(), format="url")
    np.testing.assert_array_equal(np.asarray(picture(part_of(local))), COLOURS)
    with pytest.raises(MediaError, match="This Image is not a picture"):
        part_of(ipywidgets.Image())


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
        (GivesNonsense(), "The GivesNonsense is not a picture"),
        (png()[:200], "is damaged"),
        (pathlib.Path("missing.png"), "missing.png cannot be attached: no such file"),
        (pathlib.Path("~nobody-of-this-name") / "a.png", "cannot be attached"),
        (pathlib.Path(sys.executable), "is a program"),
        (IPython.display.Video(filename="missing.mp4"), "missing.mp4 cannot be attached"),
        (IPython.display.Image(b"nonsense"), "This Image is not a picture"),
        (Pillow.new("RGB", (0, 5)), "has no pixels"),
        (b"\x1a\x45\xdf\xa3\x42\x82matroska", "video/x-matroska, which no model takes"),
    ],
)
def test_media_that_cannot_be_sent_are_refused_with_a_hint(value, words):
    with pytest.raises(MediaError, match=words) as raised:
        part_of(value)
    assert "nothing was sent" in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize("value", [None, "missing.png", "some text", "", " "])
def test_what_is_nothing_to_attach_is_refused(value):
    with pytest.raises(MediaError, match="nothing was sent"):
        attached_part(value)


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_file_without_an_end_is_refused_unread(tmp_path, kind):
    make_endless(kind, tmp_path / "film.mp4")
    with at_once(), pytest.raises(MediaError, match="nothing was sent") as raised:
        attached_part(str(tmp_path / "film.mp4"))
    assert raised.value.hint


def test_a_file_too_large_to_read_is_refused_unread(tmp_path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(600 * 1024 * 1024)  # of which nothing is on the disk
    with pytest.raises(MediaError, match="629 MB, which is too much"):
        part_of(path)
