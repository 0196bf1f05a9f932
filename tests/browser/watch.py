"""What a page did that it should not: a record of all that a browser asks for, opens and shows."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from display.inspector import problems

from xcyq_magic.display.style import inlined

if TYPE_CHECKING:
    from pathlib import Path

# For every page, before anything of its own. Keeps each state in which a live reply stood in its cell: the
# observer is called after every change, before the browser does anything else.
NOTE_LIVE_REPLIES = """
window.liveReplies = new Map();
new MutationObserver(() => {
    for (const reply of document.querySelectorAll('.jupyter-widgets .xcyq-reply')) {
        const cell = reply.closest('.jp-CodeCell');
        if (!cell) continue;
        if (!window.liveReplies.has(cell)) window.liveReplies.set(cell, new Set());
        window.liveReplies.get(cell).add(reply.innerHTML);
    }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""
_LIVE = (
    """() => [...document.querySelectorAll('.jp-CodeCell')].map(cell => [...(window.liveReplies.get(cell) ?? [])])"""
)

# Settled outputs, cell by cell. JupyterLab adds links and numbers to headings; of a link's rel it leaves noopener.
_SETTLED = """() => [...document.querySelectorAll('.jp-CodeCell')].map(cell => {
    const inert = document.implementation.createHTMLDocument('');  // a copy must not fetch either
    const outputs = [...cell.querySelectorAll('.jp-OutputArea-output')];
    const copies = selector => [...cell.querySelectorAll(`.jp-RenderedHTML ${selector}`)].map(part => {
        const copy = inert.importNode(part, true);
        copy.querySelectorAll('.jp-InternalAnchorLink, .numbering-entry').forEach(e => e.remove());
        copy.querySelectorAll('[data-jupyter-id]').forEach(e => e.removeAttribute('data-jupyter-id'));
        copy.querySelectorAll('a[rel=noopener]').forEach(e => { e.rel = 'noopener noreferrer'; });
        return copy.innerHTML;
    });
    return {
        replies: copies('.xcyq-reply'),
        lines: copies('div.xcyq-quiet'),
        shown: outputs.length > 0 && outputs.every(o => o.isConnected && o.checkVisibility()),
        trusted: cell.querySelectorAll('.jp-RenderedHTML.jp-mod-trusted style').length,
        widgets: cell.querySelectorAll('.jupyter-widgets').length,
        text: outputs.map(o => o.textContent).join('\\n'),
    };
})"""

# Whatever a reader may do to a reply, short of following a link.
_STIR = """() => {
    const stay = event => { if (event.target.closest?.('a')) event.preventDefault(); };
    window.addEventListener('click', stay, true);
    const all = [...document.querySelectorAll('.jp-OutputArea-output *')];
    for (const element of all) {
        if (element.localName === 'details') element.open = true;
        for (const name of ['pointerover', 'mouseover', 'mouseenter', 'mousemove', 'focus', 'focusin', 'click', 'copy'])
            element.dispatchEvent(new Event(name, {bubbles: name !== 'focusin', cancelable: true}));
    }
    window.removeEventListener('click', stay, true);
    return all.length;
}"""

_TRUSTED = """() => {
    const cells = [...[...window.jupyterapp.shell.widgets('main')][0].content.model.cells];
    return cells.length > 0 && cells.every(cell => cell.trusted);
}"""

_MATH = re.compile(r"<mjx-container\b.*?</mjx-container>", re.DOTALL)
# What MathJax makes of math has no such elements, attributes and values; its own ids begin with mjx-.
_NOT_MATH = re.compile(r"(?!mjx-|math$|m[a-z]+$|semantics$|annotation$|span$)|mglyph$|maction$")
_NOT_OF_MATH = re.compile(r"href|src|id|on\w+|data-commandlinker.*")
_LEAVES_ITS_PLACE = re.compile(r"url\(|fixed|absolute|sticky|expression", re.IGNORECASE)
_OF_THE_PAGE = re.compile(r"\b(?:jp|lm)-")


class _MathInspector(HTMLParser):
    """Collects what in a typeset formula leads, fetches, or leaves its place."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found += [f"typeset: <{tag}>"] * bool(_NOT_MATH.match(tag))
        for name, value in attrs:
            wrong = {"style": _LEAVES_ITS_PLACE, "class": _OF_THE_PAGE}.get(name)
            own = name == "id" and (value or "").startswith("mjx-")
            if (_NOT_OF_MATH.fullmatch(name) and not own) or (wrong and wrong.search(value or "")):
                self.found.append(f"typeset: <{tag} {name}={value!r}>")


class Canary:
    """A server at an address that nothing may be requested from.

    Attributes
    ----------
    address
        Its host and port.
    hits
        The first line of each connection's; ``""`` where none came.
    """

    _ANSWER = b"window.top.pwned = 'fetched'"

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.hits: list[str] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(OSError):  # a time-out, or a client that left
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        self.hits.append("")  # a connection alone is one too
        connection.settimeout(2)
        self.hits[-1] = connection.recv(4096).split(b"\r\n")[0].decode("latin-1")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nContent-Length: {len(self._ANSWER)}\r\n"
        connection.sendall(f"{head}Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n".encode() + self._ANSWER)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        self._listener.close()


@dataclass(frozen=True)
class Asked:
    """One thing that the browser asked for."""

    phase: str
    kind: str
    address: str

    def __str__(self) -> str:
        return f"{self.phase:10} {self.kind:16} {self.address[:200]}"


@dataclass
class Watch:
    """All that a browser does from now on.

    Attributes
    ----------
    context
        The browser's, as playwright has it.
    own
        The address of its Jupyter server.
    canary
        Where nothing may be requested from.
    phase
        Written into the record.
    asked
        Requests, WebSockets, navigations, workers, downloads, in order.
    dialogs
        What the page asked its user.
    """

    context: object
    own: str
    canary: Canary
    phase: str = "before"
    asked: list[Asked] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pages, self._ours = 0, 0
        self._handlers = {
            "request": lambda r: self._note(f"{r.method} {r.resource_type}", r.url),
            "serviceworker": lambda w: self._note("service worker", w.url),
            "page": self._page,
        }
        for name, handler in self._handlers.items():
            self.context.on(name, handler)

    def end(self) -> None:
        """Watch no longer."""
        for name, handler in self._handlers.items():
            self.context.remove_listener(name, handler)

    def new_page(self):
        """A page that may be there."""
        self._ours += 1
        return self.context.new_page()

    def _note(self, kind: str, address: str) -> None:
        self.asked.append(Asked(self.phase, kind, address))

    def _page(self, page) -> None:
        self._pages += 1
        page.on("websocket", lambda s: self._note("websocket", s.url))
        page.on("worker", lambda w: self._note("worker", w.url))
        page.on("download", lambda d: self._note("download", d.url))
        page.on("framenavigated", lambda f: self._note("frame", f.url))
        page.on("dialog", self._dialog)

    def _dialog(self, dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def strays(self) -> list[str]:
        """What went to another address than the server's, or to one that a payload named."""
        host = re.escape(self.own.split("://")[1])
        fine = re.compile(rf"(https?|wss?)://{host}(/|$)|blob:http://{host}/|data:(image|font)/|about:blank$")
        return [str(a) for a in self.asked if not fine.match(a.address) or "pwned" in a.address.lower()]

    def pwned(self) -> list[str]:
        """The frames in which a payload ran."""
        frames = [f for page in self.context.pages for f in page.frames]
        ran = [(f.url, f.evaluate("() => String(window.pwned ?? '')")) for f in frames]
        return [f"{value} in {url}" for url, value in ran if value]

    def found(self) -> list[str]:
        """Everything that should not be."""
        return [
            *self.strays(),
            *(f"requested: {hit}" for hit in self.canary.hits),
            *(f"ran: {frame}" for frame in self.pwned()),
            *(f"asked: {dialog}" for dialog in self.dialogs),
            *(["opened: another page"] * (self._pages - self._ours)),
        ]

    def write(self, path: Path) -> None:
        """The record, as text; what was asked for more than once stands there once, with a number."""
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{n:4} × {line}\n" for line, n in Counter(map(str, self.asked)).items()), "utf-8")


def live(page) -> list[list[str]]:
    """Each cell's live replies, in all states in which they stood on the page."""
    return page.evaluate(_LIVE)


def settled(page) -> list[dict]:
    """Each cell's outputs as they stand, in parts.

    ``shown`` says that they are on the page, and ``trusted`` how many of our own style elements are: JupyterLab
    takes them out of an output that it does not trust.
    """
    return page.evaluate(_SETTLED)


def stir(page) -> None:
    """Do to every element of the outputs what a reader may do, short of following links."""
    assert page.evaluate(_STIR) > 0
    page.wait_for_timeout(300)


def trusted(page) -> bool:
    """Whether JupyterLab trusts every cell of the page's notebook."""
    return page.evaluate(_TRUSTED)


def wait_for_math(page, every_ms: int = 300) -> int:
    """Wait until MathJax is done; returns how many formulas stand on the page."""
    count, before = -1, -2
    while count != before:
        before = count
        page.wait_for_timeout(every_ms)
        count = page.evaluate("() => document.querySelectorAll('mjx-container').length")
    return count


# A picture that came with a reply, as we show it.
_PICTURE = re.compile(
    r'<figure style="[^"]*"><img src="data:image/[\w;,+/=]*" alt="[^"<>]*" width="\d+" height="\d+" style="[^"]*">'
    r'<figcaption><div class="xcyq-quiet" style="[^"]*">[^<>]*</div></figcaption></figure>'
)
# Elements with the styles that a page which trusts nothing needs, as they were before they got them.
_TAGS = ("<table>", "<pre><code>", '<div class="highlight"><pre><code>', '<li class="task-list-item">')
_STYLED = {inlined(tag): tag for tag in (*_TAGS, *(f"<h{level}>" for level in range(1, 7)))}


def wrong(reply: str) -> list[str]:
    """What is wrong with a reply as it stands on a page, with its math typeset."""
    inspector = _MathInspector()
    for formula in _MATH.findall(reply):
        inspector.feed(formula)
    plain = _PICTURE.sub("", _MATH.sub("", reply))
    for styled, tag in _STYLED.items():
        plain = plain.replace(styled, tag)
    return inspector.found + problems(plain)
