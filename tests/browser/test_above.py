"""``--above`` in JupyterLab: what is sent is what stands on the page, which its own model of the notebook tells.

The judge shares no code with what is measured. Programs of actions on the page are drawn from a seed; at the end of
each a cell asks. Where the notebook was saved before, or nothing was changed but by running cells, the page itself is
what is to be sent. Else the page cannot be known by its kernel, and what `known_to_kernel` says is expected instead:
the cells that were saved, in that order, with what ran since.
"""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
from dataclasses import dataclass, field, replace

import jupyter
import pytest

DRIVER = """async (actions) => {
    const app = window.jupyterapp, panel = app.shell.currentWidget, book = panel.content, log = window.log ??= {};
    const mine = log[panel.id] ??= {runs: [], typed: [], saved: [], files: 0, cut: [], told: []};
    const shot = () => book.widgets.map(w => ({
        id: w.model.id, kind: w.model.type, source: w.model.sharedModel.getSource(),
        number: w.model.executionCount ?? null, outputs: w.model.outputs?.toJSON() ?? [],
    }));
    const at = n => { book.deselectAll(); book.activeCellIndex = n; return book.activeCell; };
    const command = name => app.commands.execute('notebook:' + name);
    const write = (cell, source) => cell.model.sharedModel.setSource(source);
    const does = {
        insert: async (n, source, kind) => {
            at(Math.max(0, n - 1));
            await command(n === 0 ? 'insert-cell-above' : 'insert-cell-below');
            if (kind !== 'code') await command('change-cell-to-' + kind);
            write(at(n), source);
        },
        edit: async (n, source) => write(at(n), source),
        run: async n => {
            const {id, sharedModel} = at(n).model, source = sharedModel.getSource();
            mine.told.push(...mine.cut.splice(0));  // with each request, JupyterLab tells what was deleted or cut
            for (const run of mine.runs) run.gone ||= mine.told.includes(run.id);
            mine.told = mine.told.filter(gone => gone !== id);
            mine.runs.push({id, source, files: mine.files, gone: false});
            mine.typed.push(source);
            await command('run-cell');
        },
        markdown: async n => { at(n); await command('run-cell'); },
        remove: async n => {
            book.model.sharedModel.undoManager.stopCapturing();  // so that an undo brings back this cell alone
            mine.cut.push(at(n).model.id);
            await command('delete-cell');
        },
        up: async n => { at(n); await command('move-cell-up'); },
        down: async n => { at(n); await command('move-cell-down'); },
        cut: async (n, to) => {
            mine.cut.push(at(n).model.id);
            await command('cut-cell');
            at(to);
            await command('paste-cell-below');
        },
        duplicate: async n => { at(n); await command('duplicate-below'); },
        clear: async n => { at(n); await command('clear-cell-output'); },
        undo: async () => { await command('undo-cell-action'); },
        restart: async () => {
            await panel.sessionContext.session.kernel.restart();
            Object.assign(mine, {runs: [], typed: [], told: []});
        },
        runall: async () => {
            for (const {id, kind, source} of shot())
                if (kind === 'code') mine.runs.push({id, source, files: mine.files, gone: false});
            await command('run-all-cells');
        },
        save: async () => { await panel.context.save(); mine.saved = shot(); mine.files += 1; mine.told = []; },
        saving: async () => { panel.context.save(); },
        rename: async name => { await panel.context.rename(name); },
    };
    for (const [name, ...given] of actions) await does[name](...given);
    return {page: shot(), ...mine};
}"""
OPEN = """async (path) => {
    const panel = await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.sessionContext.ready;
}"""
LOAD = "%load_ext xcyq_magic"
PLOT = "import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 3)); plt.plot([{0}, 2]); plt.show()"
# What cells are made of; each is told from others by its number.
CODE = [
    "a{0} = {0}",
    "a{0} = {0}\na{0}",
    "print('line {0}')\nprint('more of {0}')",
    "import sys\nprint('out {0}'); sys.stderr.write('err {0}'); sys.stderr.flush(); print('out again')",
    "for n in range(50): print(f'\\r{0}: {{n}} of 50', end='')",
    "print('abcdef{0}\\rXY'); print('12345\\b\\b6')",
    "print('\\x1b[31mred {0}\\x1b[0m')",
    "1 / 0  # {0}",
    "print('before {0}')\nraise ValueError('because {0}')",
    "def f{0}(:",
    PLOT,
    "import pandas as pd\npd.DataFrame({{'x': [{0}, 2], 'y': ['a', 'b']}})",
    "from IPython.display import HTML, Markdown, display\ndisplay(HTML('<b>bold {0}</b>'), Markdown('*lean {0}*'))",
    "shown = display('first {0}', display_id='d{0}')",
    "from IPython.display import clear_output\nprint('gone {0}'); clear_output(); print('stays {0}')",
    "from IPython.display import clear_output\nfor n in range(3): clear_output(wait=True); print('state', n, {0})",
    "from IPython.display import update_display\nupdate_display('second {0}', display_id='shared')",
    "display('shared {0}', display_id='shared')\nprint('and {0}')",
    "import threading; t = threading.Thread(target=print, args=('of a thread {0}',)); t.start(); t.join()",
    "!echo from the system {0}",
    "for n in range(3): display(n + {0})",
    "len?  # {0}",
    "from pathlib import Path\nPath('fails.py').write_text('1 / 0  # {0}')\n%run fails.py",
    "get_ipython().run_cell('inner = {0}')",
    "print('x' * 300, {0})",
]
TEXTS = ["# Title {0}\n\nSome *words*.", "A list:\n- one {0}\n- two"]


