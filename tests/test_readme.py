"""The README: short, and each name, link, option and command in it is real. `kernel/test_tour.py` runs its cells."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from xcyq_magic import errors
from xcyq_magic.magics.extension import MAGICS
from xcyq_magic.session.settings import ChatSettings, GatewaySettings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FENCES = re.findall(r"(?:^<!-- (\w+) -->\n)?^```(\w*)\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
MAGIC_FUNCTIONS = {name: getattr(m, f) for m in MAGICS for k in m.magics.values() for name, f in k.items()}
PAGES = [
    ROOT / "README.md",
    ROOT / "tests" / "benchmarks" / "README.md",
    ROOT / "notebooks" / "CHANGELOG.md",
    ROOT / "notebooks" / "README.zh-CN.md",
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]


def test_it_is_short():
    lines = README.splitlines()
    assert len(lines) <= 240
    assert [line for line in lines if len(line) > 120 and not line.startswith(("![", "<img", "|"))] == []


def test_every_block_is_run():
    run = (ROOT / ".ci" / "run").read_text("utf-8")
    for comment, language, _ in FENCES:
        if language == "sh":
            assert f"$(readme_command {comment})" in run
        else:  # by the test of the tour
            assert language in {"ipython", "python"}


def test_the_chinese_page_has_the_same_commands_names_and_numbers():
    page = (ROOT / "notebooks" / "README.zh-CN.md").read_text("utf-8")
    tour = README[: README.index("## The magics")]
    code = re.compile(r"`([^`\n]+)`|^(?:pip|python3) .*", re.MULTILINE)
    assert {m[0] for m in code.finditer(page)} - {m[0] for m in code.finditer(README)} <= {"`%%chat?`"}
    assert re.findall(r"\b\d\d\b", page.split("## 八")[0]) == re.findall(r"\b\d\d\b", tour.split("## A tour")[0])


def test_each_magic_is_in_the_table_and_each_that_is_named_exists():
    rows = "\n".join(line for line in README.splitlines() if line.startswith("|"))
    assert [m for m in MAGIC_FUNCTIONS if not re.search(rf"%{m}\b", rows)] == []
    named = set(re.findall(r"%{1,2}(chat\w*|compare)", README))
    assert named - set(MAGIC_FUNCTIONS) == set()


def test_each_option_and_each_setting_that_it_names_exists():
    options = {"--no-cov"} | set(re.findall(r"--\w+", "".join(t for _, kind, t in FENCES if kind == "text")))
    for magic in MAGIC_FUNCTIONS.values():
        parser = getattr(magic, "parser", None)
        options |= set(parser._option_string_actions if parser else re.findall(r"--\w+", magic.__doc__))
    assert set(re.findall(r"(?<![\w!-])--\w[\w-]*(?![\w-]*>)", README)) - options == set()
    settings = {f"{s.__name__}.{t}" for s in (ChatSettings, GatewaySettings) for t in s.class_trait_names(config=True)}
    assert set(re.findall(r"\b(?:Chat|Gateway)Settings\.\w+", README)) - settings == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.parent.name + "-" + p.stem)
def test_each_link_leads_to_a_file_or_a_heading(page):
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        text = "\n".join(cell["source"] for cell in nbformat.reads(text, 4).cells if cell["cell_type"] == "markdown")
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    local = [a or b for a, b in links if not (a or b).startswith("https://")]
    assert [x for x in local if not (x[1:] in anchors if x.startswith("#") else (page.parent / x).exists())] == []


def test_every_error_says_what_it_means_and_what_to_do():
    assert errors.__doc__ is not None
    tree = re.findall(r"^    ([│├└─ ]*)(\w+Error)  +\S", errors.__doc__, re.MULTILINE)
    assert sorted(name for _, name in tree) == sorted(errors.__all__)
    above: dict[int, str] = {}
    for branch, name in tree:  # each stands below the class that it derives from
        depth, error = len(branch) // 4, getattr(errors, name)
        above[depth] = name
        assert error.__base__.__name__ == above.get(depth - 1, "Exception")
        group = any(name == e.__base__.__name__ for e in vars(errors).values() if inspect.isclass(e))
        assert group or re.search(r"^What to do: \w.*\.$", inspect.getdoc(error) or "", re.MULTILINE), name


def test_the_help_of_the_package_names_what_is_called_from_python():
    command = [sys.executable, "-c", "help('xcyq_magic')"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert all(f"{name}(" in shown for name in ("Chat", "ask_each", "compare"))


def test_the_help_that_it_names_lists_the_errors():
    shown = subprocess.run(
        [sys.executable, "-c", 'help("xcyq_magic.errors")'], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert all(name in shown for name in errors.__all__)
    assert "What to do: Type ``%chat_key``" in shown
