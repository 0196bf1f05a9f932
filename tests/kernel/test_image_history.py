"""`-f`: the images that the user saw, in a real kernel, from each way to the page."""

from __future__ import annotations

import base64
import io

import PIL.Image
import pytest

PICTURE = "import PIL.Image, IPython.display as d\ndef picture(c): return PIL.Image.new('RGB', (40, 30), c)"


def sent(sandbox) -> list[PIL.Image.Image]:
    """The pictures of the last prompt, as the server received them."""
    parts = sandbox.received[-1].body["messages"][-1]["content"]
    urls = [p["image_url"]["url"] for p in parts if p["type"] == "image_url"]
    return [PIL.Image.open(io.BytesIO(base64.b64decode(u.partition(",")[2]))) for u in urls]


def colours(sandbox) -> list[tuple[int, ...]]:
    return [p.convert("RGB").getpixel((20, 15)) for p in sent(sandbox)]


RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)


def test_the_image_that_was_seen_last_whichever_way_it_came(kernel, sandbox, tmp_path):
    def shown(code: str, line: str = "-f"):
        for cell in (code, f"%chat --once {line} Look"):
            ran = kernel.run(cell)
            assert ran.status == "ok", "\n".join(ran.error)
        return colours(sandbox)

    assert shown(PICTURE + "\npicture('red')") == [RED]  # a cell's result
    assert shown("d.display(picture('green'))") == [GREEN]
    assert shown("import io\nb = io.BytesIO(); picture('blue').save(b, 'PNG')\nd.Image(b.getvalue())") == [BLUE]
    assert shown("d.display({'image/png': b.getvalue()}, raw=True)") == [BLUE]  # as plotly's renderer shows one
    assert shown(f"path = {str(tmp_path / 'g.png')!r}\npicture('green').save(path); d.Image(path)") == [GREEN]
    # What is no image, is not seen, or fails, leaves it as it is.
    assert shown("1 + 1") == [GREEN]
    assert shown("%%capture\npicture('red')") == [GREEN]
    assert shown("d.display(d.Markdown('text')); d.HTML('<b>x</b>')") == [GREEN]
    # Several, in the order in which they came.
    assert shown("d.display(picture('red'), picture('blue'))", "-f 3") == [GREEN, RED, BLUE]
    # An update takes the place of what it updates, and is what was seen last.
    kernel.run("h = d.display(picture('green'), display_id=True)\nd.display(picture('red'))")
    assert shown("h.update(picture('blue'))", "-f 2") == [RED, BLUE]
    # The sandbox's own outputs have small pictures; they are not among them.
    assert shown("pass", "-f 2") == [RED, BLUE]


def test_a_closed_figure_is_sent_as_it_was_seen(kernel, sandbox):
    ran = kernel.run("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.title('seen');")
    shown = next(c["data"]["image/png"] for c in ran.of_type("display_data"))
    assert kernel.run("%chat -f What does it show?").status == "ok"
    (picture,) = sent(sandbox)
    assert picture.tobytes() == PIL.Image.open(io.BytesIO(base64.b64decode(shown))).tobytes()


def refused(kernel, code: str, line: str = "-f") -> str:
    ran = kernel.run(code)
    assert ran.status == "ok", "\n".join(ran.error)
    ran = kernel.run(f"%chat --once {line} Look")
    assert ran.status == "error", code
    return "\n".join(ran.error)


# What a library sends to the page: its type or its HTML, and what it is called.
PLOTS = {
    "{'application/vnd.plotly.v1+json': {'data': []}, 'text/html': '<div></div>'}": "a plot of plotly",
    "{'application/vnd.vegalite.v5+json': {}, 'text/plain': 'alt.Chart(...)'}": "a plot of Altair",
    "{'application/vnd.vegalite.v6.json': {}, 'text/plain': 'alt.Chart(...)'}": "a plot of Altair",
    "{'text/html': '<div></div><script>vegaEmbed(spec)</script>'}": "a plot of Altair",
    "{'text/html': '<div class=plotly-graph-div></div><script>Plotly.newPlot()</script>'}": "a plot of plotly",
    "{'application/javascript': '', 'application/vnd.bokehjs_exec.v0+json': ''}": "a plot of Bokeh",
    "{'text/html': '<iframe srcdoc=\"&lt;script src=leaflet.js\"></iframe>'}": "a plot of Leaflet",
    "{'application/vnd.jupyter.widget-view+json': {'model_id': widget.model_id}}": "a widget of plotly",
    "{'application/pdf': 'JVBERi0='}": "a PDF",
}
NO_PLOTS = [
    "{'application/javascript': '', 'application/vnd.bokehjs_load.v0+json': ''}",  # the library itself
    "{'text/html': '<script>copy()</script><pre>LogisticRegression()</pre>'}",
    "{'text/html': '<p>What is a bokeh plot?</p>'}",
    "{'text/html': '<script>window.Plotly = {}</script>'}",
    "{'text/html': '<script>bokeh</script>', 'application/vnd.holoviews_load.v0+json': ''}",
    "{'application/vnd.jupyter.widget-view+json': {'model_id': ipywidgets.IntSlider().model_id}}",
]


