"""Brackets that turn out to be links or pictures: what stands in parentheses or brackets behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcyq_magic.display.gfm.references import LONGEST_LABEL, encoded, inline_target, normal
from xcyq_magic.display.gfm.tokens import Open, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcyq_magic.display.gfm.delimiters import Run
    from xcyq_magic.display.gfm.references import Reference

_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999})\]", re.DOTALL)
_HALF_TARGET = re.compile(
    r"(?:\(\s*(?:<[^<>\n]*>?|(?:[^\s()<]|\([^\s()]*\)?)*)(?:\s+(?:[\"'(][^\"')\n]*[\"')]?\s*)?)?|\[[^\[\]\n]*)$"
)
_PICTURE_HERE = tuple(f"data:image/{kind};base64," for kind in ("png", "jpeg", "gif", "webp"))


@dataclass(eq=False)
class Bracket:
    """An opening bracket that may begin a link or a picture.

    Attributes
    ----------
    place, behind
        Where it stands among the parts, and where its text begins.
    bottom
        The delimiter before it: emphasis within a link ends within it.
    active
        Whether it may still begin a link; none stands within another.
    """

    place: int
    behind: int
    bottom: Run | None
    picture: bool
    active: bool = True


def target(
    text: str, bracket: Bracket, close: int, references: Mapping[str, Reference]
) -> tuple[Reference, int] | None:
    """Where the link points whose text ends at `close`, and where it ends; None if it is no link."""
    behind = close + 1
    if text.startswith("(", behind) and (found := inline_target(text, behind + 1)):
        return found
    if not references:
        return None
    label = _LABEL.match(text, behind)
    if label and label[1].strip():
        name = label[1]
    elif close - bracket.behind <= LONGEST_LABEL:
        name = text[bracket.behind : close]
    else:
        return None
    reference = references.get(normal(name))
    return (reference, label.end() if label else behind) if reference else None


def half_target(text: str, at: int) -> bool:
    """Whether the rest of a text of which more will come may be half of where a link points."""
    return _HALF_TARGET.match(text, at) is not None


def link(reference: Reference) -> Open:
    """The element of a link."""
    attributes = {"href": encoded(reference.address)}
    if reference.title:
        attributes["title"] = reference.title
    return Open("a", attributes)


def picture(reference: Reference, alt: str) -> Whole:
    """A link that shows its whole address: nothing is fetched. A picture that is here in full is one."""
    address = reference.address
    if address.startswith(_PICTURE_HERE):
        return Whole("img", "", {"src": address, "alt": alt})
    return Whole("a", f"{alt}: {address}" if alt and alt != address else address, {"href": encoded(address)})