@dataclass(frozen=True)
class Shown:
    """A cell as the page shows it, or as it was sent."""

    source: str
    kind: str = "code"
    note: str = ""
    outputs: tuple[str, ...] = ()
    picture: bytes | None = None


@dataclass
class Program:
    """Actions on a page that holds `count` cells, of which the first loads the extension."""

    random: random.Random
    actions: list[tuple] = field(default_factory=list)
    kinds: list[str] = field(default_factory=lambda: ["code"])
    number: int = 0

    def source(self, kind: str) -> str:
        self.number += 1
        return self.random.choice(CODE if kind == "code" else TEXTS).format(self.number)

    def any(self, *kinds: str) -> int | None:
        """Any cell but the first."""
        found = [n for n, kind in enumerate(self.kinds) if n and (not kinds or kind in kinds)]
        return self.random.choice(found) if found else None

    def insert(self, *, run: bool = True) -> None:
        kind = self.random.choice(["code", "code", "code", "markdown"])
        n = self.random.choice([len(self.kinds), len(self.kinds), self.random.randint(1, len(self.kinds))])
        self.actions.append(("insert", n, self.source(kind), kind))
        self.kinds.insert(n, kind)
        if run:
            self.actions.append(("run" if kind == "code" else "markdown", n))

    def step(self) -> None:
        """Do one of the things that people do."""
        what = self.random.choices(
            ["insert", "run", "rerun", "edit", "remove", "up", "down", "cut", "duplicate", "save", "draft", "undo"],
            [6, 5, 2, 2, 2, 1, 1, 1, 1, 2, 1, 1],
        )[0]
        n = self.any("code") if what in {"run", "rerun"} else self.any()
        if what in {"insert", "draft"} or n is None:
            self.insert(run=what != "draft")
        elif what == "run":
            self.actions.append(("run", n))
        elif what in {"edit", "rerun"}:
            self.actions.append(("edit", n, self.source(self.kinds[n])))
            self.actions += [("run", n)] if what == "rerun" else []
        elif what in {"remove", "undo"}:
            self.actions += [("remove", n)] + [("undo",)] * (what == "undo")
            if what == "remove":
                self.kinds.pop(n)
        elif what == "duplicate":
            self.actions.append((what, n))
            self.kinds.insert(n, self.kinds[n])
        elif what == "cut":
            to = self.random.randrange(len(self.kinds) - 1)
            self.actions.append(("cut", n, to))
            self.kinds.insert(to + 1, self.kinds.pop(n))
        elif what == "save":
            self.actions.append(("save",))
        elif (what == "up" and n > 1) or (what == "down" and n < len(self.kinds) - 1):
            self.actions.append((what, n))
            to = n - 1 if what == "up" else n + 1
            self.kinds.insert(to, self.kinds.pop(n))