def test_a_plot_without_an_image_that_was_seen_last_is_not_passed_over(kernel, sandbox):
    kernel.run(PICTURE + "\nimport ipywidgets\nclass FigureWidget(ipywidgets.DOMWidget): pass")
    kernel.run("FigureWidget.__module__ = 'plotly.basewidget'; widget = FigureWidget()")
    for bundle, called in PLOTS.items():
        said = refused(kernel, f"d.display(picture('red')); d.display({bundle}, raw=True)")
        assert f"What was seen last is {called}, of which there is no image; nothing was sent." in said
        assert "-a NAME" in said
    assert "One of the last 2 is a PDF" in refused(kernel, "d.display(picture('green'))", "-f 2")
    assert sandbox.received == []
    for bundle in NO_PLOTS:
        kernel.run(f"d.display(picture('red')); d.display({bundle}, raw=True)")
        assert kernel.run("%chat --once -f Look").status == "ok", bundle
        assert colours(sandbox) == [RED]
    # One that is updated to a picture has one.
    kernel.run("h = d.display({'application/pdf': ''}, raw=True, display_id='x')")
    kernel.run("d.display(picture('blue'), display_id='x', update=True)")
    assert kernel.run("%chat --once -f Look").status == "ok"
    assert colours(sandbox) == [BLUE]


def test_figures_of_the_same_cell_are_shown_before_they_are_sent(kernel, sandbox):
    kernel.run(PICTURE + "\n%matplotlib inline\nimport matplotlib.pyplot as plt\nd.display(picture('red'))")
    ran = kernel.run("plt.figure(facecolor='blue'); plt.plot([1, 2])\n%chat --once -f Look\nplt.get_fignums()")
    assert ran.status == "ok", "\n".join(ran.error)
    (picture,) = sent(sandbox)
    assert picture.convert("RGB").getpixel((1, 1)) == BLUE
    assert [("image/png" in o) for o in ran.outputs] == [True, False, False]  # once, and before the reply
    said = refused(kernel, "%config InlineBackend.figure_formats = ['pdf']\nplt.plot([1, 2]);")
    assert "What was seen last is a PDF" in said
    assert "%config InlineBackend.figure_formats = ['png']" in said


CANVAS = """
import sys, types, matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backend_bases import FigureManagerBase
class Canvas(FigureCanvasAgg):
    model_id = "a canvas"
    def _repr_mimebundle_(self, **_):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {"image/png": d.Image(data=png).data, "application/vnd.jupyter.widget-view+json": view}
stand_in = types.ModuleType("stand_in_for_ipympl")
stand_in.FigureCanvas, stand_in.FigureManager = Canvas, FigureManagerBase
sys.modules["stand_in_for_ipympl"] = stand_in
matplotlib.use("module://stand_in_for_ipympl")
import io, matplotlib.pyplot as plt
b = io.BytesIO(); picture("red").save(b, "PNG"); png = b.getvalue()
figure = plt.figure(facecolor="red")
"""


def test_a_figure_that_lives_in_the_page_is_sent_as_it_is_now(kernel, sandbox):
    """As ipympl has it: what was displayed has the picture of that moment, mostly of nothing."""
    ran = kernel.run(PICTURE + CANVAS + "d.display(figure.canvas)")
    assert ran.status == "ok", "\n".join(ran.error)
    assert "image/png" in ran.outputs[-1]
    kernel.run("figure.subplots().plot([1, 2]); figure.set_facecolor('blue')")
    assert kernel.run("%chat --once -f Look").status == "ok"
    assert sent(sandbox)[0].convert("RGB").getpixel((1, 1)) == BLUE
    kernel.run("plt.close(figure)")  # it stays in the page as it was shown
    assert kernel.run("%chat --once -f Look").status == "ok"
    assert colours(sandbox) == [RED]


def test_unloading_ends_it(kernel, sandbox):
    kernel.run(PICTURE + "\npicture('red')")
    assert kernel.run("%unload_ext xcyq_magic").status == "ok"
    kernel.run("picture('green')")
    assert kernel.run("%load_ext xcyq_magic").status == "ok"
    ran = kernel.run("%chat -f Look")
    assert ran.status == "error"
    assert "MediaError" in ran.error[0]
    assert kernel.value("'write_format_data' in vars(get_ipython().displayhook)") == "True"
    kernel.run("%unload_ext xcyq_magic")
    assert kernel.value("'write_format_data' in vars(get_ipython().displayhook)") == "False"


@pytest.mark.parametrize("mime", ["image/png", "image/svg+xml"])
def test_what_is_remembered_is_bounded(mime):
    from xcyq_magic.magics.image_history import MOST_BYTES, MOST_IMAGES, SeenImages

    seen = SeenImages()
    for n in range(2 * MOST_IMAGES):
        seen.remember({mime: f"{n}"})
    assert [i.data for i in seen.last(2 * MOST_IMAGES)] == [f"{n}" for n in range(MOST_IMAGES, 2 * MOST_IMAGES)]
    for _ in range(5):
        seen.remember({mime: "x" * (MOST_BYTES // 3)})
    assert [len(i.data) for i in seen.last(9)] == [MOST_BYTES // 3] * 3
    seen.remember({mime: "x" * (MOST_BYTES + 1)})  # larger than all that may be kept
    assert len(seen.last(9)) == 3
