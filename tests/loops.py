r"""What a model says that repeats itself without end: fragments that a converter may take long for.

Most open something that never closes, so that a converter which looks for the end again and again takes the
square of the length, or worse.
"""

from __future__ import annotations

FRAGMENTS: dict[str, str] = {
    # Links and pictures
    "bracket": "[",
    "picture": "![",
    "link": "[a](",
    "reference": "[a][",
    "picture with address": "![a](b ",
    "brackets in brackets": "[[[]]]",
    "address in brackets": "[a](<b",
    "title": '[a](b "',
    "definition": "[a]: b\n",
    "definitions": "[a]: b [a]\n",
    "closing bracket": "]",
    # Addresses
    "http": "http://",
    "www": "www.",
    "mail": "a@b.c ",
    "mail without end": "a.",
    "address in angles": "<http://a",
    # HTML
    "tag": "<a ",
    "angle": "<",
    "comment": "<!-- ",
    "details": "<details>",
    "sub": "<sub>",
    "closing tag": "</sub>",
    "attribute": '<a b="',
    "bold tag": "<b>a ",
    "closed tags": "<b>a</b>",
    "code tag": "<code>a ",
    "code tag and its end": "<code>`</code> ",
    "summary": "<details><summary>",
    "summaries on lines": "<details>\n<summary>\n",
    "end of a summary": "</summary>",
    "ends of details": "a</details>\n",
    # Math
    "inline math": "\\(",
    "block math": "\\[",
    "dollar": "$",
    "dollars": "$$",
    "dollar and word": "$a ",
    "dollars and word": "$$a ",
    "dollars on lines": "$$\n",
    "environment": "\\begin{a}",
    "dollars in words": "a$b$",
    "dollar and backtick": "$`",
    "dollar and backtick and word": "$`a",
    "fences of math": "```math\na\n",
    "closing math": "\\)",
    # Lists, quotes, headings
    "numbered": "1. ",
    "numbers on lines": "1. a\n",
    "bullet": "- ",
    "bullets on lines": "- a\n",
    "quote": "> ",
    "quotes on lines": ">\n",
    "quoted list": "> - 1. ",
    "task": "- [ ] ",
    "heading": "#",
    "heading on lines": "# a\n",
    "rule": "---\n",
    "underline": "a\n=\n",
    "footnote": "[^1]",
    "footnote after a mark": "![^1]",
    "footnote's text": "[^a]: ",
    "footnotes on lines": "[^a]: b [^a]\n",
    # Code
    "backtick": "`",
    "backticks": "``` ",
    "backticks and word": "`a``b ",
    "fences on lines": "```\n",
    "fence in fence": "````\n```\n",
    "indented": "    a\n\n",
    # Emphasis
    "star": "*",
    "bold": "**a ",
    "italic": "_a",
    "three stars": "***",
    "stars and words": "*a **b ",
    "underscores": "__a",
    "tilde": "~",
    "struck": "~~a",
    # Tables
    "pipe": "|",
    "cell": "| a ",
    "cells on lines": "| a |\n",
    "table's rule": "|-",
    "tables": "|a|\n|-|\n",
    # Characters
    "ampersand": "&",
    "entity": "&amp;",
    "number of a character": "&#1;",
    "backslash": "\\",
    "two backslashes": "\\\\",
    "parenthesis": "(",
    "nul": "\x00",
    "emoji": "😀",
    "family": "👩\u200d👩\u200d👧",
    "combining marks": "a\u0301\u0327",
    "marks alone": "\u0301",
    "Chinese": "汉字",
    "right to left": "שלום \u202e",
    # Words and blanks
    "word": "word ",
    "letter": "a",
    "lines": "a\n",
    "paragraphs": "a\n\n",
    "spaces": " ",
    "newlines": "\n",
    "carriage returns": "\r",
    "tabs": "\t",
    "spaces at the end": "a  \n",
}

# What repeats itself for a reason, and means each time what it means once.
HONEST: dict[str, str] = {
    "rows": "| a | b |\n|---|---|\n" + "| the same | 0 |\n" * 300,
    "wide rows": "| 0 " * 60 + "|\n" + "|---" * 60 + "|\n" + ("| 0 " * 60 + "|\n") * 60,
    "items": "- the same\n" * 300,
    "numbered items": "1. the same\n" * 300,
    "tasks": "- [x] done\n" * 300,
    "nested items": "- a\n  - b\n" * 200,
    "lines of code": "```\n" + "x += 1\n" * 300 + "```\n",
    "code that is not closed": "```python\n" + "x += 1\n" * 300,
    "indented code": "    x += 1\n" * 300,
    "a long rule": "a\n\n" + "-" * 5_000 + "\n\nb",
    "rules": "---\n\n" * 300,
    "a drawing": "```\n" + ("#" * 60 + "\n") * 60 + "```\n",
    "a drawing without a fence": "#=#=#=#=#=#=#=#=\n" * 80,
    "headings": "## the same\n\n" * 300,
    "paragraphs": "the same\n\n" * 300,
    "quotations": "> the same\n\ntext\n\n" * 200,
    "bold words": "**ha** " * 300,
    "links": "[a](https://a.example) " * 300,
    "badges": "[![b](https://a.example/b.svg)](https://a.example) " * 150,
    "code in a line": "`x` " * 300,
    "addresses": "https://a.example/ " * 300,
    "line breaks": "ha  \n" * 300,
    "one word": "ha" * 3_000,
}

# Those that grow as they repeat.
DEEPER = "deeper lists"
DEEPER_QUOTES = "deeper quotes"
# Rows that lack nearly all cells.
WIDE = "wide table"
NAMES = [*FRAGMENTS, DEEPER, DEEPER_QUOTES, WIDE]


def looping(name: str, chars: int) -> str:
    """Exactly `chars` characters of the fragment called `name`, again and again."""
    if name == DEEPER:
        return _growing("- a\n", "  ", chars)
    if name == DEEPER_QUOTES:
        return _growing(" a\n", ">", chars)
    if name == WIDE:
        columns = chars // 8
        return ("|a" * columns + "\n" + "|-" * columns + "\n" + "a\n" * chars)[:chars]
    fragment = FRAGMENTS[name]
    return (fragment * (chars // len(fragment) + 1))[:chars]


def _growing(line: str, indent: str, chars: int) -> str:
    """Lines, each with one indent more than the line before."""
    out, size, depth = [], 0, 0
    while size < chars:
        out.append(indent * depth + line)
        size += len(out[-1])
        depth += 1
    return "".join(out)[:chars]
