"""Entities: characters by their names or numbers."""

from __future__ import annotations

import html
import re
from html.entities import html5

ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def character(entity: str) -> str:
    """What an entity stands for; itself if there is no such name."""
    # `html.unescape` alone also reads names without a semicolon: "?a=1&copy=2".
    return html.unescape(entity) if entity[1] == "#" else html5.get(entity[1:], entity)


def unescaped(text: str) -> str:
    """`text` with its entities replaced."""
    return ENTITY.sub(lambda m: character(m[0]), text) if "&" in text else text
