"""The output of a check of pools: a row for each, what stands out in words, and what the columns mean."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from xcyq_magic.chat.checks import EARLIER, REFUSED, Finding
from xcyq_magic.chat.usage import amount
from xcyq_magic.display.caption import WAY_OUT, joined, pace, seconds, tokens
from xcyq_magic.display.markup import escape, plain_line, without_controls
from xcyq_magic.display.metrics import Cell, aligned, figures_html
from xcyq_magic.display.style import COMPARISON_STYLE, quiet, styled, unfolding
from xcyq_magic.errors import show_directions
from xcyq_magic.media.text.shown import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcyq_magic.chat.checks import Aspect, CheckReport, PoolCheck
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.checking import CheckProgress

_KEPT, _BROKEN, _UNKNOWN, _WORSE, _COMING = "✓", "✗", "—", "▲", "…"
_MARKS = (
    f"{_KEPT} as it should be, {_BROKEN} not, {_UNKNOWN} unknown, {_WORSE} three times worse than usual. "
    f"The usual value is below each figure: the median of the pool's last {EARLIER} checks."
)
_MOST_SAID = 12  # pools whose sentences are shown
_MOST_NAMED = 6
_MOST_HINTS = 3
_WORD_CHARS, _LINE_CHARS = 40, 300
_POOL = "pool"
_SIDE_PX = 4  # beside the text of a cell: there are many columns


def checks_line(progress: CheckProgress, label: str = "", *, clickable: bool = True) -> str:
    """Return the line for a check that is on its way.

    Parameters
    ----------
    progress
        How far it is.
    label
        A word that stands in it, such as ``sandbox``.
    clickable
        Whether a Stop button stands beside it.
    """
    ended = sum(reply.ended for reply in progress.replies)
    found = sum(pool.stands_out for pool in progress.pools)
    return joined(
        f"{ended} of {count_of(len(progress.replies), 'request')}",
        label,
        f"{progress.elapsed_s:.1f} s",
        f"{count_of(found, 'pool')} to look at" if found else "",
        "" if clickable else WAY_OUT,
    )


def checks_html(report: CheckReport, *, coming: bool = False) -> str:
    """Return the table as HTML; `coming` while there is more to come."""
    aspects = report.aspects
    headings = [_POOL, *(aspect.heading for aspect in aspects.values())]
    rows = [
        [Cell(_shown(pool.model)), *(_cell(pool, *item, coming=coming) for item in aspects.items())]
        for pool in report.pools
    ]
    words = {aspect.heading for aspect in aspects.values() if aspect.means}
    return figures_html(headings, rows, words=words, side_px=_SIDE_PX)


def checks_bundle(report: CheckReport, label: str = "") -> Bundle:
    """Return the settled output of a check; `label` stands in its caption."""
    caption, below = _caption(report, label), [*_below(report)]
    means = {a.heading: a.means for a in report.aspects.values() if a.means}
    legend = "".join(f"<li><strong>{escape(heading)}</strong>: {escape(what)}</li>" for heading, what in means.items())
    parts = [COMPARISON_STYLE, quiet(caption), checks_html(report), *map(quiet, [*below, _MARKS])]
    parts.append(unfolding(f"What {_KEPT} means in each column", f"<ul>{legend}</ul>"))
    plain_legend = ", ".join(f"{heading}: {what}" for heading, what in means.items())
    said = [plain_line(f"[{line}]") for line in (caption, *below, _MARKS, plain_legend)]
    plain = "\n".join([said[0], "", *_plain(report), "", *said[1:]])
    return {"text/html": styled("".join(parts)), "text/plain": without_controls(plain)}


def _cell(pool: PoolCheck, name: str, aspect: Aspect, *, coming: bool) -> Cell:
    finding = pool.findings.get(name)
    if finding is None:
        return Cell(_COMING if coming and not pool.whole and pool.error is None else _UNKNOWN)
    usual = "" if finding.usual is None else f"{_figure(name)(finding.usual)}"
    if aspect.means:
        mark = {True: _KEPT, False: _BROKEN, None: _UNKNOWN}[finding.kept]
        said = "" if name == "answered_by" and finding.kept else finding.said
        return Cell(f"{mark} {_shown(said)}".rstrip(), below=usual, stands_out=finding.stands_out)
    if finding.value is None:
        return Cell(_UNKNOWN)
    mark = f"{_WORSE} " if finding.worse else ""
    return Cell(mark + _figure(name)(finding.value), below=usual, stands_out=finding.worse)


def _figure(name: str) -> Callable[[float], str]:
    return {"tokens_per_s": pace, "prompt_tokens": "×{:.2f}".format}.get(name, seconds)


def _shown(text: str, chars: int = _WORD_CHARS) -> str:
    """Return what a gateway said, on one line of so many characters."""
    flat = show_directions(plain_line(" ".join(text[: 4 * chars].split())), within="a reply")
    return flat if len(flat) <= chars else f"{flat[: chars - 1]}…"


def _plain(report: CheckReport) -> list[str]:
    """Return the table as text: the marks in one column, since a terminal is not wide."""
    aspects = report.aspects
    figures = {name: a for name, a in aspects.items() if not a.means}
    headings = [_POOL, "as it should be", *(a.heading for a in figures.values())]
    rows = [
        [_shown(pool.model), _marks(pool, aspects), *(_plain_figure(pool.findings.get(name), name) for name in figures)]
        for pool in report.pools
    ]
    return aligned([headings, *rows])


def _marks(pool: PoolCheck, aspects: dict[str, Aspect]) -> str:
    of = {n: f.kept for n, f in pool.findings.items() if aspects[n].means}
    broken = [aspects[n].heading for n, kept in of.items() if kept is False]
    unknown = [aspects[n].heading for n, kept in of.items() if kept is None]
    parts = [f"{_KEPT} {sum(map(bool, of.values()))}"]
    parts += [f"{_BROKEN} {', '.join(broken)}"] if broken else []
    parts += [f"{_UNKNOWN} {', '.join(unknown)}"] if unknown else []
    return "  ".join(parts) if of else _UNKNOWN


def _plain_figure(finding: Finding | None, name: str) -> str:
    if finding is None or finding.value is None:
        return _UNKNOWN
    text = _figure(name)
    usual = "" if finding.usual is None else f" (usually {text(finding.usual)})"
    return f"{_WORSE + ' ' if finding.worse else ''}{text(finding.value)}{usual}"


def _caption(report: CheckReport, label: str) -> str:
    found = sum(pool.stands_out for pool in report.pools)
    return joined(
        f"{count_of(len(report.pools), 'pool')} checked",
        label,
        f"{found:,} to look at" if found else "nothing stands out",
        seconds(report.duration_s),
        tokens(report.usage),
        "" if report.cost is None else f"cost {amount(report.cost)}",
    )


def _below(report: CheckReport) -> Iterator[str]:
    """Yield what stands out in words, and what to do about it."""
    told = [(pool, said) for pool in report.pools if (said := pool.sentences)]
    for pool, said in islice(told, _MOST_SAID):
        yield _shown(f"{pool.model} {'; '.join(said)}.".replace("..", "."), _LINE_CHARS)
    if len(told) > _MOST_SAID:
        more = count_of(len(told) - _MOST_SAID, "more pool")
        yield f"{more} to look at: with -o VAR, VAR.to_frame() is a table of all."
    if cut := [pool.model for pool in report.pools if not pool.whole and pool.error is None]:
        yield f"{count_of(len(cut), 'pool')} not checked to the end: run the cell again."
    hints = (pool.error.hint for pool in report.pools if pool.error is not None and pool.error.hint)
    yield from islice((hint for hint in dict.fromkeys(hints) if "un the cell again" not in hint), _MOST_HINTS)
    if told and (well := [p.model for p in report.pools if p.whole and p.error is None and not p.stands_out]):
        named = ", ".join(map(_shown, well[:_MOST_NAMED])) + (" …" if len(well) > _MOST_NAMED else "")
        yield f"No problems were seen in {named}: ask one with -m, or choose it with %chat_model."
    elif told:
        yield "Check other pools of the same model: %chat_models lists the names."
    refused = dict.fromkeys(n for pool in report.pools for n, f in pool.findings.items() if f.said == REFUSED)
    if refused:
        names = " or ".join(refused)
        yield f"If a pool does not take {names}, it is left out of each request, and the reply says so."
