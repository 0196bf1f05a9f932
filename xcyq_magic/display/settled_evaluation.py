"""The settled output of a comparison over cases: how each model did, what may be chance, and where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.rows import Rows
from xcyq_magic.chat.usage import amount
from xcyq_magic.display.caption import joined, score_text, seconds
from xcyq_magic.display.markup import escape, plain_line, without_controls
from xcyq_magic.display.metrics import (
    Cell,
    Figure,
    figures_html,
    figures_markdown,
    table_markdown,
    with_best,
)
from xcyq_magic.display.settled_rows import (
    answer_cell,
    answer_text,
    case_cells,
    case_texts,
    figures,
    folded_table,
    what_to_do,
    within_bounds,
)
from xcyq_magic.display.style import COMPARISON_STYLE, ROWS_STYLE, quiet, styled, unfolding
from xcyq_magic.errors import CheckError
from xcyq_magic.media.text.shown import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xcyq_magic.chat.evaluation import Difference, Evaluation, ModelScore
    from xcyq_magic.chat.rows import Row
    from xcyq_magic.display.bundle import Bundle
    from xcyq_magic.session.asking import Progress

_SEEN = 10  # cases above the fold
_MOST_PLAIN = 20  # cases, as text
_SEEN_LINES = 4  # about differences, above the fold
_LEAST = 0.0001  # of a chance that is told in figures
_WIDTH = "text-align:left;min-width:12em"  # of a column with answers
_NARROW = "text-align:left"


def evaluation_bundle(evaluation: Evaluation, label: str = "") -> Bundle:
    """Return the settled output of a comparison over cases; `label` stands in its caption."""
    every, cases = _every(evaluation), _cases(evaluation)
    lines = within_bounds(_case_html(case) for case in cases)
    below = _below(evaluation, every, len(cases) - len(lines))
    first, *others = _said_of(evaluation)
    differences = [*_differences(evaluation)]
    parts = [
        COMPARISON_STYLE + ROWS_STYLE,
        quiet(_caption(evaluation, every, label)),
        figures_html(*_scores_table(evaluation)),
        *map(quiet, [first, *differences[:_SEEN_LINES]]),
        _folded_lines(differences[_SEEN_LINES:]),
        *map(quiet, others),
        folded_table(_head(evaluation), lines, _SEEN, "case"),
        *map(quiet, below),
    ]
    return {"text/html": styled("".join(parts)), "text/plain": _plain(evaluation, every, cases, label)}


def _plain(evaluation: Evaluation, every: Rows[Any], cases: Sequence[dict[str, Row[Any]]], label: str) -> str:
    shown = cases[:_MOST_PLAIN]
    first, *others = _said_of(evaluation)
    below = _below(evaluation, every, len(cases) - len(shown))
    table = table_markdown(["row", "case", *evaluation], [_case_row(case) for case in shown]) if shown else ""
    lines = [
        f"[{_caption(evaluation, every, label)}]",
        figures_markdown(*_scores_table(evaluation)),
        *(f"[{line}]" for line in (first, *_differences(evaluation), *others)),
        table,
        *(f"[{line}]" for line in below),
    ]
    return without_controls("\n\n".join(plain_line(line) for line in lines if line))


def _every(evaluation: Evaluation) -> Rows[Any]:
    """Return the rows of all models as one."""
    took = max((rows.duration_s or 0.0 for rows in evaluation.values()), default=0.0)
    return Rows([row for rows in evaluation.values() for row in rows], duration_s=took or None)


def _caption(evaluation: Evaluation, every: Rows[Any], label: str) -> str:
    cases = count_of(len(evaluation.cases), "case")
    return joined(count_of(len(evaluation), "model"), label, cases, figures(every))


# How each model did

_MODEL_FIGURES: tuple[Figure[ModelScore], ...] = (
    Figure("cost of 1,000", lambda m: m.cost_of_1000, amount, less_is_better=True),
    Figure("first token, p50", lambda m: m.first_token_s, seconds, less_is_better=True),
    Figure("total, p50", lambda m: m.duration_s, seconds, less_is_better=True),
)


def _scores_table(evaluation: Evaluation) -> tuple[list[str], list[list[Cell]]]:
    """Return the headings, and a row for each model, the best first."""
    models = evaluation.models
    figures = [f for f in _MODEL_FIGURES if any(f.of(m) is not None for m in models)]
    columns = [[Cell(m.model) for m in models]]
    headings = ["model"]
    if any(m.score is not None for m in models):
        headings += ["score", "95 % interval"]
        columns += [_score_cells(evaluation, models), _interval_cells(evaluation, models)]
    columns += [with_best(f, models) for f in figures]
    columns.append([Cell(f"{m.failed:,}", stands_out=m.failed > 0) for m in models])
    return [*headings, *(f.heading for f in figures), "failed"], [[*row] for row in zip(*columns, strict=True)]


def _score_cells(evaluation: Evaluation, models: Sequence[ModelScore]) -> list[Cell]:
    """Return the scores; the first is marked as the best where it is not by chance that it is better than each."""
    of_first = [d for d in evaluation.differences if models[0].model in {d.one, d.other}]
    sure = bool(of_first) and not any(d.may_be_chance for d in of_first)
    said = ["" if m.score is None else score_text(m.score.mean, is_share=evaluation.in_shares) for m in models]
    return [Cell(text, best=sure and n == 0) for n, text in enumerate(said)]


def _interval_cells(evaluation: Evaluation, models: Sequence[ModelScore]) -> list[Cell]:
    """Return the intervals, drawn on one scale: of shares, from nothing to all."""
    scores, shares = [m.score for m in models if m.score is not None], evaluation.in_shares
    begin, end = (0.0, 1.0) if shares else (min(s.low for s in scores), max(s.high for s in scores))
    cells = []
    for score in (m.score for m in models):
        if score is None:
            cells.append(Cell(""))
            continue
        low, high = (score_text(value, is_share=shares) for value in (score.low, score.high))
        ends = (score.low, score.mean, score.high)
        drawn = [(value - begin) / (end - begin) for value in ends] if end > begin else []
        cells.append(Cell(f"{low.removesuffix(' %')} to {high}", interval=drawn))
    return cells


# Lines about all


def _said_of(evaluation: Evaluation) -> Iterator[str]:
    """Yield how it was scored, and then in how many cases models differ."""
    by, count = evaluation.scored_by, len(evaluation.cases)
    if evaluation.judged:
        yield f"Scored by the judge {by}: 1 for the best reply to a case, shared in a tie. It saw no names."
    elif by and not any(m.score for m in evaluation.models):
        yield f"{by} gave no score to any reply."
        return
    elif by:
        kind = "the share of cases that it says yes to" if evaluation.in_shares else "the mean of what it returns"
        yield f"Scored by {by}: {kind}."
    else:
        yield "Nothing was scored: --check FN or --judge MODEL does that."
    if len(evaluation) > 1:
        differ = len(evaluation.disagreements)
        how = "got different scores" if by else "gave different answers"
        where = f"{differ:,} of {count_of(count, 'case')}"
        yield f"The models {how} in {where}." if differ else f"The models {how} in no case."


def _differences(evaluation: Evaluation) -> Iterator[str]:
    """Yield which models are better than others, and which may be equally good."""
    found, tested = evaluation.differences, False
    if len(found) > 1 and all(d.may_be_chance for d in found):
        yield f"All models may be equally good: {_too_few(found)}"
        return
    for model in dict.fromkeys(d.one for d in found):
        own = [d for d in found if d.one == model]
        better = [d for d in own if not d.may_be_chance]
        alike = [d for d in own if d.may_be_chance]
        if better:
            tested = True
            yield _better(model, better)
        if alike:
            others = _names([d.other for d in alike])
            pair = f"{model} and {others} may be equally good"
            yield f"{pair if len(alike) == 1 else f'{model} may be no better than {others}'}: {_too_few(alike)}"
    if tested and len(found) > 1:
        yield f"These chances are corrected for comparing {len(found)} pairs of models."


def _too_few(alike: Sequence[Difference]) -> str:
    few = max(d.count for d in alike)
    return f"{count_of(few, 'case')} {'is' if few == 1 else 'are'} too few to tell."


def _better(model: str, than: Sequence[Difference]) -> str:
    chance = max(d.chance for d in than)
    figure = f"{100 * chance:.2g} %" if chance >= _LEAST else f"less than {100 * _LEAST:g} %"
    such, at_most = ("such a difference", "") if len(than) == 1 else ("such differences", "at most ")
    at_most = at_most if chance >= _LEAST else ""
    return (
        f"{model} is better than {_names([d.other for d in than])}: "
        f"{such} would come by chance in {at_most}{figure} of comparisons."
    )


def _names(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _unjudged(evaluation: Evaluation) -> Iterator[str]:
    """Yield how many cases have replies, and no verdict."""
    if not evaluation.judged:
        return
    cases = [rows for rows in zip(*evaluation.values(), strict=True) if sum(bool(r.text.strip()) for r in rows) > 1]
    without = sum(all(r.score is None for r in rows) for rows in cases)
    if without:
        yield f"{evaluation.scored_by} gave no verdict about {count_of(without, 'case')}: run the cell again to ask it."


def _folded_lines(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    more = count_of(len(lines), "more line")
    return unfolding(f"{more} about the models", "".join(f"<div>{escape(line)}</div>" for line in lines))


def _below(evaluation: Evaluation, every: Rows[Any], hidden: int) -> list[str]:
    """Return what is not shown, and what to do about answers that are missing or have no score."""
    lines = [f"{count_of(hidden, 'more case')} in _comparison; _comparison.to_frame() is a table of all."]
    errors = [row.error for row in every if isinstance(row.error, CheckError)]
    others = Rows([row for row in every if not isinstance(row.error, CheckError)])
    unscored = [f"{count_of(len(errors), 'answer')} without a score: {e.message} {e.hint}" for e in errors[:1]]
    return [*(lines if hidden else []), *unscored, *_unjudged(evaluation), *what_to_do(others, "question")]


# Cases


def _cases(evaluation: Evaluation) -> list[dict[str, Row[Any]]]:
    """Return the cases whose models differ, and then the others in which one has failed: their rows by model."""
    differ = evaluation.disagreements if len(evaluation) > 1 else []
    known = {id(row) for case in differ for row in case.values()}
    cases: Iterable[dict[str, Row[Any]]] = (
        dict(zip(evaluation, rows, strict=True)) for rows in zip(*evaluation.values(), strict=True)
    )
    failed = [case for case in cases if any(r.asked and r.error is not None for r in case.values())]
    return [*differ, *(case for case in failed if not known & {id(row) for row in case.values()})]


def _head(evaluation: Evaluation) -> str:
    widths = [_NARROW, *[_WIDTH] * (1 + len(evaluation))]
    names = ["row", "case", *evaluation]
    return "".join(f'<th style="{w}">{escape(name)}</th>' for w, name in zip(widths, names, strict=True))


def _case_html(case: dict[str, Row[Any]]) -> str:
    first = next(iter(case.values()))
    cells = "".join(answer_cell(row, score_mark(row)) for row in case.values())
    return f"<tr>{case_cells(first, media=True)}{cells}</tr>"


def _case_row(case: dict[str, Row[Any]]) -> list[str]:
    first = next(iter(case.values()))
    return [*case_texts(first), *(answer_text(row, score_mark(row)) for row in case.values())]


def score_mark(row: Row[Any]) -> str:
    """Return a row's score in short: a tick or a cross for yes or no, else the number; ``""`` where there is none."""
    if row.score is None:
        return ""
    if isinstance(row.score, bool):
        return "✓" if row.score else "✗"
    return score_text(row.score, is_share=False)


def means(progress: Progress) -> Iterator[tuple[str, str]]:
    """Yield each model, and its score so far; ``""`` where it has none."""
    for model, rows in progress.rows.items():
        scores = [r.score for r in rows if r is not None and r.score is not None]
        shares = bool(progress.outlook.judge) or all(isinstance(s, bool) for s in scores)
        yield model, score_text(sum(scores) / len(scores), is_share=shares) if scores else ""
