"""Several models over many cases, each reply scored by a function of the user's, or by a judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import product
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.evaluation import Evaluation
from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.errors import CheckError, InputError, OptionError, XcyqError
from xcyq_magic.gateway.catalog import asked_models
from xcyq_magic.gateway.request import check_model
from xcyq_magic.session.asking import Asking, Outlook, Progress
from xcyq_magic.session.comparing import order_of
from xcyq_magic.session.judging import question, verdict_of
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case
    from xcyq_magic.session.cases import Cases
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Job

Check: TypeAlias = Callable[["Completion", Any], object]

_LONGEST_WHY = 200  # characters of an exception's words
_LONGEST_SHOWN = 60  # of what a check returned
_FEWEST_JUDGED = 2


@dataclass(frozen=True)
class Evaluated:
    """How a comparison over cases ended.

    Attributes
    ----------
    evaluation
        What came.
    error
        What the cell has to raise; None when all went well.
    """

    evaluation: Evaluation
    error: BaseException | None

    def result(self) -> Evaluation:
        """Return the evaluation; raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        return self.evaluation


class Evaluating(Asking):
    """A comparison over cases that is ready to be asked.

    Parameters
    ----------
    models
        Names, patterns and braces, as `asked_models` expands them.
    check
        Called with a reply and its case; returns yes or no, or a number. None for none.
    judge
        A model that says which reply to a case is the best, without knowing whose it is; None for none.
    **more
        As `Asking` takes it.

    Raises
    ------
    InputError
        A model, the check or a row cannot be asked. Nothing was sent.
    """

    def __init__(
        self,
        session: ChatSession,
        models: Sequence[str],
        cases: Cases,
        message_of: Callable[[Case], Message],
        options: TurnOptions,
        *,
        check: Check | None = None,
        judge: str | None = None,
        **more: Any,  # noqa: ANN401  # as `Asking` has it
    ) -> None:
        if check is not None and judge is not None:
            msg = "A comparison is scored by a check or by a judge, not by both; nothing was sent."
            raise OptionError(msg, "Leave one of them out.")
        if check is not None and not callable(check):
            msg = f"A check is a function of a reply and its case, not a {type(check).__name__}; nothing was sent."
            raise OptionError(msg, "For example: def is_right(reply, case): return case.answer in reply.text")
        if judge is not None:
            check_model(judge)
        names = asked_models(models, None, session.chat.compare_limit, partial(session.models, anew=False))
        super().__init__(session, cases, message_of, options, models=[*names.values()], **more)
        self._check = check
        self._judge = judge
        self._interrupted = False  # while a check ran

    def evaluate(self, paint: Callable[[Progress], None] | None = None) -> Evaluated:
        """Ask and score; see `Asking.ask`.

        Parameters
        ----------
        paint
            Called with how far it is, on this thread: while the cases are asked about, and while they are judged.
        """
        asked = self.ask(paint, self._checked if self._check else None)
        rows, error = dict(asked.by_model), asked.error
        if self._judge is not None and error is None and not _was_stopped(rows):
            rows, error = self._judged(rows, self._judge, paint)
        scored_by = self._judge or (_name_of(self._check) if self._check else "")
        return Evaluated(Evaluation(rows, scored_by, judged=self._judge is not None), error)

    def _checked(self, _: str, __: int, row: Row[Any]) -> Row[Any]:
        """Return a row with what the check gives its reply; one that fails is the row's error."""
        if row.completion is None or row.error is not None or self._check is None:
            return row
        name = _name_of(self._check)
        if self._interrupted:
            return replace(row, error=CheckError(f"{name} was not run: it was interrupted.", "Run the cell again."))
        try:
            given = self._check(row.completion, row.case)
        except KeyboardInterrupt:  # one may take long: the user does not wait for the others
            self._interrupted = True
            raise
        except BaseException as e:  # noqa: BLE001  # whatever a user's function raises, sys.exit() too
            why = self._session.access.hide(_said_by(e))[:_LONGEST_WHY]
            return replace(
                row,
                error=CheckError(
                    f"{name} failed: {why}", "The reply is kept. Correct the function, and run the cell again."
                ),
            )
        if (score := _score_in(given)) is not None:
            return replace(row, score=score)
        shown = self._session.access.hide(_shown(given))[:_LONGEST_SHOWN]
        msg = f"{name} returned {shown}, which is neither yes or no nor a number."
        return replace(row, error=CheckError(msg, "Return True or False, or a number such as 0.5."))

    def _judged(
        self, rows: Mapping[str, Rows[Any]], judge: str, paint: Callable[[Progress], None] | None
    ) -> tuple[dict[str, Rows[Any]], BaseException | None]:
        """Return the rows with what the judge gives them: 1 to the best of a case, in a tie a part to each."""
        questions, error = self._questions(rows, judge)
        scored: dict[str, list[Row[Any] | None]] = {model: [*of] for model, of in rows.items()}
        jobs = [q.job for q in questions.values()]
        for job in jobs:
            self._session.replay(job)
        kept, count = sum(job.live.ended for job in jobs), sum(len(q.places) for q in questions.values())
        to_send = [job.request for job in jobs if not job.live.ended]
        outlook = Outlook(count, len(jobs), kept, self._session.spending.estimate(to_send), judge=judge)
        progress = Progress(outlook, [job.live for job in jobs], scored)

        def over(some: Sequence[Job]) -> None:
            for job in some:
                asked = questions.pop(job.digest, None)
                if asked is None:  # after an interrupt, it is called with the same again
                    continue
                for place, (model, score) in product(asked.places, _scores_of(asked).items()):
                    scored[model][place] = replace(rows[model][place], score=score)
                reply = job.live.completion
                progress.add([self._row(job, reply, judge, place, None) for place in asked.places])
            progress.stop_if_hopeless()

        over([job for job in jobs if job.live.ended])
        try:
            error = self._session.send(jobs, lambda _: paint(progress) if paint else None, over) or error
        except InputError as e:  # there is no key, say: the replies that are judged were kept ones
            error = e
        over([job for job in jobs if job.live.ended])
        failed = (job.live.error for job in jobs if isinstance(job.live.error, XcyqError))
        if not progress.answered:
            error = error or next(failed, None)
        elif isinstance(error, XcyqError):  # some were judged
            error = None
        index = self.cases.index
        found = {m: Rows([r for r in of if r], m, index, rows[m].duration_s) for m, of in scored.items()}
        return found, error

    def _questions(
        self, rows: Mapping[str, Rows[Any]], judge: str
    ) -> tuple[dict[str, _Question], BaseException | None]:
        """Return the questions to the judge by their digests, and why one cannot be asked."""
        found: dict[str, _Question] = {}
        error: InputError | None = None
        for place, case in enumerate(zip(*rows.values(), strict=True)):
            try:
                asked = self._question(place, dict(zip(rows, case, strict=True)), judge)
            except InputError as e:  # noqa: PERF203  # the other cases can be judged
                error = error or e
            else:
                if asked is not None:
                    found.setdefault(asked[0].digest, _Question(*asked, [])).places.append(place)
        return found, error

    def _question(self, place: int, rows: dict[str, Row[Any]], judge: str) -> tuple[Job, list[str]] | None:
        """Return the question about the replies to one case, and the models in the order that the judge sees."""
        judged = {model: row.text for model, row in rows.items() if row.text.strip() and row.error is None}
        if len(judged) < _FEWEST_JUDGED:
            return None
        order, names = order_of(self.prompts[place], None, judged.values()), [*judged]
        order.shuffle(names)
        system = self._session.system_of(self.history) if self.options.system is None else self.options.system
        mark = f"{order.getrandbits(32):08x}"
        message = question(self.prompts[place], system.strip() or None, [judged[n] for n in names], mark)
        options = TurnOptions(model=judge, system="", once=self.options.once, cached=self.options.cached)
        return self._session.job(self.history, message, options, recorded=True, kind="judge"), names


