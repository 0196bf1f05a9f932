"""Frontends that show no updates of a display: a reply is there once, settled, and leaves no widget."""

from __future__ import annotations

import os
import sys

import nbformat
import pytest
from kernels import KEY, TRANSPORT, run_with_kernel, turn_of
from nbconvert import HTMLExporter

WIDGET = "application/vnd.jupyter.widget-view+json"
CELLS = [
    "%load_ext xcyq_magic",
    "%%chat\nsandbox: echo\nWhat a **day**!",
    "%%compare gpt-5.5 gpt-5.4\nsandbox: echo\nOr",
]


@pytest.fixture
def environment(sandbox):
    return {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY}


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "before.ipynb"
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def run(environment, folder, *words: object) -> None:
    ran = run_with_kernel(*words, env=environment, cwd=folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def executed_with_nbconvert(environment, notebook):
    run(environment, notebook.parent, "jupyter", "nbconvert", "--execute", "--to=notebook", "--inplace", notebook.name)
    return notebook


def executed_with_papermill(environment, notebook):
    after = notebook.with_name("after.ipynb")
    run(environment, notebook.parent, "papermill", "--no-progress-bar", notebook.name, after.name)
    return after


@pytest.mark.parametrize("execute", [executed_with_nbconvert, executed_with_papermill])
def test_a_notebook_that_nobody_watches_holds_the_reply_and_no_widget(environment, notebook, execute):
    after = execute(environment, notebook)
    ran = nbformat.read(after, 4)
    assert "widgets" not in ran.metadata
    assert WIDGET not in after.read_text("utf-8")
    (reply,), (compared,) = (cell.outputs for cell in ran.cells[-2:])
    assert {reply.output_type, compared.output_type} == {"display_data"}
    assert reply.data["text/plain"].strip() == "What a **day**!"
    assert compared.data["text/plain"].count("Or") >= 2
    page, _ = HTMLExporter().from_notebook_node(ran)
    assert "<strong>day</strong>" in page
    assert "html-manager" not in page
    assert "widget-state" not in page


def test_a_console_shows_the_reply(environment, tmp_path):
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives a terminal; it needs a POSIX system")
    arguments = ["-m", "jupyter", "console", "--simple-prompt", "--kernel=python3", f"--transport={TRANSPORT}"]
    console = pexpect.spawn(sys.executable, arguments, env=environment, cwd=tmp_path, encoding="utf-8", timeout=60)
    try:
        console.expect(r"In \[1\]: ")
        console.sendline("%load_ext xcyq_magic")
        console.expect(r"In \[2\]: ")
        console.sendline("%chat hello there")
        console.expect("This is the sandbox")
        console.expect(r"In \[3\]: ")
        assert "children=" not in console.before
        assert "VBox" not in console.before
        console.sendline("print(_reply.text.upper(), len(_reply.text))")
        console.expect(r"In \[4\]: ")
    finally:
        console.close(force=True)


WITHIN = {
    "a block": "with w.Output():\n    {}",
    "a function": "out = w.Output()\n@out.capture()\ndef f():\n    {}\nf()",
    "a slider": "def f(_):\n    {}\nw.interactive_output(f, {{'_': w.IntSlider()}})",
    "the second": "with w.Output():\n    pass\nwith w.Output() as out:\n    {}",
    "one within another": "with w.Output(), w.Output():\n    {}",
    "what is shown later": "with capture_output() as c:\n    {}\nc.show()",
}
MAGICS = ["run_line_magic('chat', 'sandbox: echo')", "run_cell_magic('compare', 'gpt-5.5 gpt-5.4', 'hi')"]


@pytest.mark.parametrize("magic", MAGICS)
def test_an_output_of_a_widget_has_the_settled_reply_once(kernel, magic):
    kernel.run("import ipywidgets as w\nfrom IPython.utils.capture import capture_output")
    for where, within in WITHIN.items():
        ran = kernel.run(within.format(f"get_ipython().{magic}"))
        assert ran.status == "ok", "\n".join(ran.error)
        shown = [c["data"] for c in ran.of_type("display_data", "update_display_data")]
        ours = [bundle for bundle in shown if "xcyq" in bundle.get("text/html", "")]
        assert len(ours) == 1, where
        assert "children=" not in str(shown), where
    ran = kernel.run(f"with w.Output():\n    print(1)\nget_ipython().{magic}")
    assert WIDGET in str(ran.of_type("display_data")), "after the block the page shows updates again"


def test_a_button_that_chats_leaves_the_settled_reply(kernel):
    kernel.run(
        "import ipywidgets as w\nb = w.Button()\nb.on_click(lambda _: get_ipython().run_line_magic('chat', 'hi'))"
    )
    comm = kernel.value("b.comm.comm_id")
    message = kernel.client.session.msg(
        "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": {"event": "click"}}}
    )
    kernel.client.shell_channel.send(message)
    shown = []
    while True:
        said = kernel.client.get_iopub_msg(timeout=30)
        if said["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            shown += [said] if said["msg_type"] in {"display_data", "update_display_data"} else []
            if said["msg_type"] == "status" and said["content"]["execution_state"] == "idle":
                break
    assert [m["msg_type"] for m in shown] == ["display_data"]
    assert WIDGET not in shown[0]["content"]["data"]


def test_a_cell_of_a_page_is_live(kernel):
    ran = kernel.run("%%chat\nhi", "named")
    assert WIDGET in ran.of_type("display_data")[0]["data"]
    assert turn_of(ran)


LEFT = """[w.children[0].value[:4] for w in __import__("ipywidgets").widgets.widget._instances.values()
    if len(getattr(w, "children", ())) == 1]"""


def test_what_a_file_may_name_stays_for_a_page_that_is_loaded_anew(kernel):
    kernel.run("%%chat\nsandbox: echo\nsoon")
    assert kernel.value(LEFT) == "[]"
    for magic in ["%%chat", "%%compare gpt-5.5 gpt-5.4"]:
        ran = kernel.run(f"{magic}\nsandbox: first 2.1\nsandbox: echo\nlate")
        saved = ran.of_type("display_data")[0]["data"]
        assert "when this was saved" in saved["text/html"]
        assert saved["text/plain"] in saved["text/html"]
    assert kernel.value(LEFT) == str(["<div"] * 2)
