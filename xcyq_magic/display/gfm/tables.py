"""Tables: rows of cells between pipes."""

from __future__ import annotations

import re

_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_PIPE = re.compile(r"(?<!\\)\|")


def is_rule(line: str) -> bool:
    """Whether a line could stand below a table's head."""
    return ("|" in line or ":" in line) and line[0] in "|:-" and _RULE.fullmatch(line.rstrip(" \t")) is not None


def is_head_of(head: str, rule: str) -> bool:
    """Whether `head` has as many cells as the rule below it."""
    return "|" in head and len(cells(head)) == len(alignments(rule))


def cells(row: str) -> list[str]:
    r"""The cells' texts; ``\|`` is a pipe within one, in code as well."""
    row = row.strip()
    parts = _PIPE.split(row)
    if parts[0] == "" and row.startswith("|"):
        parts = parts[1:]
    if parts and parts[-1] == "" and row.endswith("|"):
        parts = parts[:-1]
    return [p.strip().replace("\\|", "|") for p in parts]


def alignments(rule: str) -> list[str]:
    """For each column ``left``, ``right``, ``center``, or ``""``."""
    names = {(True, True): "center", (True, False): "left", (False, True): "right", (False, False): ""}
    return [names[c.startswith(":"), c.endswith(":")] for c in cells(rule)]
