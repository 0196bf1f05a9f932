"""matplotlib's figures, as the inline backend draws them, and its animations."""

from __future__ import annotations

import io
import sys

import matplotlib as mpl
import matplotlib.animation
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.pylabtools import print_figure
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pictures import part_of, pixels
from PIL import Image as Pillow

from xcyq_magic.errors import MediaError
from xcyq_magic.gateway.catalog import CLAUDE
from xcyq_magic.media.figures import figure_of
from xcyq_magic.media.fit import fit
from xcyq_magic.media.resolve import media_of


@pytest.fixture
def figure():
    """One with two axes and much on them, which pyplot has forgotten, as the inline backend closes it."""
    mpl.use("agg")
    figure, axes = plt.subplots(1, 2, figsize=(3, 2), dpi=80, facecolor="lightyellow")
    axes[0].bar(["a", "b"], [3, 4])
    axes[1].plot([1, 4, 2])
    plt.close(figure)
    return figure


def inline(figure: Figure) -> np.ndarray:
    """The pixels that the inline backend shows: IPython's own code draws them."""
    import base64

    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(print_figure(figure, base64=True)))))


HOLDERS = {
    "figure": lambda f: f,
    "axes": lambda f: f.axes[0],
    "list of axes": lambda f: f.axes,
    "array of axes": lambda f: np.array(f.axes).reshape(1, 2),
    "dict of axes": lambda f: dict(zip("ab", f.axes, strict=True)),
    "line": lambda f: f.axes[1].lines[0],
    "list of lines": lambda f: list(f.axes[1].lines),
    "bars": lambda f: f.axes[0].containers[0],
    "text": lambda f: f.axes[0].title,
    "axis": lambda f: f.axes[0].xaxis,
    "seaborn's grid": lambda f: type("FacetGrid", (), {"figure": f})(),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_figure_and_what_is_in_it_are_seen_as_the_inline_backend_shows_them(picture, figure, holder):
    part = part_of(holder(figure))
    assert fit(part, CLAUDE.images) is part
    assert len(part.data) > 1000
    np.testing.assert_array_equal(np.asarray(picture(part)), inline(figure))


def test_what_pyplots_functions_return_belongs_to_its_figure():
    figure = Figure()
    axes = figure.add_subplot()
    made = [
        axes.errorbar([1, 2], [1, 2], yerr=[0.1, 0.2]),
        axes.boxplot([1, 2, 3]),
        axes.stem([1, 2]),
        axes.pie([1, 2]),
        axes.scatter([1], [2]),
        axes.contourf([[1, 2], [3, 4]]),
        figure.colorbar(axes.imshow([[1]]), ax=axes).ax,
    ]
    assert [figure_of(m) for m in made] == [figure] * len(made)


def test_artists_of_two_figures_are_no_figure(figure):
    other = Figure()
    other.add_subplot()
    assert figure_of([*figure.axes, *other.axes]) is None
    assert figure_of([*figure.axes, 5]) is None


def test_a_figure_in_a_figure_is_seen_with_it(figure):
    outer = Figure(figsize=(2, 2))
    inner = outer.subfigures(1, 2)[0]
    axes = inner.add_subplot()
    assert figure_of(inner) is outer
    assert figure_of(axes) is outer


def state(figure: Figure) -> tuple:
    return (
        *(
            figure.dpi,
            tuple(figure.get_size_inches()),
            figure.get_facecolor(),
            figure.canvas,
            figure.get_layout_engine(),
        ),
        *([tuple(a.get_position().bounds) for a in figure.axes], dict(mpl.rcParams), plt.get_fignums()),
    )


def test_the_figure_and_the_settings_stay_as_they_are(figure):
    before = state(figure)
    first = part_of(figure)
    assert state(figure) == before
    assert part_of(figure).data == first.data


def test_the_settings_of_savefig_do_not_matter(figure):
    first = part_of(figure).data
    with mpl.rc_context({"savefig.facecolor": "red", "savefig.dpi": 20, "savefig.format": "svg"}):
        assert part_of(figure).data == first


def test_a_figure_has_its_own_resolution_and_colour(figure):
    came = pixels(part_of(figure)).convert("RGB")
    assert came.getpixel((1, 1)) == (255, 255, 224)  # lightyellow
    figure.set_dpi(160)
    assert pixels(part_of(figure)).width == pytest.approx(came.width * 2, abs=3)


def test_a_label_names_it(figure):
    figure.set_label("weights")
    assert (part_of(figure).name, media_of(figure, "fig").name) == ("weights", "fig")


@pytest.mark.parametrize("clear", [False, True])
def test_an_empty_figure_is_refused(figure, clear):
    if clear:
        figure.clear()
    with pytest.raises(MediaError, match=r"figure is empty.*nothing was sent") as raised:
        part_of(figure if clear else Figure())
    assert raised.value.hint


def test_text_alone_is_a_figure():
    figure = Figure()
    figure.text(0.5, 0.5, "words")
    assert media_of(figure).width > 10


@pytest.mark.parametrize("make", [lambda: Line2D([0], [1]), lambda: [Line2D([0], [1])]])
def test_an_artist_that_is_in_no_figure_is_refused(make):
    with pytest.raises(MediaError, match="This Line2D is in no figure"):
        part_of(make())


def test_a_figure_that_cannot_be_drawn_is_refused(figure):
    figure.axes[0].set_title(r"$\frac{1$")
    with pytest.raises(MediaError, match=r"cannot be drawn \(ValueError.*nothing was sent"):
        part_of(figure)


def test_without_matplotlib_nothing_is_a_figure(monkeypatch, figure):
    monkeypatch.delitem(sys.modules, "matplotlib")
    assert figure_of(figure) is None


# Animations


@pytest.fixture
def animation(figure):
    line = figure.axes[1].lines[0]
    animation = matplotlib.animation.FuncAnimation(figure, lambda n: line.set_ydata([n, 4, 2]), frames=5, interval=200)
    yield animation
    animation._draw_was_started = True  # one that was never drawn warns when it goes


def test_an_animation_becomes_a_film(received, animation):
    pytest.importorskip("imageio_ffmpeg")
    settings = dict(mpl.rcParams)
    part = part_of(animation)
    (video,) = received(part)
    assert (video.data, video.mime) == (part.data, "video/mp4")
    assert part.duration_s == pytest.approx(1.0, abs=0.05)
    assert part.name == "animation.mp4"
    assert dict(mpl.rcParams) == settings


def test_without_ffmpeg_an_animation_is_refused_with_what_to_install(monkeypatch, animation):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # how Python notes that there is no such module
    with pytest.raises(MediaError, match=r"ffmpeg, which is not installed; nothing was sent") as raised:
        part_of(animation)
    assert "%pip install imageio-ffmpeg" in raised.value.hint


def test_an_animation_whose_frames_fail_is_refused(figure):
    pytest.importorskip("imageio_ffmpeg")

    def fail(number: int) -> None:
        if number:
            msg = "no such frame"
            raise KeyError(msg)

    animation = matplotlib.animation.FuncAnimation(figure, fail, frames=3)
    with pytest.raises(MediaError, match=r"cannot be made a video \(KeyError"):
        part_of(animation)
