"""An SVG that is drawn shows what is in it, and nothing that it refers to."""

from __future__ import annotations

import base64
import ctypes.util
import gzip
import importlib.util
import io
import sys
import time
from urllib.parse import quote

import pytest
from pictures import attached_part, part_of
from PIL import Image as Pillow

from xcyq_magic.errors import MediaError
from xcyq_magic.media.rasterize import rasterize

HEAD = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='8' height='8'"
ALL = "width='8' height='8'"
RED, WHITE = (255, 0, 0), (255, 255, 255)


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(params=["resvg_py", "cairosvg"])
def library(request, monkeypatch, tmp_path_factory):
    """What draws; the other one cannot be imported."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    if request.param == "cairosvg":
        if ctypes.util.find_library("cairo") is None:
            pytest.skip("CairoSVG draws with the system's library cairo, which is not installed")
        hide("resvg_py", monkeypatch, tmp_path_factory)
    return request.param


def hide(library: str, monkeypatch, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("hidden")
    (folder / f"{library}.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(folder)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of the notebook, with red files that nobody means to send."""
    monkeypatch.chdir(tmp_path)
    for name in ("secret.png", "#secret.png", "data:image"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "secret.svg").write_text(svg(f"<g id='all'><rect {ALL} fill='red'/></g>"))
    (tmp_path / "secret.css").write_text("rect { fill: red }")
    return tmp_path


def svg(body: str, *, root: str = "", prolog: str = "") -> str:
    return f"{prolog}{HEAD} {root}>{body}</svg>"


def data_url(body: str, mime: str = "image/svg+xml") -> str:
    return f"data:{mime};base64,{base64.b64encode(svg(body).encode()).decode()}"


def seen(source: str | bytes):
    """The note of what is sent for an SVG, and the colour in its middle."""
    image = part_of(source if isinstance(source, bytes) else source.encode())
    return image.note, Pillow.open(io.BytesIO(image.data)).convert("RGB").getpixel((4, 4))


IMAGE = f"<image {ALL} href='secret.png'/>"
RECT = f"<rect {ALL} fill='white'/>"
OUTSIDE = {
    "a name": IMAGE,
    "a path": f"<image {ALL} href='FOLDER/secret.png'/>",
    "xlink": f"<image {ALL} xlink:href='secret.png'/>",
    "another prefix": f"<image {ALL} xmlns:x='http://www.w3.org/1999/xlink' x:href='secret.png'/>",
    "a prefix for all": f"<s:image xmlns:s='http://www.w3.org/2000/svg' {ALL} href='secret.png'/>",
    "a file's address": f"<image {ALL} href='file://FOLDER/secret.png'/>",
    "capitals": f"<image {ALL} href='FILE://FOLDER/secret.png'/>",
    "spaces": f"<image {ALL} href='\n\tsecret.png '/>",
    "entities": f"<image {ALL} href='&#115;ecret&#x2e;png'/>",
    "percent": f"<image {ALL} href='%73ecret.png'/>",
    "a name with a hash": f"<image {ALL} href='#secret.png'/>",
    "no data URL": f"<image {ALL} href='data:image'/>",
    "a step up": f"<image {ALL} href='data:image/../secret.png'/>",
    "an SVG": f"<image {ALL} href='secret.svg'/>",
    "an SVG's part": "<use href='secret.svg#all'/>",
    "a filter": f"<filter id='f'><feImage href='secret.png'/></filter><rect {ALL} filter='url(#f)'/>",
    "within a data URL": f"<image {ALL} href='{data_url(IMAGE)}'/>",
    "within text": f"<image {ALL} href='{data_url(IMAGE, 'text/plain')}'/>",
    "within a picture by name": f"<image {ALL} href='{data_url(IMAGE, 'image/png')}'/>",
    "within percent": f'<image {ALL} href="data:image/svg+xml,{quote(svg(IMAGE))}"/>',
    "within two": f"""<image {ALL} href='{data_url(f"<image {ALL} href='{data_url(IMAGE)}'/>")}'/>""",
    "compressed": f"<image {ALL} href='data:image/svg+xml;base64,"
    f"{base64.b64encode(gzip.compress(svg(IMAGE).encode())).decode()}'/>",
    "a fill": f"{RECT}<rect {ALL} fill='url(secret.svg#all) white'/>",
    "a style": f"{RECT}<rect {ALL} style='fill: url(\"secret.svg#all\") white'/>",
    "a style sheet": f"<style>@import url(secret.css);</style>{RECT}",
    "a string's style sheet": f"<style>@import 'secret.css';</style>{RECT}",
    "escaped": f"<style>@\\69mport 'secret.css';</style>{RECT}",
    "CSS in pieces": f"<style>@im<!-- -->port 'secret.css';</style>{RECT}",
    "behind a comment": f"{RECT}<rect {ALL} style='/* url(\"# */ fill: url(secret.svg#all) white; /* \") */'/>",
    "a page's picture": "<foreignObject><img xmlns='http://www.w3.org/1999/xhtml' src='secret.png'/></foreignObject>",
    "an inclusion": "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='secret.svg'/>",
    "a link to a sheet": f"<link xmlns='http://www.w3.org/1999/xhtml' rel='stylesheet' href='secret.css'/>{RECT}",
}


