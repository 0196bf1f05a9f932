"""``--above``: the cells above the one that asks, as the page and its kernel have them."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from kernels import KEY, Kernel, turn_of

LOAD = "%load_ext xcyq_magic"


class Page:
    """A notebook that is open: its cells in order, what they hold now, and its kernel."""

    def __init__(self, path, sandbox, *, tells_ids: bool = True) -> None:
        self.path, self._sandbox, self._tells_ids = path, sandbox, tells_ids
        self.cells: list[dict] = []
        env = {"XCYQ_BASE_URL": sandbox.base_url, "XCYQ_API_KEY": KEY, "IPYTHONDIR": str(path.parent / ".ipython")}
        env |= {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        env |= {"JPY_SESSION_NAME": str(path)} if tells_ids else {}
        self.kernel = Kernel({**os.environ, **env})
        self.run(self.add(LOAD))

    def add(self, source: str, kind: str = "code", at: int | None = None) -> dict:
        cell = {"cell_type": kind, "id": f"c{time.monotonic_ns()}", "source": source, "metadata": {}}
        cell |= {"outputs": [], "execution_count": None} if kind == "code" else {}
        self.cells.insert(len(self.cells) if at is None else at, cell)
        return cell

    def run(self, cell, status: str = "ok"):
        ran = self.kernel.run(cell["source"], cell["id"] if self._tells_ids else None)
        assert ran.status == status, "\n".join(ran.error)
        cell["outputs"] = [{"output_type": "display_data", "data": d, "metadata": {}} for d in ran.outputs]
        cell["outputs"] += [{"output_type": "stream", "name": "stdout", "text": ran.text}] if ran.text else []
        return ran

    def save(self) -> None:
        text = json.dumps({"cells": self.cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        self.path.write_text(text)

    def ask(self, line: str = "%%chat --above", at: int | None = None) -> str:
        """Ask in a new cell; return what was sent before the question."""
        self.run(self.add(f"{line}\nWhy?", at=at))
        return self.sent

    @property
    def sent(self) -> str:
        """The text of the last message that was sent, its pictures as [picture]."""
        content = self._sandbox.received[-1].body["messages"][-1]["content"]
        if isinstance(content, str):
            return content
        return "\n".join(p["text"] if p["type"] == "text" else "[picture]" for p in content)


@pytest.fixture
def page(sandbox, tmp_path):
    opened = Page(tmp_path / "analysis.ipynb", sandbox)
    yield opened
    opened.kernel.close(now=True)


def titles(sent: str) -> list[str]:
    """The first line of each cell's source, in order."""
    found, fence, due = [], "", False
    for line in sent.split("\n"):
        if due and not line.startswith("```"):
            found.append(line)
            due = False
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.rstrip("pythonjs")
        elif re.fullmatch(r"(?:In \[\d+\]|Markdown|Code|Raw text)(?:, .*)?:", line):
            due = True
    return found


def test_cells_go_along_as_they_stand_on_the_page_with_what_they_showed_last(page):
    page.add("# A title", "markdown")
    first = page.add("a = 1\nprint('first', a)\na")
    page.run(first)
    bar = page.add("import sys\nfor n in range(5): sys.stderr.write(f'\\r{n} of 5')")
    page.run(bar)
    page.save()
    first["source"] = "a = 2\nprint('again', a)\na"
    page.run(first)
    page.run(bar)
    page.run(page.add("print('not saved yet')"))
    page.run(page.add("1 / 0"), "error")
    sent = page.ask()
    assert titles(sent) == ["# A title", "a = 2", "import sys", "print('not saved yet')", "1 / 0"]
    assert "the order of the page" in sent
    assert "again 2\n```\nOutput:\n```\n2\n" in sent  # in the order in which it was shown
    assert "first" not in sent
    assert "4 of 5" in sent
    assert "3 of 5" not in sent
    assert sent.count("ZeroDivisionError: division by zero") == 1
    assert sent.endswith("Why?")


def test_what_goes_is_said_and_goes_with_no_later_turn(page):
    page.run(page.add("import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()"))
    ran = page.run(page.add("%%chat --above\nWhy?"))
    html = next(o for o in ran.outputs if "text/html" in o)["text/html"]
    assert "<summary" in html
    assert "Above: 1 cell · " in html
    assert " · 1 picture · about " in html
    assert "plt.plot([1, 2]); plt.show()" in html  # what unfolds
    assert page.sent.count("[picture]") == 1
    page.run(page.add("%%chat\nAnd then?"))
    first = page._sandbox.received[-1].body["messages"][0]["content"]
    assert first == "[1 cell of the notebook was shown here]\n\nWhy?"
    kept = turn_of(ran)["turn"] if "turn" in turn_of(ran) else turn_of(ran)
    assert kept["prompt"]["above"]["cells"] == 1
    shown = page.run(page.add("%chat_history 1")).outputs[-1]
    assert "plt.plot" in shown["text/html"]
    dry = page.run(page.add("%%chat --above --dry-run\nWhy?")).outputs[-1]["text/plain"]
    assert "[Above: 1 cell" in dry
    assert "plt.plot([1, 2]); plt.show()" in dry