@dataclass(frozen=True)
class Known:
    """What a kernel can know of the page: the cells above the one that asks, and what it says of their order."""

    cells: list[Shown]
    below: int | None  # the number of the cell that the one that asks is taken to stand below
    gone: int  # cells that are left out, since they were deleted or cut


def known_to_kernel(state: dict, asking: str) -> Known:
    """What is expected: of the file, the order and what no run tells; of the runs since, the rest."""
    page, last, first = {c["id"]: c for c in state["page"]}, {}, {}
    for n, run in enumerate(state["runs"]):
        if not run["gone"]:
            first.setdefault(run["id"], n)
            last[run["id"]] = run
    placed: list[tuple[str, Shown | None]] = []
    for cell in state["saved"]:
        run = last.get(cell["id"])
        if cell["id"] in state["told"]:
            shown = None
        elif run is None:
            unknown = cell["kind"] == "code" and cell["source"] not in state["typed"]
            shown = of_page(cell, "not run in this kernel" if unknown else "")
        elif run["source"] != cell["source"] and run["files"] < state["files"]:
            shown = of_page({**page[cell["id"]], "source": cell["source"]}, "changed since it ran")
        else:
            shown = of_page({**page[cell["id"]], "source": run["source"]})
        placed.append((cell["id"], shown))
    below = None
    for new in (i for i in first if i not in {i for i, _ in placed}):
        if last[new]["files"] == state["files"] or new == asking:
            ids = [i for i, _ in placed]
            before = [run["id"] for run in state["runs"][: first[new]] if run["id"] in ids]
            at = ids.index(before[-1]) + 1 if before else len(ids)
            below = page[ids[at - 1]]["number"] if new == asking and ids[at - 1] in page else below
            placed.insert(at, (new, of_page({**page[new], "source": last[new]["source"]})))
    above = placed[: [i for i, _ in placed].index(asking)]
    gone = sum(shown is None for _, shown in above)
    return Known([shown for _, shown in above if shown and counts(shown)], below, gone)


def on_page(state: dict, asking: str) -> list[Shown]:
    """The cells above the one that asks, as the page has them."""
    ids = [cell["id"] for cell in state["page"]]
    return [shown for shown in map(of_page, state["page"][: ids.index(asking)]) if counts(shown)]


def counts(cell: Shown) -> bool:
    return bool(cell.source.strip()) and not cell.source.startswith((LOAD, "%%chat --above"))


def of_page(cell: dict, note: str = "") -> Shown:
    texts: list[str] = []
    picture, printed = None, False
    for output in cell["outputs"]:
        bundle, prints = output.get("data", {}), output["output_type"] == "stream"
        if prints:
            text = plain("".join(output["text"]))
        elif output["output_type"] == "error":
            text = "…" + plain("\n".join(output["traceback"])).split("\n")[-1]
        elif "image/png" in bundle:
            text, picture = "", base64.b64decode("".join(bundle["image/png"]))
        else:
            text = plain("".join(bundle["text/plain"]))
            if text.startswith("<IPython.core.display."):
                html = plain(re.sub("<[^>]*>", "", "".join(bundle.get("text/html", ""))))
                text = html or "".join(bundle["text/markdown"])
        if prints and printed:
            texts[-1] = plain(f"{texts[-1]}\n{''.join(output['text'])}")
        elif text:
            texts.append(text)
        printed = prints and bool(text)
    return Shown(cell["source"], cell["kind"], note, tuple(texts), picture)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).strip("\n")


CELL = re.compile(r"(?P<title>In \[\d+\]|Code|Markdown)(?:, (?P<note>[^\n]*))?:\n")
SOURCE = re.compile(r"```python\n(?P<text>.*?)\n?```\n", re.DOTALL)
OUTPUT = re.compile(r"Output:\n```\n(?P<text>.*?)\n```\n", re.DOTALL)
PICTURE = re.compile(r"\[picture (?P<number>\d+)\]\n")


