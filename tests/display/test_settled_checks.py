"""The settled output of a check: marks by shape, what stands out in words, and safe whatever a gateway says."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import hostile
import pytest
from inspector import problems

from xcyq_magic.chat.checks import ASPECTS, REFUSED, CheckReport, Finding, PoolCheck
from xcyq_magic.chat.completion import Usage
from xcyq_magic.display.settled_checks import checks_bundle, checks_html
from xcyq_magic.errors import ServerError

GOOD = {
    "answered_by": Finding(kept=True, said="gpt-5.5"),
    "stop": Finding(kept=True),
    "prompt_tokens": Finding(kept=True, said="×1.02", value=1.02, usual=1.0),
    "first_token_s": Finding(value=0.5, usual=0.4),
    "reachable": Finding(kept=True),
}


REFUSES = Finding(said=REFUSED)


def pool(name: str = "gpt-5.5", error: Exception | None = None, **findings: Finding) -> PoolCheck:
    return PoolCheck(name, {**GOOD, **findings}, error, Usage(100, 50), 0.25, whole=True)


def dead(name: str, message: str) -> PoolCheck:
    return PoolCheck(name, {"reachable": Finding(kept=False)}, ServerError(message, "Try another pool."), whole=True)


def rows(html: str) -> list[list[str]]:
    lines = re.findall(r"<tr\b.*?</tr>", html, re.DOTALL)
    cells = ([re.sub("<[^>]*>", " ", c) for c in re.findall(r"<t[dh]\b.*?</t[dh]>", line, re.DOTALL)] for line in lines)
    return [[" ".join(unescape(cell).split()) for cell in line] for line in cells]


def test_a_row_has_a_mark_or_a_figure_in_each_column():
    slow = pool("slow", first_token_s=Finding(value=3.0, usual=0.5, worse=True), stop=REFUSES)
    report = CheckReport((pool(), slow, dead("gone", "No channel.")), 2.0)
    assert rows(checks_bundle(report)["text/html"]) == [
        ["pool", "reached", "own name", "stop", "counted", "first token"],
        ["gpt-5.5", "✓", "✓", "✓", "✓ ×1.02 ×1.00", "0.50 s 0.40 s"],
        ["slow", "✓", "✓", "— not taken", "✓ ×1.02 ×1.00", "▲ 3.00 s 0.50 s"],
        ["gone", "✗", "—", "—", "—", "—"],
    ]


def test_what_stands_out_is_said_in_words_with_what_to_do_next():
    slow = pool("slow", first_token_s=Finding(value=3.0, usual=0.5, worse=True), stop=REFUSES)
    other = pool("other", answered_by=Finding(kept=False, said="gpt-4o-mini"))
    bundle = checks_bundle(CheckReport((pool(), slow, other, dead("gone", "No channel.")), 2.0), "sandbox")
    for shown in (bundle["text/plain"], unescape(bundle["text/html"])):
        assert "4 pools checked · sandbox · 3 to look at · 2.00 s · 300 tokens in, 150 out · cost 0.7500" in shown
        assert "slow took much longer than usual to its first word." in shown
        assert "other answered as gpt-4o-mini." in shown
        assert "gone did not answer: No channel." in shown
        assert "Try another pool." in shown
        assert "No problems were seen in gpt-5.5: ask one with -m, or choose it with %chat_model." in shown
        assert "If a pool does not take stop, it is left out of each request" in shown
        assert "fake" not in shown
        for aspect in (ASPECTS[name] for name in GOOD if ASPECTS[name].means):
            assert aspect.means in shown
    assert "✓ 3  — stop" in bundle["text/plain"]
    assert "▲ 3.00 s (usually 0.50 s)" in bundle["text/plain"]


def test_nothing_to_look_at_is_said_and_asks_for_nothing():
    plain = checks_bundle(CheckReport((pool(),), 2.0))["text/plain"]
    assert "nothing stands out" in plain
    assert "%chat_model" not in plain


def test_of_many_pools_the_first_are_said_and_the_number_of_the_others():
    report = CheckReport(tuple(dead(f"pool-{n}", "No.") for n in range(45)))
    html = checks_bundle(report)["text/html"]
    assert html.count("did not answer") == 12
    assert "33 more pools to look at" in html
    assert len(rows(html)) == 46
    assert len(html) < 100_000


def test_what_was_stopped_is_said_and_what_is_to_come_looks_otherwise():
    stopped = CheckReport((replace(pool(), whole=False, findings={}), pool()))
    assert "1 pool not checked to the end: run the cell again." in checks_bundle(stopped)["text/plain"]
    assert rows(checks_html(stopped))[1][1:] == ["—"] * 5
    assert rows(checks_html(stopped, coming=True))[1][1:] == ["…"] * 5


def everywhere(text: str) -> str:
    """The HTML of a check where a gateway says `text` wherever it can."""
    report = CheckReport((pool("gpt-5.5", answered_by=Finding(kept=False, said=text)), dead(text, text)))
    return re.sub(r"<style>.*?</style>", "", checks_bundle(report, text)["text/html"], flags=re.DOTALL)


# Every third: `test_hostile` has all of them in replies.
@pytest.mark.parametrize("payload", [p for _, p in hostile.EVERY][::3])
def test_nothing_that_a_gateway_says_gets_through(payload):
    assert problems(everywhere(payload)) == problems(everywhere("word"))


@pytest.mark.parametrize("name", ["a\x1b[31mred", "a\nb\nc", "a\u202eb", "x" * 10_000, "\x07"])
def test_a_name_stays_on_its_line_and_moves_no_cursor(name):
    report = CheckReport((pool("gpt-5.5", answered_by=Finding(kept=False, said=name)), dead(name, name)))
    bundle = checks_bundle(report)
    assert not set("\x1b\x07\u202e") & set(bundle["text/plain"] + bundle["text/html"])
    assert max(map(len, bundle["text/plain"].splitlines())) < 1_000
    assert [line for line in bundle["text/plain"].splitlines() if line.strip() in {"b", "c"}] == []
