"""`%chat_save` replaces what it wrote itself, what is the user's if that is said, and never the open notebook."""

from __future__ import annotations

import json
import os
import re

import nbformat
import pytest
from kernels import write_notebook

from xcyq_magic.errors import InputError, XcyqError

MESSAGES = [{"role": "user", "content": "mine"}, {"role": "assistant", "content": "yes"}]


@pytest.fixture
def turns(run, capsys, tmp_path, monkeypatch):
    """A conversation to save, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    run("%chat_system Be brief.")
    run("%%chat -t 0.5 --stop end\nWhat are {plants}?\nAnd \\{{ trees }}?")
    run("%chat two")
    capsys.readouterr()


def in_notebook(change):
    """Change the notebook that is in a file."""

    def changed(text: str) -> str:
        notebook = json.loads(text)
        change(notebook)
        return json.dumps(notebook)

    return changed


def cell(kind: str, source: str, **more) -> dict:
    code = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": "mine", "metadata": {}, "source": source, **code, **more}


def last(notebook: dict) -> dict:
    return notebook["cells"][-1]


def run_again(notebook: dict) -> None:
    del last(notebook)["outputs"][0]["data"]["application/vnd.xcyq.turn+json"]["media"]


# What becomes of a file that %chat_save wrote, so that something of the user's is in it
CHANGED = {
    "a line added.md": lambda text: f"{text}\nMy own thought.\n",
    "a word changed.md": lambda text: text.replace("plants", "animals"),
    "text above.md": lambda text: f"# Notes\n{text}",
    "two conversations.md": lambda text: text + text,
    "its first line alone.md": lambda text: text.split("\n")[0] + "\n\nMine\n",
    "a message added.json": lambda text: json.dumps([*json.loads(text), {"role": "user", "content": "mine"}]),
    "a note.json": lambda text: text.replace('"role": "user"', '"note": "mine",\n  "role": "user"', 1),
    "other spaces.json": lambda text: json.dumps(json.loads(text), indent=2),
    "a role of their own.json": lambda text: text.replace('"assistant"', '"tool"', 1),
    "more text.json": lambda text: f"{text}\n",
    "a markdown cell.ipynb": in_notebook(lambda n: n["cells"].insert(1, cell("markdown", "Mine"))),
    "a raw cell.ipynb": in_notebook(lambda n: n["cells"].append(cell("raw", "Mine"))),
    "a code cell.ipynb": in_notebook(lambda n: n["cells"].append(cell("code", "df.describe()"))),
    "an empty cell.ipynb": in_notebook(lambda n: n["cells"].append(cell("code", ""))),
    "a prompt changed.ipynb": in_notebook(lambda n: last(n).update(source="%%chat\nthree")),
    "code in the first cell.ipynb": in_notebook(lambda n: n["cells"][0].update(source="%load_ext xcyq_magic\nx = 1")),
    "an output more.ipynb": in_notebook(lambda n: last(n)["outputs"].append(last(n)["outputs"][0])),
    "an output of the first cell.ipynb": in_notebook(
        lambda n: n["cells"][0]["outputs"].append({"output_type": "stream", "name": "stdout", "text": "mine"})
    ),
    "a cell that ran again.ipynb": in_notebook(run_again),
    "a cell that was run.ipynb": in_notebook(lambda n: last(n).update(execution_count=3)),
    "a tag.ipynb": in_notebook(lambda n: last(n)["metadata"].update(tags=["mine"])),
    "a title.ipynb": in_notebook(lambda n: n["metadata"].update(title="Mine")),
    "its mark gone.ipynb": in_notebook(lambda n: n["metadata"].pop("xcyq_magic")),
    "a field.ipynb": in_notebook(lambda n: n.update(mine=1)),
}
# What %chat_save did not write
OTHERS = {
    "notes.md": "# Notes\n",
    "comment.md": "<!-- mine -->\n",
    "README.MD": "# Read me\n",
    "spaces.md": " \n",
    "binary.md": b"\xff\xfe\x00\x01",
    "package.json": '{"name": "mine"}',
    "list.json": "[1, 2, 3]",
    "nothing.json": "[]",
    "messages.json": json.dumps(MESSAGES),
    "object.json": json.dumps({"messages": MESSAGES}, indent=1),
    "broken.json": "[",
    "deep.json": "[" * 10**5,
    "broken.ipynb": "{",
    "list.ipynb": "[]",
    "empty.ipynb": '{"cells": [], "metadata": {"xcyq_magic": {}}, "nbformat": 4, "nbformat_minor": 5}',
    "odd.ipynb": '{"cells": 3, "metadata": {"xcyq_magic": 5}}',
    "mine.ipynb": json.dumps({"cells": [cell("code", "1 + 1")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
}


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(run, line: str, words: str) -> XcyqError:
    with pytest.raises(InputError, match=words) as raised:
        run(line)
    assert len(raised.value._render_traceback_()) == 2
    return raised.value


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("name", [*CHANGED, *OTHERS])
def test_what_holds_something_of_the_users_is_refused_and_replaced_by_force(run, tmp_path, name):
    path = tmp_path / name
    if name in CHANGED:
        run(f"%chat_save {name}")
        path.write_text(CHANGED[name](path.read_text("utf-8")), "utf-8")
    else:
        path.write_bytes(OTHERS[name] if isinstance(OTHERS[name], bytes) else OTHERS[name].encode())
    before, mode = path.read_bytes(), path.stat().st_mode
    error = refused(run, f"%chat_save {name}", re.escape(name))
    assert f"%chat_save --force {name}" in error.hint
    assert path.read_bytes() == before
    assert names(tmp_path) == [name]
    run(f"%chat_save --force {name}")
    assert path.read_bytes() != before
    assert path.stat().st_mode == mode
    run(f"%chat_save {name}")  # it is ours now


KINDS = ["chat.md", "chat.json", "chat.ipynb", "'my chat.ipynb'", "CHAT.MD"]


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("name", KINDS)
def test_a_notebook_that_saves_its_conversation_can_be_run_again(run, capsys, tmp_path, name):
    for _ in range(3):
        run(f"%chat_save {name}")
        run("%chat more")
    run("%chat_reset")
    run("%chat afresh")
    capsys.readouterr()
    run(f"%chat_save {name}")
    assert "Saved 1 turn" in capsys.readouterr().out
    assert "afresh" in (tmp_path / name.strip("'")).read_text("utf-8")


SAVED_AGAIN = {
    "a frontend": lambda text: nbformat.writes(nbformat.reads(text, 4)),
    "git on Windows": lambda text: text.replace("\n", "\r\n"),
}


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize(("name", "how"), [("chat.ipynb", h) for h in SAVED_AGAIN] + [("chat.md", "git on Windows")])
def test_a_file_that_others_saved_without_a_change_is_ours(run, tmp_path, name, how):
    run(f"%chat_save {name}")
    path = tmp_path / name
    path.write_bytes(SAVED_AGAIN[how](path.read_bytes().decode()).encode())
    run("%chat three")
    run(f"%chat_save {name}")
    assert "three" in path.read_text("utf-8")


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("name", KINDS[:3])
def test_an_empty_file_holds_nothing_and_a_link_becomes_a_file(run, tmp_path, name):
    path = tmp_path / name
    path.touch()
    run(f"%chat_save {name}")
    assert path.stat().st_size
    path.unlink()
    target = tmp_path / "target"
    target.write_text("mine")
    path.symlink_to(target)
    run(f"%chat_save {name}")
    assert not path.is_symlink()
    assert target.read_text() == "mine"


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize(
    "line", ["--force x.md", "x.md --force", "  x.md  --force ", '--force "x.md"', "--force -- x.md"]
)
def test_the_option_stands_before_or_behind_the_name(run, tmp_path, line):
    (tmp_path / "x.md").write_text("mine")
    run(f"%chat_save {line}")
    assert "two" in (tmp_path / "x.md").read_text()
    assert names(tmp_path) == ["x.md"]


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("name", ["my  own chat.md", "Anna's and Bob's.md", "--.md"])
def test_a_name_is_taken_as_it_is_typed(run, tmp_path, name):
    run(f"%chat_save {'-- ' if name.startswith('-') else ''}{name}")
    assert names(tmp_path) == [name]


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("line", ["", "--force", "  --force  ", "''"])
def test_a_name_is_asked_for(run, tmp_path, line):
    refused(run, f"%chat_save {line}", "takes the name of a file")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("turns")
def test_what_is_no_option_is_refused(run, tmp_path):
    error = refused(run, "%chat_save --forse x.md", "no option --forse")
    assert "--force" in error.hint
    assert names(tmp_path) == []


# The open notebook

OPEN = {
    "its name": ("uns.ipynb", "uns.ipynb"),
    "its path": ("uns.ipynb", "{folder}/uns.ipynb"),
    "dots": ("uns.ipynb", "./sub/../uns.ipynb"),
    "a linked folder": ("uns.ipynb", "linked/uns.ipynb"),
    "a hard link": ("uns.ipynb", "hard.ipynb"),
    "a notebook that is Markdown": ("uns.md", "uns.md"),
    "a notebook opened by a link": ("link.ipynb", "uns.ipynb"),
    "the link that it was opened by": ("link.ipynb", "link.ipynb"),
    "a notebook that is not there any more": ("gone.ipynb", "gone.ipynb"),
}


@pytest.fixture
def opened(shell, tmp_path, monkeypatch):
    """Let the kernel be that of a notebook; returns a function that runs a cell of it."""

    def open_notebook(name: str, cell_id: str = "cell-of-mine", told: str = "jupyter"):
        monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / name) if told == "jupyter" else "")
        if told == "code":
            shell.push({"__vsc_ipynb_file__": str(tmp_path / name)})
        shell.parent_header = {"metadata": {"cellId": cell_id}}

    return open_notebook


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("told", ["jupyter", "code"])
@pytest.mark.parametrize("how", OPEN)
def test_the_open_notebook_is_never_replaced(run, opened, tmp_path, how, told):
    name, typed = OPEN[how]
    for own in ("uns.ipynb", "uns.md"):
        write_notebook(tmp_path / own, {"a": "1 + 1"})
    (tmp_path / "sub").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path)
    (tmp_path / "link.ipynb").symlink_to("uns.ipynb")
    (tmp_path / "hard.ipynb").hardlink_to(tmp_path / "uns.ipynb")
    before = (tmp_path / "uns.ipynb").read_bytes()
    opened(name, told=told)
    for force in ("", "--force "):
        error = refused(run, f"%chat_save {force}{typed.format(folder=tmp_path)}", "is the open notebook")
        assert "--force" not in error.hint
    assert (tmp_path / "uns.ipynb").read_bytes() == (tmp_path / "uns.md").read_bytes() == before
    assert (tmp_path / "link.ipynb").is_symlink()
    assert not (tmp_path / "gone.ipynb").exists()


@pytest.mark.usefixtures("turns")
def test_the_open_notebook_is_never_replaced_under_its_new_name(run, opened, tmp_path):
    """JupyterLab tells the kernel the name that the notebook had when it started: Untitled.ipynb."""
    opened("Untitled.ipynb", "5f3c")
    run("x = 1")
    write_notebook(tmp_path / "uns.ipynb", {"5f3c": "x = 1"})
    opened("Untitled.ipynb", "81ab")  # the cell below, which is not saved yet
    for force in ("", "--force "):
        refused(run, f"%chat_save {force}uns.ipynb", "is the open notebook")


@pytest.mark.usefixtures("turns")
def test_a_saved_conversation_that_is_open_is_the_open_notebook_and_no_other_one_is(run, opened, tmp_path):
    run("%chat_save chat.ipynb")
    run("%chat_save other.ipynb")
    opened("chat.ipynb", "setup")
    run("%load_ext xcyq_magic")
    opened("chat.ipynb", "mine")
    refused(run, "%chat_save --force chat.ipynb", "is the open notebook")
    run("%chat_save other.ipynb")
    text = (tmp_path / "other.ipynb").read_text("utf-8")
    (tmp_path / "other.ipynb").write_text(CHANGED["a title.ipynb"](text), "utf-8")
    run("%chat_save --force other.ipynb")
    run("%chat_save beside.md")


# Messages


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("magic", ["chat_save", "chat_load"])
@pytest.mark.parametrize(
    "typed", ["folder", "folder/", "./folder", "{folder}/folder/", "new/", "'my folder/'", ".", "folder/.."]
)
def test_a_directory_is_called_one(run, tmp_path, magic, typed):
    (tmp_path / "folder").mkdir()
    typed = typed.format(folder=tmp_path)
    error = refused(run, f"%{magic} {typed}", "a directory")
    assert f"%{magic} " in error.hint
    assert names(tmp_path) == ["folder"]


WRONG = [
    ("%chat_load passwd", "passwd is not a kind of file that %chat_load reads", "%chat_load takes .json, and .ipynb"),
    ("%chat_load data.csv", "data.csv is not a kind of file", "%chat_load takes"),
    ("%chat_load notes.md", "is Markdown", "%chat_load takes"),
    ("%chat_load missing", "missing cannot be read: no such file", "Paths count from"),
    ("%chat_load missing.json", "missing.json cannot be read: no such file", "Paths count from"),
    ("%chat_load notes.mdd", "notes.mdd cannot be read: no such file", "Did you mean notes.md?"),
    ("%chat_load passwd/chat.json", "cannot be read: not a directory", "Paths count from"),
    ("%chat_load pipe.json", "cannot be read: it is no regular file", "%chat_load takes"),
    (
        "%chat_save chat.html",
        "%chat_save does not write .html, only .md to read, .json to exchange, .ipynb to run",
        "File > Save and Export Notebook As, or jupyter nbconvert --to html NOTEBOOK.ipynb. Try %chat_save chat.md.",
    ),
    ("%chat_save chat.PDF", "%chat_save does not write .pdf, only .md", "jupyter nbconvert --to pdf NOTEBOOK.ipynb."),
    ("%chat_save passwd/sub/chat.json", "cannot be written: not a directory", "%chat_save ~/chat.json"),
    ("%chat_save passwd", "passwd does not say what kind of file it is", "%chat_save chat.md"),
    ("%chat_save data.csv", "%chat_save does not write .csv", "%chat_save chat.md"),
    ("%chat_save passwd/chat.json", "cannot be written: not a directory", "%chat_save ~/chat.json"),
]


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize("folder", ["nowhere", "no where", "not/a/where", "it's"])
def test_a_folder_that_does_not_exist_is_made_as_the_message_says(run, tmp_path, folder):
    line = f'%chat_save "{folder}/chat.md"'
    words = f"The folder {folder} does not exist, so nothing was saved"
    run(refused(run, line, words).hint.removeprefix("Make it first: "))
    run(line)
    assert (tmp_path / folder / "chat.md").exists()


@pytest.mark.usefixtures("turns")
@pytest.mark.parametrize(("line", "words", "hint"), WRONG)
def test_a_message_fits_the_magic_and_the_cause(run, tmp_path, line, words, hint):
    for name in ("passwd", "data.csv", "notes.md"):
        (tmp_path / name).write_text("mine")
    os.mkfifo(tmp_path / "pipe.json")
    error = refused(run, line, re.escape(words))
    assert hint in error.hint
    other = "%chat_load" if "%chat_save" in line else "%chat_save"
    assert other not in f"{error.hint}" or "Markdown" in error.message
