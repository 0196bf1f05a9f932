"""The ledger in the database: an entry for each request, begun when it is sent and written to the end with its answer.

Texts are not in it. What a request took is written at the moment at which its reply ends, so that what is paid for
counts whatever becomes of the reply. A request that was on its way when its kernel was killed stays as it was begun:
nobody knows what it took.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from xcyq_magic.chat.completion import Usage
from xcyq_magic.chat.given import MOST_COUNTED, MOST_SECONDS, count, moment
from xcyq_magic.chat.usage import LedgerEntry, cost
from xcyq_magic.store.forks import PROCESS, PerProcess
from xcyq_magic.store.summaries import column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcyq_magic.chat.usage import Price
    from xcyq_magic.store.database import Database, Execute, Row

# A name of a model that an older version kept may hold halves of characters, which SQLite gives as bytes alone.
_FIELDS = ", ".join("CAST(answered_by AS BLOB)" if f == "answered_by" else f for f in LedgerEntry._fields)
_SELECT = f"SELECT {_FIELDS} FROM requests"  # noqa: S608  # our own names
_PUT = f"INSERT OR REPLACE INTO requests VALUES ({', '.join('?' * len(LedgerEntry._fields))})"  # noqa: S608  # question marks
_LATEST = 2_000  # requests, for the mean length of a model's replies


class Entries(NamedTuple):
    """What the ledger knows.

    Attributes
    ----------
    answered
        The requests that were answered, wholly or in part.
    unknown
        How many were on their way when their kernel ended.
    """

    answered: list[LedgerEntry]
    unknown: int


class Ledger:
    """The entries of one notebook's requests, and of all that are in its store.

    What the store lacks is held until it is written: what could not be, and what no file may have.
    """

    def __init__(self) -> None:
        self._kernel = PerProcess(lambda: f"{PROCESS.get()}-{secrets.token_hex(4)}")
        self._pending: dict[str, LedgerEntry] = {}
        self._unkept: dict[str, LedgerEntry] = {}  # asked while nothing was kept

    @property
    def kernel(self) -> str:
        """What tells the entries of this session in this process from those of others."""
        return self._kernel.get()

    @property
    def behind(self) -> bool:
        """Whether the store lacks an entry."""
        return bool(self._pending)

    def note(self, entries: Iterable[LedgerEntry]) -> None:
        """Note entries that are to be written; of one that was noted before, this is how it stands."""
        for entry in entries:
            self._pending[entry.id] = entry

    # With the database. Each raises `StoreError` where it cannot be used.

    def write(self, execute: Execute, conceals: Callable[[LedgerEntry], bool]) -> list[LedgerEntry]:
        """Write what the store lacks, within a transaction; return that, for `wrote`.

        Parameters
        ----------
        execute
            The transaction's.
        conceals
            Whether an entry is of a request that was sent while nothing was kept.
        """
        written = [*self._pending.values()]
        for entry in written:
            if conceals(entry):
                continue
            if entry.ended == "":
                execute("DELETE FROM requests WHERE id = ?", entry.id)
            else:
                named = entry._replace(
                    notebook=column(entry.notebook), model=column(entry.model), answered_by=column(entry.answered_by)
                )
                execute(_PUT, *named)
        return written

    def wrote(self, entries: Iterable[LedgerEntry], conceals: Callable[[LedgerEntry], bool]) -> None:
        """Let go of entries that are written by now; those that no file may have stay in memory."""
        for entry in entries:
            if conceals(entry):
                self._unkept[entry.id] = entry
            if self._pending.get(entry.id) is entry:
                del self._pending[entry.id]

    def leave(self, database: Database) -> None:
        """Take this session's entries along from a database that is about to be closed."""
        if not database.exists:
            return
        rows = database.read(f"{_SELECT} WHERE kernel = ?", self.kernel)
        for entry in map(_entry_of, rows):
            self._pending.setdefault(entry.id, entry)
        with database.transaction() as execute:  # they end elsewhere
            execute("DELETE FROM requests WHERE kernel = ? AND ended IS NULL", self.kernel)

    def entries(
        self,
        database: Database,
        path: str | None,
        *,
        everything: bool,
        lives: Callable[[str], bool],
        offline: bool | None = None,
    ) -> Entries:
        """Return the entries of the notebook, or of the whole store.

        Parameters
        ----------
        database
            Where they are kept.
        path
            The notebook's; where there is none, its entries are those of this session.
        everything
            Whether those of all notebooks are asked for.
        lives
            Whether a process goes on, by its name.
        offline
            Whether to return those to the sandbox, or all others; both unless given.
        """
        found: dict[str, LedgerEntry] = {}
        if database.exists:
            where = "" if everything else " WHERE kernel = ? OR notebook = ?"
            by = () if everything else (self.kernel, path)
            found = {e.id: e for e in map(_entry_of, database.read(f"{_SELECT}{where}", *by))}
        return self._standing(found, lives, offline=offline)

    def entries_here(self, *, offline: bool | None) -> Entries:
        """Return the entries that are in memory alone, where the store cannot be used."""
        return self._standing({}, lambda _: True, offline=offline)

    def _standing(
        self, found: dict[str, LedgerEntry], lives: Callable[[str], bool], *, offline: bool | None
    ) -> Entries:
        every = {**found, **self._unkept, **self._pending}.values()
        asked = [e for e in every if offline in {None, e.offline}]
        answered = [e for e in asked if e.ended]
        processes = [e.kernel.split("-")[0] for e in asked if e.ended is None]
        living = {process: process == PROCESS.get() or lives(process) for process in set(processes)}
        return Entries(answered, sum(not living[process] for process in processes))

    def spent_since(
        self, database: Database, moment_s: float, price_of: Callable[[str], Price | None], *, offline: bool
    ) -> float:
        """Return what the requests since a moment cost; those without a count as it was estimated.

        Parameters
        ----------
        database
            Where they are kept.
        moment_s
            Unix seconds.
        price_of
            Gives the price of a model; None if it has none.
        offline
            Whether to count those to the sandbox, or all others.
        """
        spent = self.spent_here(moment_s, price_of, offline=offline)
        if database.exists:
            where = "FROM requests WHERE asked_at >= ? AND (offline <> 0) = ?"
            sums = database.read(f"SELECT total(coalesce(cost, estimate)) {where}", moment_s, offline)
            spent += float(sums[0][0])
            without = database.read(
                "SELECT model, sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens)"
                f" {where} AND coalesce(cost, estimate) IS NULL AND coalesce(prompt_tokens, completion_tokens) IS NOT"
                " NULL GROUP BY model",
                moment_s,
                offline,
            )
            spent += sum(cost(Usage(i, o, None, c), price_of(model)) or 0.0 for model, i, o, c in without)
        return spent

    def spent_here(self, moment_s: float, price_of: Callable[[str], Price | None], *, offline: bool) -> float:
        """Return what those requests cost that are in memory alone; see `spent_since`."""
        held = [*{**self._unkept, **self._pending}.values()]
        return sum(_spent(e, price_of) for e in held if e.asked_at >= moment_s and e.offline == offline)

    def mean_completion(self, database: Database, model: str, *, offline: bool) -> float | None:
        """Return how many tokens a reply of the model has, on average of the latest; None before the first."""
        counts = [e.completion_tokens for e in self._unkept.values() if e.model == model and e.offline == offline]
        if database.exists:
            rows = database.read(
                "SELECT completion_tokens FROM (SELECT * FROM requests WHERE (offline <> 0) = ?"
                " ORDER BY asked_at DESC LIMIT ?) WHERE model = ?",
                offline,
                _LATEST,
                column(model),
            )
            counts += [count(tokens) for (tokens,) in rows]
        known = [tokens for tokens in counts if tokens is not None]
        return sum(known) / len(known) if known else None


def _spent(entry: LedgerEntry, price_of: Callable[[str], Price | None]) -> float:
    spent = entry.cost_at(price_of)
    return (entry.estimate or 0.0) if spent is None else spent


def _entry_of(row: Row) -> LedgerEntry:
    """Return the entry of a row; what cannot be is not known."""
    identifier, asked_at, kernel, notebook, kind, model, answered_by = row[:7]
    sent, came, cached, reasoning, spent, estimate, first, took, ended, offline = row[7:]
    return LedgerEntry(
        str(identifier),
        moment(asked_at),
        str(kernel),
        None if notebook is None else str(notebook),
        str(kind),
        str(model),
        answered_by.decode("utf-8", "replace"),
        count(sent),
        count(came),
        count(cached),
        count(reasoning),
        _figure(spent, MOST_COUNTED),
        _figure(estimate, MOST_COUNTED),
        _figure(first, MOST_SECONDS),
        _figure(took, MOST_SECONDS) or 0.0,
        None if ended is None else str(ended),
        bool(offline),
    )


def _figure(value: object, most: float) -> float | None:
    """Return a number of a column of type REAL, if it can be."""
    return value if type(value) is float and 0 <= value <= most else None
