"""What earlier checks of pools saw: a row for each, which is written once."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from xcyq_magic.chat.checks import EARLIER
from xcyq_magic.chat.given import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcyq_magic.chat.checks import Figures, PoolCheck
    from xcyq_magic.store.database import Database


def record_checks(database: Database, gateway: str, pools: Iterable[PoolCheck]) -> None:
    """Write what was seen of pools.

    Parameters
    ----------
    database
        Where to.
    gateway
        Where the answers came from.
    pools
        Their checks.
    """
    with database.transaction() as execute:
        for pool in pools:
            kept = {name: finding.kept for name, finding in pool.findings.items()}
            row = gateway, pool.model, time.time(), json.dumps(pool.figures), json.dumps(kept)
            execute("INSERT INTO checks VALUES (?, ?, ?, ?, ?)", *row)


def earlier_checks(database: Database, gateway: str, models: Iterable[str]) -> dict[str, Sequence[Figures]]:
    """Return the figures of the last checks of each model there, the latest first; what is no figure is left out."""
    if not database.exists:
        return {}
    query = (
        "SELECT figures FROM checks WHERE gateway = ? AND model = ? AND json_valid(figures) ORDER BY at DESC LIMIT ?"
    )
    rows = {model: database.read(query, gateway, model, EARLIER) for model in models}
    return {model: [_figures(json.loads(text)) for (text,) in of] for model, of in rows.items()}


def _figures(record: object) -> Figures:
    named = record.items() if isinstance(record, dict) else ()
    return {name: value for name, given in named if (value := seconds(given)) is not None}