def test_nothing_of_other_cells_goes_without_the_option(page):
    page.add("# Secret plans", "markdown")
    page.run(page.add("print('hello', 6 * 7)"))
    page.save()
    page.run(page.add("%%chat\nWhy?"))
    assert page.sent == "Why?"


def test_chats_whose_turns_go_anyway_are_left_out_and_others_are_not(page):
    page.run(page.add("a = 1"))
    page.run(page.add("%%chat\nasked here"))
    page.run(page.add("%%chat --once\nasked once"))
    page.run(page.add("%chat_usage"))
    page.run(page.add("%%chat --dry-run\nnever asked"))
    assert titles(page.ask()) == ["a = 1", "%%chat --once"]
    assert titles(page.ask("%%chat --above --once")) == ["a = 1", "%%chat", "%%chat --once", "%%chat --above"]


def test_the_line_says_which_chats_are_left_out_because_they_go_anyway(page):
    def line(options: str) -> str:
        html = next(o for o in page.run(page.add(f"%%chat {options}\nWhy?")).outputs if "text/html" in o)["text/html"]
        return re.search(r"Above: [^<]*", html)[0]

    page.run(page.add("%%chat\nasked first"))
    page.run(page.add("a = 1"))
    assert "1 cell · " in (said := line("--above"))
    assert " · 1 chat is in the conversation already" in said
    page.run(page.add("b = 2"))
    page.run(page.add("%%chat\nasked again"))
    assert " · 3 chats are in the conversation already" in line("--above 3")
    assert " · 2 chats are in the conversation already" in line("--above 1")
    assert "in the conversation already" not in line("--above --once")


def test_where_all_above_goes_anyway_the_error_says_so(page):
    page.run(page.add("%%chat\nasked first"))
    ran = page.run(page.add("%%chat --above\nWhy?"), "error")
    said = "There is no cell above this one but for what goes along anyway: 1 chat is in the conversation already"
    assert said in "\n".join(ran.error)


@pytest.mark.parametrize("begin", ["# private", "#private: names", "\n%%time\n# Private"])
def test_private_cells_never_go(page, begin):
    page.run(page.add(f"{begin}\nname = 'Ann'\nprint(name)"))
    tagged = page.add("print('Bea')")
    tagged["metadata"] = {"tags": ["private"]}
    page.add("# private", "markdown")
    page.run(tagged)
    page.run(page.add("b = 1"))
    page.save()
    ran = page.run(page.add("%%chat --above\nWhy?"))
    assert "Ann" not in page.sent
    assert "Bea" not in page.sent
    assert titles(page.sent) == ["b = 1"]
    assert "left out as private" in next(o for o in ran.outputs if "text/html" in o)["text/html"]


def test_a_cell_that_was_edited_after_it_ran_is_marked_and_one_that_was_deleted_is_gone(page):
    edited, gone = page.add("a = 1\nprint(a)"), page.add("b = 1")
    page.run(edited)
    page.run(gone)
    edited["source"] = "a = 3\nprint(a)"
    page.cells.remove(gone)
    page.save()
    sent = page.ask()
    assert "In [2], changed since it ran:\n```python\na = 3" in sent
    assert titles(sent) == ["a = 3"]