@pytest.mark.parametrize("body", OUTSIDE.values(), ids=OUTSIDE)
def test_nothing_outside_of_an_svg_is_drawn_and_its_note_says_so(folder, library, body):
    note, colour = seen(svg(body.replace("FOLDER", str(folder))))
    assert colour != RED
    assert note == "without a file or an address that it refers to"


@pytest.mark.parametrize(
    "source",
    [
        svg(RECT, prolog="<?xml-stylesheet href='secret.css'?>"),
        svg("<use href='#all'/>", root="xml:base='secret.svg'"),
        svg("<a href='https://example.org'><rect/></a>"),
        f"<!DOCTYPE svg SYSTEM 'secret.svg'>{svg(RECT)}",
    ],
    ids=["instruction", "base", "link", "DTD"],
)
def test_what_nobody_misses_is_left_out_without_a_word(folder, library, source):
    note, colour = seen(source)
    assert (note, colour != RED) == ("", True)


def test_all_that_was_left_out_is_counted(folder):
    pytest.importorskip("resvg_py")
    assert seen(svg(IMAGE * 3))[0] == "without 3 files or addresses that it refers to"


REDS = "<linearGradient id='a'><stop stop-color='red'/></linearGradient>"
WITHIN = {
    "a picture": f"<image {ALL} href='data:image/png;base64,{base64.b64encode(png()).decode()}'/>",
    "a picture of another name": f"<image {ALL} xlink:href='DATA:;base64,{base64.b64encode(png()).decode()}'/>",
    "percent": f"<image {ALL} href='data:image/png,{quote(png())}'/>",
    "an SVG": f"""<image {ALL} href="{data_url(f"<rect {ALL} fill='red'/>")}"/>""",
    "a part": f"<defs><rect id='a' {ALL} fill='red'/></defs><use xlink:href='#a'/>",
    "a fill": f"{REDS}<rect {ALL} fill='url(#a)'/>",
    "a style": f"{REDS}<rect {ALL} style='fill:url(\"#a\")'/>",
    "a style sheet": f"<style><![CDATA[ g > rect {{ fill: red }} ]]></style><g><rect {ALL}/></g>",
}


@pytest.mark.parametrize("body", WITHIN.values(), ids=WITHIN)
def test_what_is_in_an_svg_is_drawn(library, body):
    assert seen(svg(body)) == ("", RED)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "iso-8859-1"])
def test_an_svg_in_any_encoding_with_short_entities_is_drawn(library, encoding):
    prolog = f"<?xml version='1.0' encoding='{encoding[:10].removesuffix('-sig')}'?><!DOCTYPE svg [<!ENTITY ä 'red'>]>"
    assert seen(svg(f"<rect {ALL} fill='&ä;'/>", prolog=prolog).encode(encoding)) == ("", RED)


def bomb(value: str) -> str:
    entities = "".join(f"<!ENTITY e{n} '{value.format(n - 1)}'>" for n in range(1, 9))
    return f"<!DOCTYPE svg [<!ENTITY e0 'ha'>{entities}]>"


