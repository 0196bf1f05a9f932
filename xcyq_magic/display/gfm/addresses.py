"""Bare addresses in a text: ``https://…``, ``www.…`` and e-mail addresses become links, as on GitHub."""

from __future__ import annotations

import re

# Up to a blank, a quotation mark or an angle bracket; punctuation only where more follows, brackets only in pairs.
_PATH = (
    r"(?:[^\s<>|\"'()\[\]{}.,;:!?\-\uff5c]|\([^\s<>()]{0,500}\)|\[[^\s<>\[\]]{0,500}\]|\{[^\s<>{}]{0,500}\}"
    r"|'(?=[\w-])|[.,;:!?]+(?=[^\s<>|\"'()\[\]{}.,;:!?\uff5c])|-)*"
)
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*)(?::\d{1,5})?"
_LINK = re.compile(
    rf"(?P<web>(?<![A-Za-z0-9])https?://{_DOMAIN}(?:[/?#]{_PATH})?|(?<![\w./-])www\.{_DOMAIN}(?:[/?#]{_PATH})?)"
    r"|(?P<mail>(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-]))",
    re.IGNORECASE,
)


def links(text: str) -> list[tuple[int, int, str]]:
    """Where each address begins and ends in `text`, and where it leads."""
    if "://" not in text and "@" not in text and "www." not in text.lower():
        return []
    found = []
    for link in _LINK.finditer(text):
        address = link[0]
        if link["mail"]:
            address = f"mailto:{address}"
        elif not address.lower().startswith("http"):
            address = f"http://{address}"
        found.append((link.start(), link.end(), address))
    return found
