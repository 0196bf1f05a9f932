"""Two kernels at once: of a notebook and its copy, or of one notebook."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest
from kernels import KEY, Kernel, write_notebook

LOAD = "%load_ext xcyq_magic"
TURNS = (
    "[t.prompt.text for t in get_ipython().magics_manager.registry['xcyq_magic'].context.session.conversation().turns]"
)


class Page:
    """A kernel of the notebook at `path`."""

    def __init__(self, path, env) -> None:
        self.kernel = Kernel({"JPY_SESSION_NAME": str(path), **env})
        self.loaded = self(LOAD, "load")

    def __call__(self, code: str, cell: str = "other") -> str:
        ran = self.kernel.run(code, cell)
        assert ran.status == "ok", "\n".join(ran.error)
        return ran.text + "".join(str(o.get(kind, "")) for o in ran.outputs for kind in ("text/plain", "text/html"))

    @property
    def turns(self) -> list[str]:
        return json.loads(self(f"print(__import__('json').dumps({TURNS}))"))


@pytest.fixture
def start(sandbox, tmp_path):
    """Start a kernel of a notebook in `tmp_path`."""
    env = {**os.environ, "XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "IPYTHONDIR": str(tmp_path)}
    running: list[Page] = []

    def begin(name: str, **more: str) -> Page:
        running.append(Page(tmp_path / name, {**env, **more}))
        return running[-1]

    def end(page: Page, *, killed: bool = False) -> None:
        running.remove(page)
        if killed:
            page.kernel.kill()
        page.kernel.close(now=killed)

    begin.end = end
    yield begin
    while running:
        end(running[-1])


CHATS = {"load": LOAD, "c1": "%chat plants", "c2": "%chat outliers"}
NO_CHATS = {"load": LOAD, "c3": "%chat more"}


@pytest.fixture
def original(start, tmp_path):
    """The kernel of A.ipynb, which said two things and whose chat cells were deleted, and its copy, B.ipynb."""
    write_notebook(tmp_path / "A.ipynb", CHATS)
    page = start("A.ipynb")
    page("%chat plants", "c1")
    page("%chat outliers", "c2")
    shutil.copy(tmp_path / "A.ipynb", tmp_path / "B.ipynb")
    write_notebook(tmp_path / "A.ipynb", NO_CHATS)
    return page


def test_a_copy_gets_a_fork_while_the_kernel_of_its_original_goes_on(start, original):
    copy = start("B.ipynb")
    assert copy.loaded == "Resumed B.ipynb: 2 turns, forked from A.ipynb; %chat_reset starts afresh.\n"
    assert "copy" not in original("%chat more", "c3")
    copy("%chat in the copy", "c2")
    assert original.turns == ["plants", "outliers", "more"]
    assert copy.turns == ["plants", "in the copy"]
    for page, name, turns in (
        (copy, "B.ipynb", ["plants", "in the copy"]),
        (original, "A.ipynb", ["plants", "outliers", "more"]),
    ):
        start.end(page)
        again = start(name)
        assert f"Resumed {name}: {len(turns)} turns;" in again.loaded
        assert again.turns == turns


def test_a_copy_gets_a_fork_while_a_kernel_that_knows_no_notebook_goes_on(start, tmp_path):
    unknown = start("A.ipynb", JPY_SESSION_NAME="")  # servers before 2.5 do not tell it
    unknown("%chat plants", "c1")
    unknown("%chat outliers", "c2")
    write_notebook(tmp_path / "B.ipynb", CHATS)
    copy = start("B.ipynb")
    assert "forked from another kernel" in copy.loaded
    unknown("%chat more", "c3")
    copy("%chat in the copy", "c2")
    assert unknown.turns == ["plants", "outliers", "more"]
    start.end(copy)
    assert start("B.ipynb").turns == ["plants", "in the copy"]


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "shut down"])
def test_what_no_kernel_holds_any_more_is_moved(start, original, killed):
    start.end(original, killed=killed)
    assert "kept as A.ipynb until now" in start("B.ipynb").loaded


def test_all_conversations_of_a_notebook_whose_kernel_goes_on_stay_its_own(start, original, tmp_path):
    original("%chat_reset", "c4")
    original("%chat afresh", "c5")
    original("%chat_switch --new idea", "c6")
    original("%chat an idea", "c7")
    later = {"c4": "%chat_reset", "c5": "%chat afresh", "c6": "%chat_switch --new idea", "c7": "%chat an idea"}
    write_notebook(tmp_path / "B.ipynb", {**CHATS, **later})
    copy = start("B.ipynb")
    assert "forked from A.ipynb" in copy.loaded
    assert copy.turns == ["an idea"]
    copy("%chat in the copy", "c8")
    original("%chat_switch main", "c9")
    assert original.turns == ["afresh"]
    assert len(re.findall(r"this one +\w+ +\w+ +2 .*set aside", original("%chat_switch"))) == 1


def test_a_conversation_that_was_taken_over_all_the_same_is_left_to_its_new_notebook(start, original, tmp_path):
    """Where no lock can be taken: on some network drives, and on Windows."""
    (locks,) = tmp_path.rglob("*-kernels")
    locks.unlink()  # as if there had been none
    copy = start("B.ipynb")
    assert "kept as A.ipynb until now" in copy.loaded
    said = original("%chat more", "c3")
    assert "B.ipynb goes on with what was kept of main; this notebook goes on with a copy." in said
    assert "B.ipynb" not in original("%chat and more", "c4")
    copy("%chat in the copy", "c2")
    start.end(original)
    start.end(copy)
    assert start("A.ipynb").turns == ["plants", "outliers", "more", "and more"]
    assert start("B.ipynb").turns == ["plants", "in the copy"]


@pytest.fixture
def both(start, tmp_path):
    """Two kernels of A.ipynb, in one conversation."""
    write_notebook(tmp_path / "A.ipynb", {f"c{n}": "" for n in range(9)})
    one = start("A.ipynb")
    one("%chat one", "c1")
    other = start("A.ipynb")
    assert other.turns == ["one"]
    other("%chat two", "c2")
    one("%chat three", "c3")
    return one, other


def test_a_kernel_says_that_another_one_set_its_conversation_aside(start, both):
    one, other = both
    (old,) = re.findall(r"%chat_switch (\w+) brings", one("%chat_reset"))
    one("%chat afresh", "c4")
    said = other("%chat four", "c5")
    assert "Another kernel of this notebook began main afresh" in said
    assert f"%chat_switch {old} brings it back there" in said
    assert "Another kernel" not in other("%chat five", "c6")
    listed = other("%chat_switch")
    assert re.search(rf"this one +main +{old} +4 .*here", listed)
    assert re.search(r"this one +main +\w+ +1 .*set aside", listed)
    assert other.turns == ["one", "two", "four", "five"]
    start.end(one)
    start.end(other)
    again = start("A.ipynb")
    assert again.turns == ["afresh"]
    again(f"%chat_switch {old}")
    assert sorted(again.turns) == ["five", "four", "one", "three", "two"]


def test_what_another_kernel_set_aside_can_be_taken_back_and_that_one_says_so(start, both):
    one, other = both
    (old,) = re.findall(r"%chat_switch (\w+) brings", one("%chat_reset"))
    one("%chat afresh", "c4")
    other("%chat four", "c5")
    (new,) = re.findall(r"main; that is set aside, and %chat_switch (\w+) goes", other(f"%chat_switch {old}"))
    assert f"%chat_switch {new} brings it back" in one("%chat on", "c6")
    assert one.turns == ["afresh", "on"]
    start.end(one)
    start.end(other)
    again = start("A.ipynb")
    assert sorted(again.turns) == ["four", "one", "three", "two"]
    again(f"%chat_switch {new}")
    assert again.turns == ["afresh", "on"]


@pytest.mark.parametrize("back", ["%chat_switch {old}", None])
def test_if_both_reset_nothing_is_lost_and_each_goes_on_with_its_own(start, both, back):
    one, other = both
    (old,) = re.findall(r"%chat_switch (\w+) brings", one("%chat_reset"))
    one("%chat afresh", "c4")
    said = other("%chat_reset")
    assert "The store had A.ipynb: 1 turn under the name main" in said
    other("%chat afresh, too", "c5")
    if back:
        one(back.format(old=old))
    said = one("%chat on", "c6")
    assert ("Another kernel" in said) is (back is None)
    assert sorted(one.turns) == (["on", "one", "three", "two"] if back else ["afresh", "on"])
    assert other.turns == ["afresh, too"]
    listed = start("A.ipynb")("%chat_switch")
    assert sorted(re.findall(r"this one +main +\w+ +(\d)", listed)) == (["1", "1", "4"] if back else ["1", "2", "3"])


def test_what_is_loaded_in_one_kernel_is_said_in_the_other(start, both, tmp_path):
    one, other = both
    one(f"%chat_save {tmp_path}/chat.json")
    one(f"%chat_load {tmp_path}/chat.json")
    assert "Another kernel of this notebook began main afresh" in other("%chat four", "c5")
    assert other.turns == ["one", "two", "four"]


def test_what_comes_back_in_one_kernel_is_no_longer_aside_for_the_other(start, both):
    one, other = both
    (old,) = re.findall(r"%chat_switch (\w+) brings", one("%chat_reset"))
    assert "Another kernel" in other("%chat four", "c5")
    one(f"%chat_switch {old}")
    assert "Another kernel" not in other("%chat five", "c6")
    start.end(one)
    start.end(other)
    assert sorted(start("A.ipynb").turns) == ["five", "four", "one", "three", "two"]