HOSTILE = {
    "entities of entities": svg("<text>&e8;</text>", prolog=bomb("&e{0};" * 10)),
    "in an attribute": svg("<text id='&e8;'/>", prolog=bomb("&e{0};" * 10)),
    "disguised": svg("<text>&e8;</text>", prolog=bomb("&#38;e{0};" * 8)),
    "a long one": svg("<text>&e;</text>" * 9000, prolog=f"<!DOCTYPE svg [<!ENTITY e '{'ha' * 400}'>]>"),
    "a file": svg("<text>&e;</text>", prolog="<!DOCTYPE svg [<!ENTITY e SYSTEM 'secret.svg'>]>"),
    "a file's declarations": svg("", prolog="<!DOCTYPE svg [<!ENTITY % e SYSTEM 'secret.svg'> %e;]>"),
    "deep": svg("<g>" * 20_000 + "</g>" * 20_000),
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_an_svg_that_explodes_or_reads_files_is_refused_at_once(folder, library, source):
    began = time.monotonic()
    with pytest.raises(MediaError, match="is an SVG that cannot be drawn"):
        seen(source)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "size",
    ["width='1e5' height='1e4'", "width='900in' height='1cm'", "viewBox='0,0 100000 10000'"],
)
def test_a_huge_svg_is_drawn_no_larger_than_any_model_sees_it(library, size):
    image = part_of(f"<svg xmlns='http://www.w3.org/2000/svg' {size}><rect width='9' height='9'/></svg>".encode())
    assert 2500 < max(image.width, image.height) <= 2577


@pytest.mark.parametrize(
    "size",
    [
        *("width='72pt' height='36pt'", "width='25.4mm' height='12.7mm'", "width='2.54cm' height='1.27cm'"),
        *("width='1in' height='.5in'", "width='6pc' height='3pc'", "width='96px' height='48'"),
        *("viewBox='0 0 96 48'", "width='100%' height='100%' viewBox='0 0 96 48'"),
        "width='72.00pt' height='36.00pt' viewBox='0.00 0.00 89.00 44.50'",  # as Graphviz writes it
    ],
)
def test_an_svg_is_drawn_in_its_size_whatever_its_unit(library, size):
    image = part_of(f"<svg xmlns='http://www.w3.org/2000/svg' {size}><rect width='9' height='9'/></svg>".encode())
    assert (image.width, image.height) == (96, 48)


def test_a_figure_that_was_saved_as_svg_is_drawn_in_its_size(library, tmp_path):
    from matplotlib.figure import Figure

    figure = Figure((4, 3))
    figure.subplots().plot([1, 3, 2])
    figure.savefig(tmp_path / "figure.svg")
    image = attached_part(str(tmp_path / "figure.svg"))
    assert (image.width, image.height, image.note) == (384, 288, "")


# What draws an SVG may hang or crash, in a process of its own


def filtered(*primitives: str) -> str:
    return f"<filter id='f'>{''.join(primitives)}</filter><rect {ALL} filter='url(#f)'/>"


def chained(element: str, attribute: str, more: str = "") -> str:
    """Elements that each need the next one: what draws them calls itself as often."""
    needs = f"<rect {ALL} {attribute}='url(#e%d)'/>"
    links = (f"<{element} id='e{n}' {more}>{needs % (n + 1)}</{element}>" for n in range(2_000))
    return "".join(links) + needs % 0


def doubled(element: str) -> str:
    twice = "".join(f"<{element} id='e{n + 1}'><use href='#e{n}'/><use href='#e{n}'/></{element}>" for n in range(40))
    return f"<{element} id='e0'>{RECT}</{element}>{twice}<use href='#e40'/>"


ENDLESS = {
    "octaves": filtered("<feTurbulence baseFrequency='.1' numOctaves='100000'/>"),
    "blurs": filtered("<feGaussianBlur stdDeviation='100'/>" * 3_000),
    "a morphology": filtered("<feMorphology operator='dilate' radius='10000'/>"),
    "a convolution": filtered(f"<feConvolveMatrix order='300' kernelMatrix='{'1 ' * 90_000}'/>"),
    "a text": f"<text>{'a' * 3_000_000}</text>",
    "masks": chained("mask", "mask"),
    "clips": chained("clipPath", "clip-path"),
    "patterns": chained("pattern", "fill", "width='.5' height='.5'"),
    "markers": chained("marker", "marker-mid"),
    "groups": doubled("g"),
    "symbols": doubled("symbol"),
}


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS)
def test_an_svg_that_would_never_be_drawn_or_crashes_the_library_is_refused_soon(body):
    pytest.importorskip("resvg_py")
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"more than 1 s or 2 GB of memory, or crashes|nodes limit"):
        rasterize(svg(body).replace(ALL, "width='600' height='600'"), 1.0, seconds=1)
    assert time.monotonic() - began < 20


def test_nothing_in_the_current_folder_is_run(library, folder, monkeypatch):
    for name in (library, "base64", "contextlib", "resource"):
        (folder / f"{name}.py").write_text("open('ran', 'w').close()")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert seen(svg(f"<rect {ALL} fill='red'/>")) == ("", RED)
    assert not (folder / "ran").exists()
