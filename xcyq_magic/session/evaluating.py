"""Several models over many cases, each reply scored by a function of the user's, or by a judge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.evaluation import Evaluation
from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.errors import CheckError, InputError, OptionError
from xcyq_magic.gateway.catalog import asked_models
from xcyq_magic.session.asking import Asking
from xcyq_magic.session.comparing import order_of
from xcyq_magic.session.judging import question, verdict_of
from xcyq_magic.session.turn import TurnOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.rows import Case
    from xcyq_magic.session.asking import Progress
    from xcyq_magic.session.cases import Cases
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Job

Check: TypeAlias = Callable[["Completion", Any], object]

_LONGEST_WHY = 200  # characters of an exception's words
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
        names = asked_models(models, 1, session.chat.compare_limit, partial(session.models, anew=False))
        super().__init__(session, cases, message_of, options, models=[*names.values()], **more)
        self._check = check
        self._judge = judge

    def evaluate(self, paint: Callable[[Progress], None] | None = None) -> Evaluated:
        """Ask and score; see `Asking.ask`.

        Parameters
        ----------
        paint
            Called with how far it is, on this thread.
        """
        asked = self.ask(paint, self._checked if self._check else None)
        rows, error = dict(asked.by_model), asked.error
        if self._judge is not None and error is None:
            rows, error = self._judged(rows, self._judge)
        scored_by = self._judge or (_name_of(self._check) if self._check else "")
        return Evaluated(Evaluation(rows, scored_by), error)

    def _checked(self, _: str, __: int, row: Row[Any]) -> Row[Any]:
        """Return a row with what the check gives its reply; one that fails is the row's error."""
        if row.completion is None or row.error is not None or self._check is None:
            return row
        name = _name_of(self._check)
        try:
            given = self._check(row.completion, row.case)
        except Exception as e:  # noqa: BLE001  # whatever a user's function raises
            why = " ".join(f"{type(e).__name__}: {e}".split())[:_LONGEST_WHY]
            return replace(row, error=CheckError(f"{name} failed: {why}", "The reply is kept: mend it, and run again."))
        if isinstance(given, bool) or type(given).__name__ in {"bool", "bool_"}:  # NumPy's, too
            return replace(row, score=bool(given))
        if isinstance(given, Real) and math.isfinite(given):
            return replace(row, score=float(given))
        msg = f"{name} returned {given!r:.60}, which is neither yes or no nor a number."
        return replace(row, error=CheckError(msg, "Return True or False, or a number such as 0.5."))

    def _judged(self, rows: dict[str, Rows[Any]], judge: str) -> tuple[dict[str, Rows[Any]], BaseException | None]:
        """Return the rows with what the judge gives them: 1 to the best of a case, in a tie a part to each."""
        by_case = list(zip(*rows.values(), strict=True))
        jobs: dict[int, tuple[Job, list[str]]] = {}
        for place, case in enumerate(by_case):
            if asked := self._question(place, dict(zip(rows, case, strict=True)), judge):
                jobs[place] = asked
        error: BaseException | None
        try:
            error = self._session.send([job for job, _ in jobs.values()], lambda _: None)
        except InputError as e:  # over the budget, say: the replies are there all the same
            error = e
        scores: list[dict[str, float]] = [{} for _ in by_case]
        for place, (job, names) in jobs.items():
            completion = job.live.completion
            if completion is not None and completion.partial is None:
                winner, _ = verdict_of(completion.text, names)
                scores[place] = {n: float(n == winner) if winner else 1 / len(names) for n in names}
        found = {
            model: Rows(
                [replace(row, score=scores[place].get(model)) for place, row in enumerate(of)], model, self.cases.index
            )
            for model, of in rows.items()
        }
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


def _name_of(check: Check) -> str:
    return str(getattr(check, "__name__", type(check).__name__))