def sent(body: dict) -> tuple[str, list[Shown]]:
    """Read a request: its first line, and the cells in it."""
    content = body["messages"][-1]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    pictures = [base64.b64decode(p["image_url"]["url"].partition(",")[2]) for p in parts if p["type"] == "image_url"]
    numbers = iter(range(len(pictures)))
    text = "".join(p["text"] if p["type"] == "text" else f"[picture {next(numbers)}]\n" for p in parts)
    head, _, text = text.partition("\n\n")
    cells, at = [], 0
    while found := CELL.match(text, at):
        at = found.end()
        if found["title"] == "Markdown":
            end = text.index("\n\n", text.find("Some", at) if text[at] == "#" else at)
            cells.append(Shown(text[at:end], "markdown", found["note"] or ""))
            at = end + 2
            continue
        source = SOURCE.match(text, at)
        at, outputs, picture = source.end(), [], None
        while shown := OUTPUT.match(text, at):
            outputs.append(shown["text"])
            at = shown.end()
        at += 1  # the blank line
        if pictured := PICTURE.match(text, at):
            at, picture = pictured.end(), pictures[int(pictured["number"])]
        cells.append(Shown(source["text"], "code", found["note"] or "", tuple(outputs), picture))
    assert text[at:].startswith("(End of the cells above.)\n"), text[at:]
    return head, cells


def assert_same(found: list[Shown], expected: list[Shown], images: int = 4) -> None:
    assert [(c.kind, c.source, c.note) for c in found] == [(c.kind, c.source.strip("\n"), c.note) for c in expected]
    pictured = [n for n, c in enumerate(expected) if c.picture][-images:]
    for n, (mine, its) in enumerate(zip(found, expected, strict=True)):
        assert len(mine.outputs) == len(its.outputs), (mine, its)
        for text, wanted in zip(mine.outputs, its.outputs, strict=True):
            assert text.split("\n")[-1] == wanted[1:] if wanted.startswith("…") else text == wanted, (mine, its)
        assert mine.picture == (its.picture if n in pictured else None)


class Book:
    """Notebooks in one JupyterLab, one after the other."""

    def __init__(self, jupyters) -> None:
        self.gateway = jupyters.gateway
        self.folder = jupyters.root / "above"
        self.folder.mkdir()
        self.page = jupyters.open(jupyter.write_notebook(self.folder / "first.ipynb", LOAD))
        self.do(("run", 0), ("save",))

    def open(self, name: str, *cells: str) -> None:
        """Open a notebook, a new one of `cells` where there are any, and have it in sight."""
        path = self.folder / name
        if cells:
            jupyter.write_notebook(path, *cells)
        self.page.page.evaluate(OPEN, f"{self.folder.name}/{name}")
        self.do(("run", 0), ("save",))

    def do(self, *actions: tuple) -> dict:
        """Do something on the page; returns what it holds then, and what is known of it."""
        return self.page.page.evaluate(DRIVER, list(actions))

    def begin(self, *cells: str) -> None:
        """Have the page hold the first cell alone, and then run `cells`."""
        count = len(self.do(("save",))["page"])
        made = [(("insert", n, source, "code"), ("run", n)) for n, source in enumerate(cells, 1)]
        self.do(*[("remove", 1)] * (count - 1), *(action for pair in made for action in pair))

    def ask(self, at: int, *before: tuple, line: str = "%%chat --above") -> Asked:
        """Ask in a new cell at that place; what is done before includes the saving of that cell."""
        received = len(self.gateway.received)
        state = self.do(("insert", at, f"{line}\nWhy?", "code"), *before, ("run", at))
        asking = state["page"][at]
        bodies = [request.body for request in self.gateway.received[received:]]
        head, cells = sent(bodies[0]) if bodies else ("", [])
        output = "".join(str(o.get("data", {}).get("text/html", o.get("evalue", ""))) for o in asking["outputs"])
        return Asked(state, asking["id"], head, cells, output)