def test_what_another_kernel_ran_goes_as_it_is_saved_and_says_so(page):
    page.add("old = 1", at=0)["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["from ", "before\n"]}]
    page.run(page.add("new = 1"))
    page.save()
    sent = page.ask()
    assert "Code, not run in this kernel:\n```python\nold = 1\n```\nOutput:\n```\nfrom before\n" in sent
    assert titles(sent) == ["old = 1", "new = 1"]


def test_a_cell_that_is_not_saved_yet_stands_below_the_one_that_ran_before_it_and_that_is_said(page):
    first, second = page.add("a = 1"), page.add("b = 2")
    page.run(first)
    page.run(second)
    page.save()
    page.run(first)
    ran = page.run(page.add("%%chat --above\nWhy?"))
    assert titles(page.sent) == ["a = 1"]
    said = "not saved yet: this cell is taken to stand below In [4]"
    assert said in next(o for o in ran.outputs if "text/html" in o)["text/html"]
    page.save()
    page.run(page.cells[-1])
    assert titles(page.sent) == ["a = 1", "b = 2"]


def test_only_what_is_above_goes_and_of_it_the_last_cells(page):
    for n in range(5):
        page.run(page.add(f"n = {n}"))
    page.save()
    at = 4  # below the load, 0, 1 and 2
    page.add("%%chat --above 2\nWhy?", at=at)
    page.save()
    page.run(page.cells[at])
    assert titles(page.sent) == ["n = 1", "n = 2"]
    page.cells[at]["source"] = "%%chat --above\nWhy?"
    page.run(page.cells[at])
    assert titles(page.sent) == ["n = 0", "n = 1", "n = 2"]


def test_outputs_that_are_cleared_or_updated_are_as_they_are_seen(page):
    page.run(
        page.add(
            "from IPython.display import clear_output, display, HTML, Markdown\nshown = display('one', display_id=True)"
        )
    )
    page.run(page.add("shown.update('two')\nfor n in range(3): clear_output(wait=True); print('state', n)"))
    page.run(
        page.add(
            "display(HTML('<table><tr><td>a</td><td>b</td></tr></table><script>no()</script>'), Markdown('**bold**'))"
        )
    )
    page.run(page.add("import pandas as pd\npd.DataFrame({'x': [1, 2]})"))
    sent = page.ask()
    assert "'two'" in sent
    assert "'one'" not in sent.replace("display('one'", "")
    assert "state 2" in sent
    assert "state 1" not in sent
    assert "a | b" in sent
    assert "no()" not in sent.replace("<script>no()", "")
    assert "**bold**\n```" in sent
    assert "   x\n0  1\n1  2" in sent


def test_the_nearest_pictures_and_cells_go_where_not_all_can(page):
    page.run(page.add("import matplotlib.pyplot as plt"))
    page.run(page.add("%config ChatSettings.above_images = 2\n%config ChatSettings.above_chars = 2000"))
    for n in range(4):
        page.run(page.add(f"plt.plot([{n}, 2]); plt.title('x' * 300); plt.show()"))
    page.run(page.add("print('y' * 5000)"))
    ran = page.run(page.add("%%chat --above\nWhy?"))
    assert page.sent.count("[picture]") == 2
    assert len(page.sent) < 2_400
    assert page.sent.index("plt.plot([2, 2])") < page.sent.index("[picture]") < page.sent.index("plt.plot([3, 2])")
    assert "characters left out" in page.sent
    html = next(o for o in ran.outputs if "text/html" in o)["text/html"]
    assert "shortened" in html


def test_a_renamed_notebook_is_found_and_a_file_of_others_is_not_taken_for_it(page):
    page.add("# Words", "markdown")
    page.run(page.add("a = 1"))
    page.save()
    page.path.rename(page.path.with_name("renamed.ipynb"))
    assert titles(page.ask()) == ["# Words", "a = 1"]
    page.path.write_text(json.dumps({"cells": [{"cell_type": "code", "id": "x", "source": "theirs", "metadata": {}}]}))
    assert titles(page.ask("%%chat --above --once")) == ["# Words", "a = 1", "%%chat --above"]
    page.path.with_name("renamed.ipynb").unlink()
    sent = page.ask("%%chat --above --once")
    assert titles(sent)[0] == "a = 1"
    assert "in the order in which its cells ran" in sent


def test_a_new_notebook_under_the_old_name_of_a_renamed_one_is_not_taken_for_it(page):
    page.run(page.add("import math"))
    page.save()
    page.path.rename(page.path.with_name("renamed.ipynb"))
    sources = ["theirs", "import math"]
    theirs = [{"cell_type": "code", "id": f"x{n}", "source": s, "metadata": {}} for n, s in enumerate(sources)]
    page.path.write_text(json.dumps({"cells": theirs}))
    sent = page.ask()
    assert "theirs" not in sent
    assert titles(sent) == ["import math"]


def test_where_no_cell_has_an_id_they_go_in_the_order_in_which_they_ran(sandbox, tmp_path):
    page = Page(tmp_path / "x.ipynb", sandbox, tells_ids=False)
    page.run(page.add("a = 1\nprint('said')"))
    page.run(page.add("a"))
    sent = page.ask()
    assert titles(sent) == ["a = 1", "a"]
    assert "said\n```" in sent
    assert "in the order in which its cells ran" in sent
    page.kernel.close(now=True)


def test_an_error_says_that_nothing_is_above_and_sends_nothing(page):
    before = len(page._sandbox.received)
    ran = page.run(page.add("%%chat --above\nWhy?"), "error")
    assert "There is no cell above this one, so nothing was sent.\nLeave out --above." in "\n".join(ran.error)
    page.run(page.add("# private\na = 1"))
    ran = page.run(page.add("%%chat --above\nWhy?"), "error")
    assert "There is no cell above this one that may go along, so nothing was sent." in "\n".join(ran.error)
    assert len(page._sandbox.received) == before


def test_the_error_of_a_cell_goes_with_the_cells_above(page):
    page.run(page.add("a = [1]"))
    page.run(page.add("a[3]"), "error")
    page.run(page.add("%chat_error --above 2 why?"))
    assert titles(page.sent)[:2] == ["a = [1]", "a[3]"]
    assert page.sent.count("This cell of a notebook failed:") == 1
    assert page.sent.endswith("why?")


def test_the_cells_go_once_for_a_comparison_and_for_each_row(page):
    page.run(page.add("a = 1"))
    page.run(page.add("%%compare gpt-5.5 gpt-5.5-low --above\nWhy?"))
    sent = [r.body["messages"][-1]["content"] for r in page._sandbox.received[-2:]]
    assert all(titles(text) == ["a = 1"] for text in sent)
    page.run(page.add("%%chat --each [1,2] --above 1\nWhat is {{ row }}?"))
    sent = [r.body["messages"][-1]["content"] for r in page._sandbox.received[-2:]]
    assert sorted(text[-10:] for text in sent) == ["What is 1?", "What is 2?"]
    assert all(len(titles(text)) == 1 for text in sent)


def test_after_it_is_unloaded_nothing_is_heard_and_a_later_load_hears_again(page):
    page.run(page.add("%unload_ext xcyq_magic"))
    hooks = "len(get_ipython().display_pub._hooks), 'write_format_data' in vars(get_ipython().displayhook)"
    assert page.kernel.value(hooks) == "0 False"
    page.run(page.add("a = 1\nprint('while it was away')"))
    page.run(page.add(LOAD))
    page.run(page.add("b = 1\nprint('back')"))
    assert "back\n```" in page.ask()


def test_what_is_shown_without_being_an_output_of_the_cell_goes_as_the_page_shows_it(page, tmp_path):
    (tmp_path / "fails.py").write_text("1 / 0  # in a script")
    page.run(page.add(f"%run {tmp_path / 'fails.py'}"))
    page.run(page.add("len?"))
    page.run(page.add("a = 1"))
    sent = page.ask()
    assert sent.count("ZeroDivisionError") == 1
    assert "Return the number of items in a container." in sent


def test_a_key_that_was_printed_is_hidden(page):
    page.run(page.add(f"print('the key is {KEY}')"))
    assert "the key is" in page.ask()
    assert KEY not in page.sent


def test_what_is_saved_without_outputs_takes_none_away(page):
    page.run(page.add("print('said', 6 * 7)"))
    for cell in page.cells:
        cell |= {"outputs": [], "execution_count": None}  # as a hook of the server, or a filter of Git, leaves it
    page.save()
    assert "said 42\n```" in page.ask()


@pytest.mark.parametrize(("begin", "line"), [("# private\n", "%%chat --above"), ("", "%%chat --above 1")])
def test_a_key_that_a_cell_sets_which_does_not_go_is_hidden_in_those_that_do(page, begin, line):
    page.run(page.add(f"{begin}password = 'plover7-Xyzzy'"))
    page.run(page.add("print('it is', password)"))
    assert "it is (hidden)" in page.ask(line)
    assert "plover7" not in page.sent


def test_the_lines_of_a_private_cell_do_not_go_with_the_traceback_of_another(page):
    page.run(page.add("# private\ndef connect(u):\n    host = 'internal-db'\n    return 1 / u"))
    page.run(page.add("connect(0)"), "error")
    sent = page.ask()
    assert "ZeroDivisionError" in sent
    assert "internal-db" not in sent


def test_an_output_of_a_wrong_type_disturbs_no_later_cell(page):
    page.run(page.add("display({'text/plain': 5}, raw=True)"))
    assert "Error in callback" not in page.run(page.add("1")).text


def test_of_what_a_loop_shows_the_beginning_and_the_end_are_kept(page):
    page.run(page.add("%config ChatSettings.above_chars = 1_000_000"))
    # Of over 2,000 messages that wait, ZeroMQ drops some.
    page.run(page.add("for n in range(1_500):\n    display(f'shown {n}')"))
    sent = page.ask("%%chat --above 1")
    assert "'shown 0'" in sent
    assert "'shown 1499'" in sent
    assert 900 < sent.count("'shown ") < 1_100
