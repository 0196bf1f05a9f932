"""The parameters of a request that the user may set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.given import count, is_json, number, record_of, texts

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Parameters:
    """Sampling parameters and other fields of a request. What is None was not set, and is not sent.

    Attributes
    ----------
    temperature
        0 to 2.
    top_p
        Nucleus mass, 0 to 1.
    max_tokens
        Most tokens to generate.
    stop
        Up to four strings that end the reply.
    extra
        Any other field of the request's body, as the user named it.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The fields that were set, as they go into the request's body."""
        named = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop) or None,
        }
        return {name: value for name, value in named.items() if value is not None} | dict(self.extra)

    @classmethod
    def from_dict(cls, record: Any) -> Parameters:  # noqa: ANN401  # any JSON value
        """Undo `to_dict`; what cannot be is read as not set.

        Raises
        ------
        ValueError
            It is no record.
        """
        record = record_of(record, "parameters")
        own = {"temperature", "top_p", "max_tokens", "stop"}
        stop = record.get("stop")
        return cls(
            temperature=number(record.get("temperature")),
            top_p=number(record.get("top_p")),
            max_tokens=count(record.get("max_tokens")),
            stop=texts(stop if isinstance(stop, list | tuple) else [stop]),  # the endpoint takes one string, too
            extra={n: v for n, v in record.items() if n not in own and isinstance(n, str) and is_json(v)},
        )
