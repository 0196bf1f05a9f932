"""Parameters that a model does not take: renamed or dropped after the 400 that names them.

Families differ (GPT-5 wants ``max_completion_tokens`` and no ``stop``, Claude takes temperature or
``top_p``, not both), pools differ, and both change. So what the gateway says is the rule: a 400 that
names a parameter which was sent is repaired once for that parameter, the user is told, and what a
model never takes is remembered, so that the next request does not pay the detour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcyq_magic.errors import BadRequestError

if TYPE_CHECKING:
    from xcyq_magic.errors import GatewayError

_NAMED = re.compile(r"['`\"](?P<quoted>[A-Za-z_][\w.]*)['`\"]|^(?P<leading>[A-Za-z_]\w*):")
_INSTEAD = re.compile(r"\buse\s+['`\"](?P<name>[A-Za-z_]\w*)['`\"]\s+instead", re.IGNORECASE)
# Words by which a gateway says that the model never takes it, whatever the value and the company.
_NEVER = re.compile(r"not support|unsupported|deprecated|unknown|unrecognized|not permitted|not allowed", re.IGNORECASE)
_BAD_REQUEST = 400
_NOT_PARAMETERS = {"model", "messages", "stream"}
_SILENT = {"stream_options"}  # ours, not the user's


@dataclass(frozen=True)
class Repair:
    """One parameter renamed, or dropped where `new_name` is None."""

    name: str
    new_name: str | None
    always: bool

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body with the parameter renamed or dropped."""
        changed = {k: v for k, v in body.items() if k != self.name}
        return changed if self.new_name is None else {**changed, self.new_name: body[self.name]}

    def notice(self, model: str) -> str | None:
        """What to tell the user; None for what the user did not set."""
        if self.name in _SILENT:
            return None
        done = f"sent as {self.new_name}" if self.new_name else "left out"
        return f"{model} does not take {self.name} like this: it was {done}."


def repair_for(error: GatewayError, body: dict[str, Any]) -> Repair | None:
    """The repair that the words of a 400 ask for; None if it is another error, or names no parameter of `body`."""
    if not isinstance(error, BadRequestError) or error.status != _BAD_REQUEST:
        return None
    named = [m["quoted"] or m["leading"] for m in _NAMED.finditer(error.said)]
    named += [n for n in _SILENT if re.search(rf"\b{n}\b", error.said)]  # some gateways name it without quotation marks
    candidates = [n for n in (error.param, *named) if n in body and n not in _NOT_PARAMETERS]
    if not candidates:
        return None
    # "`temperature` and `top_p` cannot both be specified": what is named first is what stays.
    several = list(dict.fromkeys(candidates))
    both = len(several) > 1 and "both" in error.said
    name = several[-1] if both else several[0]
    instead = _INSTEAD.search(error.said)
    new_name = instead["name"] if instead and instead["name"] not in body else None
    return Repair(name, new_name, always=not both and bool(_NEVER.search(error.said)))


@dataclass
class Repairs:
    """What is known of models, for as long as a client lives."""

    _known: dict[str, list[Repair]] = field(default_factory=dict)

    def remember(self, model: str, repair: Repair) -> None:
        """Keep a repair that holds for the model whatever the value is."""
        if repair.always:
            self._known.setdefault(model, []).append(repair)

    def apply(self, model: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[Repair]]:
        """The body as the model takes it, as far as that is known, and what was changed for it."""
        applied = []
        for repair in self._known.get(model, []):
            if repair.name in body and repair.new_name not in body:
                body = repair.apply(body)
                applied.append(repair)
        return body, applied