@dataclass(frozen=True)
class _Question:
    """A question to the judge, the models in the order in which it sees their replies, and its cases' places."""

    job: Job
    names: Sequence[str]
    places: list[int]


def _scores_of(question: _Question) -> dict[str, float]:
    """Return what each model gets by the judge's answer; nothing if it is not whole."""
    completion, names = question.job.live.completion, question.names
    if completion is None or completion.partial is not None:
        return {}
    winner, _ = verdict_of(completion.text, names)
    return {n: n == winner if winner else 1 / len(names) for n in names}


def _was_stopped(rows: Mapping[str, Rows[Any]]) -> bool:
    """Return whether the user stopped it: then nothing more is sent, nor to a judge."""
    each = (row for of in rows.values() for row in of)
    return any(not r.asked or (r.completion is not None and r.completion.partial == "stopped") for r in each)


def _score_in(given: Any) -> float | None:  # noqa: ANN401  # whatever a check returns
    """Return yes or no as a bool, and a number as a float; None for what is neither."""
    if getattr(given, "ndim", None) == 0:  # NumPy's
        given = given.item()
    if isinstance(given, bool):
        return given
    try:
        score = float(given) if isinstance(given, Real | Decimal) else math.nan
    except OverflowError:
        return None
    return score if math.isfinite(score) else None


def _said_by(error: BaseException) -> str:
    try:
        return " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    except Exception:  # noqa: BLE001  # of the user's own __str__
        return type(error).__name__


def _shown(value: object) -> str:
    try:
        return " ".join(repr(value).split())
    except Exception:  # noqa: BLE001  # of the user's own __repr__
        return f"a {type(value).__name__}"


def _name_of(check: Check) -> str:
    name = str(getattr(check, "__name__", type(check).__name__))
    return name if name.isidentifier() else "the check"  # a lambda