@dataclass(frozen=True)
class Asked:
    """What was asked, and what came of it.

    Attributes
    ----------
    state, asking
        What `Book.do` returns, and the id of the cell that asks.
    head, cells
        What was sent: the first line, and the cells.
    output
        What the cell that asks showed.
    """

    state: dict
    asking: str
    head: str
    cells: list[Shown]
    output: str


@pytest.fixture(scope="module")
def book(jupyters):
    yield Book(jupyters)
    jupyters.clear()


BY_PAGE = "The notebook above this cell, in the order of the page:"
BY_RUN = "The notebook above this cell, in the order in which its cells ran:"


@pytest.mark.parametrize("seed", range(24))
def test_what_is_sent_is_what_stands_on_the_page_as_far_as_its_kernel_can_know_it(book, seed):
    if not seed % 8:
        book.open(f"programs-{seed}.ipynb", LOAD)
    program = Program(random.Random(seed))  # noqa: S311  # the same programs each time
    for _ in range(program.random.randint(4, 14)):
        program.step()
    end = len(program.kinds)
    at, is_saved = program.random.choice([end, end, program.random.randint(1, end)]), seed % 2 == 1
    book.begin()
    book.do(*program.actions)
    asked = book.ask(at, *([("save",)] if is_saved else []))
    known = known_to_kernel(asked.state, asked.asking)
    assert_same(asked.cells, known.cells)
    if not known.cells:
        assert "There is no cell above this one, so nothing was sent." in asked.output
        return
    assert asked.head == BY_PAGE
    assert "order as saved at " in asked.output
    assert ("not saved yet: this cell is taken to stand below " in asked.output) is not is_saved
    if known.below is not None:
        assert f"taken to stand below In [{known.below}]" in asked.output
    assert (" deleted or cut left out" in asked.output) is bool(known.gone)
    if is_saved and not asked.state["told"]:  # then the kernel can know all
        assert_same([replace(c, note="") for c in asked.cells], on_page(asked.state, asked.asking))


def test_a_cell_that_was_moved_goes_where_it_was_saved_until_it_is_saved_there(book):
    book.open("moved.ipynb", LOAD)
    book.begin("a = 1", "b = 2", "c = 3")
    asked = book.ask(4, ("save",), ("up", 3))
    assert [c.source for c in asked.cells] == ["a = 1", "b = 2", "c = 3"]
    assert "order as saved at " in asked.output
    asked = book.ask(4, ("save",))
    assert [c.source for c in asked.cells] == ["a = 1", "c = 3", "b = 2"]


def test_an_edit_that_did_not_run_goes_once_it_is_saved_and_is_marked(book):
    book.begin("a = 1\na", "b = 2")
    asked = book.ask(3, ("save",), ("edit", 1, "a = 9\na"))
    assert asked.cells[0] == Shown("a = 1\na", outputs=("1",))
    asked = book.ask(3, ("save",))
    assert asked.cells[0] == Shown("a = 9\na", note="changed since it ran", outputs=("1",))


def test_an_output_that_was_cleared_on_the_page_goes_no_more(book):
    book.begin("print('secret')", "print('open')")
    asked = book.ask(3, ("clear", 1), ("save",))
    assert [c.outputs for c in asked.cells] == [(), ("open",)]


def test_a_cell_that_was_deleted_goes_no_more_and_one_that_was_cut_goes_once_it_is_saved_in_its_new_place(book):
    book.begin("a = 1", "b = 2", "c = 3")
    book.do(("save",), ("remove", 1))
    asked = book.ask(3)
    assert [c.source for c in asked.cells] == ["b = 2", "c = 3"]
    assert "1 cell deleted or cut left out" in asked.output
    book.do(("save",), ("cut", 1, 1))
    asked = book.ask(4)
    assert [c.source for c in asked.cells] == ["c = 3"]
    assert "1 cell deleted or cut left out" in asked.output
    asked = book.ask(5, ("save",))
    assert [c.source for c in asked.cells] == ["c = 3", "b = 2"]
    assert "left out" not in asked.output


