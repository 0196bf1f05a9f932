"""Hostile replies in JupyterLab, in a browser: live, settled and reopened, nothing runs and nothing is fetched.

The proof is what the browser did, which `Watch` records; the last test shows that it would see a hit.
"""

from __future__ import annotations

import contextlib
import html
import json
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

import hostile
import playwright.sync_api as playwright
import pytest
from jupyter import OUTPUT, NotebookPage, browser, server, write_notebook
from kernels import KEY
from servers import DONE, Answer, RawServer, delta, event, http
from watch import NOTE_LIVE_REPLIES, Canary, Watch, live, settled, stir, trusted, wait_for_math, wrong

from xcyq_magic.magics.chat import ChatMagics

if TYPE_CHECKING:
    from pathlib import Path

# Every second one, for the time that it takes; tests/display/test_hostile.py has them all.
REPLIES = [(n, payload) for n, (kind, payload) in enumerate(hostile.EVERY) if kind != "nesting"][::2]
END = "\n\nThe end."
NESTED = [hostile.armed(p, n, hostile.CANARY) for n, (kind, p) in enumerate(hostile.EVERY) if kind == "nesting"]


@pytest.fixture
def canary():
    """A server at the address that the payloads aim at."""
    server = Canary()
    yield server
    server.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One JupyterLab and one browser for all tests: the folder, the address, the browser's context.

    Cells out of sight are drawn, too.
    """
    home, root = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("work")
    with server(root, home, windowing="none") as url, browser(home / "profile") as raw:
        raw.context.add_init_script(NOTE_LIVE_REPLIES)
        yield root, url, raw.context


@dataclass
class Desk:
    """Notebooks that ask the gateway at `base_url`, one at a time in a page, and the watch over them."""

    root: Path
    url: str
    watch: Watch
    base_url: str

    def write(self, name: str, *cells: str) -> None:
        """Write a notebook. Its code is hidden: to draw it takes longer than a reply. A cell that fails stops none."""
        access = {"XCYQ_BASE_URL": self.base_url, "XCYQ_API_KEY": KEY}
        first = f"import os\nos.environ.update({access!r})\n%load_ext xcyq_magic"
        metadata = {"jupyter": {"source_hidden": True}, "tags": ["raises-exception"]}
        write_notebook(self.root / name, first, *cells, metadata=metadata)

    def open(self, name: str) -> NotebookPage:
        """Open a notebook in a new page, when all its cells are drawn; what was open is closed."""
        before = self.watch.context.pages
        page = NotebookPage(self.watch.new_page(), self.url, name)
        page.page.wait_for_function(
            "() => document.querySelectorAll('.jp-CodeCell').length === "
            "[...window.jupyterapp.shell.widgets('main')][0].content.model.cells.length",
            timeout=60_000,
        )
        for other in before:
            other.close()
        return page


@pytest.fixture
def desk(lab, canary):
    """Make a desk for the notebooks that ask a gateway."""
    root, url, context = lab
    watch = Watch(context, url, canary)
    yield partial(Desk, root, url, watch)
    watch.end()


def chat(payload: str) -> str:
    """A cell whose reply is the payload, in pieces, and then `END`; with time to typeset it live if there may be math.

    What may yet become marks is not shown before more comes: hence the end.
    """
    known = [o for a in ChatMagics.chat.parser._actions for o in a.option_strings]
    options = ["--once", *(o for o in known if o == "--raw")]
    pace = f"sandbox: first 0\nsandbox: pace {80 if '$' in payload else 200} {-(-len(payload) // 2) + len(END)}"
    return f"%%chat {' '.join(options)}\nsandbox: echo\n{pace}\n{payload}{END}"


def shown_whole(states: list[str]) -> bool:
    """Whether a live reply stood on the page up to its end."""
    return any(END.strip() in state for state in states)


def not_whole(cells: list[dict], payloads: list[str]) -> list[str]:
    """The payloads whose settled reply is not on the page, or not trusted, or still a widget."""
    whole = [
        c["shown"] and c["trusted"] == len(c["replies"]) == 1 and not c["widgets"] and END.strip() in c["replies"][0]
        for c in cells
    ]
    return [p for p, is_whole in zip(payloads, whole, strict=True) if not is_whole]


def wrongs(replies: list[list[str]], payloads: list[str]) -> dict[str, list[str]]:
    """What is wrong with the replies to each payload, as they stand on the page."""
    found = {p: [w for r in rs for w in wrong(r)] for p, rs in zip(payloads, replies, strict=True)}
    return {p: what for p, what in found.items() if what}


def test_no_payload_runs_or_fetches_live_settled_or_reopened(desk, sandbox, canary):
    desk = desk(sandbox.base_url)
    watch = desk.watch
    payloads = [hostile.armed(p, n, canary.address) for n, p in REPLIES]
    desk.write("payloads.ipynb", *map(chat, payloads))
    page = desk.open("payloads.ipynb")
    watch.phase = "live"
    page.start_all()
    page.wait(300)
    said = [r.body["messages"][-1]["content"].split("\n", 3)[3] for r in sandbox.received]
    assert said == [f"{p}{END}" for p in payloads]
    assert wait_for_math(page.page) > 0
    unseen = [n for n, states in enumerate(live(page.page)) if n and not shown_whole(states)]
    for n in unseen * 3:  # on a busy machine a reply may be over before the browser draws it
        if not shown_whole(live(page.page)[n]):
            page.run(n)
    states = live(page.page)[1:]
    assert [p for p, shown in zip(payloads, states, strict=True) if not shown_whole(shown)] == []
    assert sum("mjx-container" in "".join(shown) for shown in states) > 10  # harmless math is typeset
    assert wrongs(states, payloads) == {}
    assert watch.found() == []
    page.save()
    for phase in ("settled", "reopened"):
        watch.phase = phase
        if phase == "reopened":
            page = desk.open("payloads.ipynb")
            assert trusted(page.page)
            assert wait_for_math(page.page) > 0
        cells = settled(page.page)[1:]
        assert not_whole(cells, payloads) == []
        assert wrongs([c["replies"] + c["lines"] for c in cells], payloads) == {}
        stir(page.page)
        assert watch.found() == []
    watch.write(OUTPUT / "hostile-requests.txt")


def test_no_nesting_ends_the_page(desk, sandbox):
    desk = desk(sandbox.base_url)
    desk.write("nested.ipynb", *map(chat, NESTED))
    page = desk.open("nested.ipynb")
    ended = []
    for n in range(len(NESTED) + 1):
        try:
            page.run(n)
            wait_for_math(page.page, every_ms=150)
        except playwright.Error as e:  # there is no page any more
            ended.append(f"{NESTED[n - 1][:40]}…: {e.message.splitlines()[0]}")
            page = desk.open("nested.ipynb")
        else:
            cell = settled(page.page)[n]
            assert n == 0 or not_whole([cell], [NESTED[n - 1]]) == []
            assert n == 0 or wrongs([cell["replies"]], [NESTED[n - 1]]) == {}
    assert ended == []
    assert desk.watch.found() == []


def hostile_text(place: str, address: str) -> str:
    """One text that runs or fetches wherever it is taken for HTML, for Markdown, or for math."""
    return (
        f"{place} <img src=http://{address}/{place} onerror=window.pwned='{place}'>"
        f"<script>window.pwned='{place}'</script><style>@import 'http://{address}/{place}'</style>"
        f"![x](http://{address}/{place}) [x](javascript:window.pwned='{place}') "
        rf"$\mmlToken{{mglyph}}[src=http://{address}/{place}]{{}}$ \(\href{{javascript:window.pwned=1}}{{x}}\)"
    )


def chunk(delta: dict, **record: object) -> bytes:
    """The event of one chunk, with whatever else its record holds."""
    finish = record.pop("finish_reason", None)
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **record})


def streamed(*events: bytes) -> Answer:
    """A stream that comes event by event, so that each is painted."""
    answer = http(b"".join([*events, DONE]), kind="text/event-stream")
    ends = list(accumulate(map(len, events), initial=len(answer) - sum(map(len, events)) - len(DONE)))
    return Answer(answer, cuts=tuple(ends[1:]), pause_s=0.4)


def refused(status: str, body: object, kind: str = "application/json") -> Answer:
    """An answer that is no reply; it is not to be asked for again."""
    return Answer(http(body if isinstance(body, str) else json.dumps(body), status, kind, x_should_retry="false"))


def test_nor_does_what_else_a_gateway_sends(desk, canary):
    def text(place):
        return hostile_text(place, canary.address)

    def page(place):
        return f"<!DOCTYPE html><html><head><title>{html.escape(text(place))}</title></head><body>{text(place)}</body>"

    done = delta("x", "stop")
    answers = {
        "text": streamed(delta(text("text")), done),
        "parts": streamed(chunk({"content": [{"type": "text", "text": text("parts")}]}), done),
        "model": streamed(chunk({"content": "x"}, model=text("model"), id=text("id")), done),
        "finish": streamed(delta("x"), delta("y", text("finish"))),
        "reasoning": streamed(chunk({"reasoning_content": text("reasoning")}), done),
        "whole": refused("200 OK", {"choices": [{"message": {"content": text("whole")}}], "model": text("whole")}),
        "error": refused("400 Bad Request", {"error": {"message": text("error"), "type": text("type")}}),
        "detail": refused("422 Unprocessable", {"detail": text("detail")}),
        "words": refused("403 Forbidden", text("words"), "text/plain"),
        "page": refused("404 Not Found", page("page"), "text/html"),
        "page-200": refused("200 OK", page("page-200"), "text/html"),
        "other": refused("200 OK", {"other": text("other")}),
        "broken": streamed(delta("x"), event({"error": {"message": text("broken")}})),
        "no-json": streamed(delta("x"), b"data: {" + text("no-json").encode() + b"\n\n"),
    }
    asked = [f"%%chat\n{text(place)}" for place in answers]
    # What was said and answered, once more in other places; and a model's name as it was typed.
    more = ["%chat_history", "%chat_history 1", "%chat_history 3", f"%%chat_system\n{text('system')}"]
    more += [f'%%chat -m "{text("typed")}"\nx']
    with contextlib.closing(RawServer(list(answers.values()))) as gateway:
        desk = desk(gateway.base_url)
        desk.write("answers.ipynb", *asked, *more)
        shown = desk.open("answers.ipynb")
        desk.watch.phase = "live"
        shown.start_all()
        shown.wait_for_last(60)
        wait_for_math(shown.page)
        assert len(gateway.requests) >= len(asked)
        states = dict(zip(answers, live(shown.page)[1:], strict=False))
        for place in ("text", "parts", "model", "finish", "reasoning", "broken"):
            assert states[place], place
        assert wrongs(list(states.values()), list(answers)) == {}
        shown.save()
        for phase in ("settled", "reopened"):
            desk.watch.phase = phase
            if phase == "reopened":
                shown = desk.open("answers.ipynb")
                assert trusted(shown.page)
                wait_for_math(shown.page)
            cells = dict(zip(answers, settled(shown.page)[1:], strict=False))
            # Not lost: shown as text.
            lost = {p: c["text"] for p, c in cells.items() if f"{p} <img src=http://{canary.address}" not in c["text"]}
            assert lost == {}
            assert wrongs([c["replies"] + c["lines"] for c in cells.values()], list(cells)) == {}
            stir(shown.page)
            assert desk.watch.found() == []


def test_a_hit_would_be_seen(desk, canary):
    """What an output of the user's own does, the record has: it is not blind."""
    fetching = f"<img src=http://{canary.address}/control onerror=\"window.pwned='control'; alert('control')\">"
    math = rf"$\mmlToken{{mglyph}}[src=http://{canary.address}/math]{{}}$ $\href{{javascript:window.pwned=1}}{{x}}$"
    bad = f"<div class=xcyq-reply>{fetching}<a href='/files/pwned' onclick='window.pwned=2'>x</a>{math}</div>"
    desk = desk("")
    desk.write("control.ipynb", f"from IPython.display import HTML, display\ndisplay(HTML({bad!r}))")
    page = desk.open("control.ipynb")
    assert desk.watch.found() == []
    page.run(1)
    wait_for_math(page.page)
    found = "\n".join(desk.watch.found())
    for expected in ("GET image", "requested: GET /control", "requested: GET /math", "ran: control", "asked: alert"):
        assert expected in found
    seen = "\n".join(wrong(settled(page.page)[1]["replies"][0]))
    for expected in ("<img", "onerror", "onclick", "/files/pwned", "typeset:"):
        assert expected in seen
    stir(page.page)
    assert "ran: 2" in "\n".join(desk.watch.found())
