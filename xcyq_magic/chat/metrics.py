"""What a reply took: its pace and its price."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from xcyq_magic.errors import InputError

if TYPE_CHECKING:
    from xcyq_magic.chat.completion import Completion, Usage

_MILLION = 1_000_000


class Price(NamedTuple):
    """What a million tokens cost, in the user's currency: those of the prompt, and those of the reply."""

    prompt: float
    completion: float


def pandas() -> Any:  # noqa: ANN401  # it is imported for whoever has it, and not for its types
    """Return the module ``pandas``, for a table of figures.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as e:
        msg = f"A table needs {e.name}, which is not installed here."
        raise InputError(msg, f"Type %pip install {e.name} and run the cell again.") from None


def tokens_per_s(completion: Completion) -> float | None:
    """Tokens of the reply a second, from its first content to its end.

    None where the gateway did not count, or the reply came in one piece: then nobody saw its pace.
    """
    count = completion.usage.completion_tokens if completion.usage else None
    if count is None or completion.first_token_s is None:
        return None
    seconds = completion.duration_s - completion.first_token_s
    return count / seconds if seconds > 0 else None


def cost(usage: Usage | None, price: Price | None) -> float | None:
    """What the tokens cost; None without a price or a count."""
    if usage is None or price is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return (usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion) / _MILLION
