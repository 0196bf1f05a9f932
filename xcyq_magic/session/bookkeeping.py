"""What requests took, and what checks of pools saw, in the store of a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcyq_magic.store.past_checks import earlier_checks, record_checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcyq_magic.chat.checks import Figures, PoolCheck
    from xcyq_magic.chat.usage import LedgerEntry, Price
    from xcyq_magic.store.ledger import Entries
    from xcyq_magic.store.sync import Sync


class Bookkeeping:
    """The ledger of a notebook's requests, and the checks of all notebooks.

    Parameters
    ----------
    sync
        Writes to the store, and reads from it.
    """

    def __init__(self, sync: Sync) -> None:
        self._sync = sync

    @property
    def kernel(self) -> str:
        """What tells the ledger's entries of this session in this process from those of others."""
        return self._sync.ledger.kernel

    def enter(self, *entries: LedgerEntry) -> None:
        """Begin the entry of a request that is about to be sent, behind those that have ended."""
        self._sync.enter(entries)

    def entries(self, *, everything: bool = False, offline: bool | None = None) -> Entries:
        """Return what the ledger has of this notebook's requests, or with `everything` of all that are kept.

        With `offline`, they are those to the sandbox, or all others.
        """
        return self._sync.entries(everything=everything, offline=offline)

    def spent_since(self, moment_s: float, price_of: Callable[[str], Price | None], *, offline: bool = False) -> float:
        """Return what requests cost since then; those without a count as it was estimated.

        Parameters
        ----------
        moment_s
            Unix seconds.
        price_of
            Gives the price of a model; None if it has none.
        offline
            Whether to count those to the sandbox, or all others.
        """
        sync = self._sync
        spent = sync.attempt(lambda: sync.ledger.spent_since(sync.database, moment_s, price_of, offline=offline))
        return sync.ledger.spent_here(moment_s, price_of, offline=offline) if spent is None else spent

    def mean_completion(self, model: str, *, offline: bool = False) -> float | None:
        """Return how many tokens a reply of the model has, on average of the last ones; None before the first.

        Those of the sandbox count for the sandbox alone, which `offline` asks for.
        """
        ledger, database = self._sync.ledger, self._sync.database
        return self._sync.attempt(lambda: ledger.mean_completion(database, model, offline=offline))

    def record_checks(self, gateway: str, pools: Sequence[PoolCheck]) -> None:
        """Keep what a check saw of pools; `gateway` is where their answers came from."""
        self._sync.attempt(lambda: record_checks(self._sync.database, gateway, pools))

    def earlier_checks(self, gateway: str, models: Sequence[str]) -> Mapping[str, Sequence[Figures]]:
        """Return the figures of the last checks of each model there, the latest first."""
        return self._sync.attempt(lambda: earlier_checks(self._sync.database, gateway, models)) or {}
