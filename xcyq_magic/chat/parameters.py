"""The parameters of a request that the user may set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
    def from_dict(cls, record: Mapping[str, Any]) -> Parameters:
        """Undo `to_dict`."""
        own = {"temperature", "top_p", "max_tokens", "stop"}
        return cls(
            temperature=record.get("temperature"),
            top_p=record.get("top_p"),
            max_tokens=record.get("max_tokens"),
            stop=tuple(record.get("stop", ())),
            extra={name: value for name, value in record.items() if name not in own},
        )