def test_a_kernel_that_began_anew_takes_from_the_file_what_it_did_not_run(book):
    book.begin("print('a', id(object) > 0)", PLOT.format(1), "print('c')", "1 / 0")
    asked = book.ask(5, ("save",), ("restart",), ("run", 0), ("run", 3))
    unknown = "not run in this kernel"
    page = on_page(asked.state, asked.asking)
    assert_same(asked.cells, [replace(c, note=unknown if n != 2 else "") for n, c in enumerate(page)])


def test_a_renamed_notebook_is_the_same_and_its_copy_has_a_kernel_of_its_own(book):
    book.open("named.ipynb", LOAD)
    book.begin("print('a')", "print('b')")
    book.do(("insert", 1, "# Words\n\nSome *more*.", "markdown"), ("save",), ("rename", "renamed.ipynb"))
    asked = book.ask(4, ("save",))
    assert asked.head == BY_PAGE
    assert_same(asked.cells, on_page(asked.state, asked.asking))
    shutil.copy(book.folder / "renamed.ipynb", book.folder / "copy.ipynb")
    book.open("copy.ipynb")
    asked = book.ask(4, ("edit", 2, "print('of the copy')"), ("run", 2), ("save",))
    page = on_page(asked.state, asked.asking)
    assert_same(asked.cells, [page[0], page[1], replace(page[2], note="not run in this kernel")])
    assert page[1].outputs == ("of the copy",)


def test_a_notebook_without_ids_of_cells_is_known_by_what_they_hold(book):
    path = jupyter.write_notebook(book.folder / "old.ipynb", LOAD, "a = 1\na", "print('b')", "never = 1")
    record = json.loads(path.read_text())
    for cell in record["cells"]:
        del cell["id"]
    path.write_text(json.dumps({**record, "nbformat_minor": 4}))
    book.open("old.ipynb")
    asked = book.ask(4, ("run", 1), ("run", 2), ("save",))
    assert "id" not in json.loads(path.read_text())["cells"][0]
    page = on_page(asked.state, asked.asking)
    assert_same(asked.cells, [*page[:2], replace(page[2], note="not run in this kernel")])


def test_a_notebook_of_200_cells_goes_whole_and_its_end_where_that_is_asked_for(book):
    book.open("long.ipynb", LOAD, *(f"print({n})" for n in range(200)))
    asked = book.ask(201, ("runall",), ("save",))
    assert len(asked.cells) == 200
    assert_same(asked.cells, on_page(asked.state, asked.asking))
    asked = book.ask(201, ("save",), line="%%chat --above 3")
    assert [c.source for c in asked.cells] == ["print(197)", "print(198)", "print(199)"]


def test_without_a_saved_cell_that_ran_the_file_counts_as_it_was_opened(book):
    book.open("opened.ipynb", LOAD, "# Words", "print('old')")
    book.do(("save",), ("restart",), ("insert", 3, LOAD, "code"), ("run", 3))
    asked = book.ask(4)
    assert asked.head == BY_PAGE
    assert [(c.source, c.note) for c in asked.cells] == [
        ("# Words", "not run in this kernel"),
        ("print('old')", "not run in this kernel"),
    ]


def test_a_file_that_is_just_being_written_is_read_before_or_after(book):
    book.begin("a = 1", f"{'# long' * 50_000}", PLOT.format(3))
    book.do(("save",))
    for _ in range(5):
        asked = book.ask(4, ("saving",))
        assert asked.head == BY_PAGE
        assert [c.source for c in asked.cells if "characters left out" not in c.source] == ["a = 1", PLOT.format(3)]


def test_chats_go_by_their_turns_and_nothing_goes_without_the_option(book):
    book.open("chats.ipynb", LOAD)
    book.begin("a = 1", "%%chat\nsandbox: echo\nasked here", "%%chat --once\nsandbox: echo\nasked once")
    bodies = [request.body["messages"] for request in book.gateway.received[-2:]]
    assert [messages[-1]["content"] for messages in bodies] == [
        "sandbox: echo\nasked here",
        "sandbox: echo\nasked once",
    ]
    asked = book.ask(4, ("save",))
    assert [c.source for c in asked.cells] == ["a = 1", "%%chat --once\nsandbox: echo\nasked once"]
