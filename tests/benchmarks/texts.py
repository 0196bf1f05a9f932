"""Markdown to measure with: replies as models write them, plain prose, and single blocks of any size.

The same seed gives the same text, and a shorter text is the beginning of a longer one.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import TypeAlias

SEED = 6
DELTA_CHARS = 20  # a reply comes in such pieces,
FRAME_CHARS = 100  # and is painted after so many

SUBJECTS = ["the estimator", "each request", "a cached value", "the parser", "this approach", "one worker"]
VERBS = ["depends on", "returns", "is bounded by", "should not change", "converges to", "waits for"]
OBJECTS = ["the size of the sample", "an empty list", "its own copy of the data", "the last step", "a naïve baseline"]
ASIDES = [
    "which is usually what you want",
    "as the table below shows",
    "so there is nothing to clean up afterwards",
    "— at least in the common case —",
    "unless `strict=True` is given",
    "see [the reference](https://example.org/docs/guide#section)",
    "with an error of about $\\mathcal{O}(n^{-1/2})$",
    "because *both* sides are **symmetric**",
    "in less than 5 % of the runs",
    'although the log may still say "pending"',
]
FORMULAS = [
    "\\hat\\beta = (X^\\top X)^{-1} X^\\top y",
    "\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt\\pi}{2}",
    "P(A \\mid B) = \\frac{P(B \\mid A)\\,P(A)}{P(B)}",
    "\\nabla \\cdot \\mathbf{E} = \\frac{\\rho}{\\varepsilon_0}",
]
# Lines of a program: a block repeats them. Models write more Python than all else.
CODE = {
    "python": [
        "def fit(x: np.ndarray, y: np.ndarray, *, steps: int = 100) -> Model:",
        '    """Least squares, one step at a time."""',
        "    for i, (a, b) in enumerate(zip(x, y, strict=True)):",
        '        total += weights[i] * (a - b) ** 2  # "robust" variant',
        '    raise ValueError(f"no value for {name!r}") from None',
        "    return {key: max(values) for key, values in groups.items()}",
    ],
    "javascript": [
        "export async function load(url, { retries = 3 } = {}) {",
        "  const response = await fetch(`${url}?page=${page}`);",
        "  if (!response.ok && retries > 0) return load(url, { retries: retries - 1 });",
        "  items.filter((item) => item.price > 0).map(({ id }) => id);",
        "}",
    ],
    "sql": [
        "SELECT c.name, COUNT(*) AS orders, SUM(o.total) AS revenue",
        "FROM customers AS c LEFT JOIN orders AS o ON o.customer_id = c.id",
        "WHERE o.created_at >= '2024-01-01' AND o.status <> 'void'",
        "GROUP BY c.name HAVING COUNT(*) > 10 ORDER BY revenue DESC;",
    ],
    "bash": [
        "set -euo pipefail",
        'for file in "$@"; do',
        "  grep -n 'TODO' \"$file\" | sort -u > /tmp/todo.txt || true",
        "done",
    ],
    "rust": [
        "fn parse(input: &str) -> Result<Vec<u32>, ParseIntError> {",
        '    input.split(",").map(|field| field.trim().parse::<u32>()).collect()',
        "}",
        "let mut cache: HashMap<String, Option<usize>> = HashMap::new();",
    ],
    "json": [
        '{"name": "sample", "tags": ["a", "b"], "size": 12.5, "done": false,',
        ' "source": "https://example.org/data.csv", "comment": "made by hand, \\"as is\\"", "parent": null},',
    ],
    "": ["src/main.py      120 lines", "src/view.py       64 lines   <- new", "3 passed, 1 skipped in 0.42 s"],
}


def sentence(chance: random.Random) -> str:
    """One sentence, with inline markup in some."""
    words = f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(OBJECTS)}"
    if chance.random() < 0.5:
        words += f", {chance.choice(ASIDES)}"
    return words[0].upper() + words[1:] + "."


def plain_sentence(chance: random.Random) -> str:
    """One sentence without any markup."""
    words = f"{chance.choice(SUBJECTS)} {chance.choice(VERBS)} {chance.choice(OBJECTS)}."
    return words[0].upper() + words[1:]


def paragraph(chance: random.Random) -> str:
    """A few sentences on one line."""
    return " ".join(sentence(chance) for _ in range(chance.randint(2, 6)))


def code(chance: random.Random) -> str:
    """A fenced block of one language."""
    language = chance.choice(["python"] * 4 + list(CODE))
    lines = itertools.islice(itertools.cycle(CODE[language]), chance.randint(3, 16))
    return f"```{language}\n" + "\n".join(lines) + "\n```"


def table(chance: random.Random) -> str:
    """A table of four columns."""
    rows = (
        f"| {chance.choice(OBJECTS)} | {chance.random():.3f} | `{chance.randrange(999)}` | **{chance.choice('abc')}** |"
        for _ in range(chance.randint(3, 9))
    )
    return "| what | error | id | rank |\n|:-----|------:|:--:|---|\n" + "\n".join(rows)


def bullets(chance: random.Random) -> str:
    """Bullets, with some nested below them."""
    lines = []
    for _ in range(chance.randint(3, 6)):
        lines.append(f"- **{chance.choice(OBJECTS)}**: {sentence(chance)}")
        lines += [f"  - {sentence(chance)}" for _ in range(chance.choice([0, 0, 1, 2]))]
    return "\n".join(lines)


def steps(chance: random.Random) -> str:
    """A numbered list whose items hold code and bullets."""
    items = []
    for number in range(1, chance.randint(4, 6)):
        items.append(f"{number}. {sentence(chance)}")
        if chance.random() < 0.4:
            items.append("\n" + "\n".join(f"   {line}" for line in code(chance).split("\n")) + "\n")
        elif chance.random() < 0.5:
            items += [f"   - {sentence(chance)}" for _ in range(2)]
    return "\n".join(items)


def formula(chance: random.Random) -> str:
    """Block math in one of the notations of models, with inline math around."""
    opening, closing = chance.choice([("$$", "$$"), ("\\[", "\\]")])
    block = f"{opening}\n{chance.choice(FORMULAS)}\n{closing}"
    return f"With \\({chance.choice(FORMULAS)}\\) and ${chance.choice('abxy')}_i$ this becomes\n\n{block}"


def quote(chance: random.Random) -> str:
    """A quotation of two paragraphs."""
    return f"> {paragraph(chance)}\n>\n> {sentence(chance)}"


def tasks(chance: random.Random) -> str:
    """A task list."""
    return "\n".join(f"- [{chance.choice(' x')}] {sentence(chance)}" for _ in range(4))


BLOCKS = [paragraph, paragraph, paragraph, bullets, bullets, steps, code, code, table, formula, quote, tasks]


def mixed(chars: int) -> str:
    """Exactly `chars` characters of a reply: headings, and blocks of every kind in a random order."""
    return _joined(_mixed_blocks(), chars, "\n\n")


def _mixed_blocks() -> Iterator[str]:
    chance = random.Random(SEED)  # noqa: S311  # no secret
    for round_ in itertools.count():
        # All kinds before one comes twice, so that a short reply is made of what a long one is.
        for n, block in enumerate(chance.sample(BLOCKS, len(BLOCKS))):
            if n % 4 == 0:
                yield f"{'##' if n else '#'} {round_ + 1}.{n // 4} {chance.choice(OBJECTS).capitalize()}"
            yield block(chance)
        yield "---"


def prose(chars: int) -> str:
    """Exactly `chars` characters of paragraphs of ordinary sentences."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    return _joined((" ".join(plain_sentence(chance) for _ in range(5)) for _ in itertools.count()), chars, "\n\n")


# Blocks without an end, of as many characters as are asked for.


def code_block(chars: int) -> str:
    """One fence of Python."""
    return "```python\n" + _joined(itertools.cycle(CODE["python"]), chars - 14, "\n") + "\n```"


def long_table(chars: int) -> str:
    """One table, of rows of 50 characters: 2,000 for 100 kB."""
    rows = (f"| row {n:5d} | {n * 7 % 1000:8.3f} | `{n % 97:3d}` | some **words** |" for n in itertools.count())
    return _joined(itertools.chain(["| a | b | c | d |", "|---|--:|---|---|"], rows), chars, "\n")


def numbered_list(chars: int) -> str:
    """One numbered list."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    return _joined((f"{n}. {sentence(chance)}" for n in itertools.count(1)), chars, "\n")


def block_quote(chars: int) -> str:
    """One quotation."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    lines = (f"> {sentence(chance)}" if n % 5 else ">" for n in itertools.count(1))
    return _joined(lines, chars, "\n")


def one_line(chars: int) -> str:
    """One paragraph on one line."""
    chance = random.Random(SEED)  # noqa: S311  # no secret
    return _joined((sentence(chance) for _ in itertools.count()), chars, " ")


Text: TypeAlias = Callable[[int], str]
GIANTS: dict[str, Text] = {
    "code block": code_block,
    "table": long_table,
    "numbered list": numbered_list,
    "block quote": block_quote,
    "one line": one_line,
}
TEXTS: dict[str, Text] = {"mixed": mixed, "prose": prose, **GIANTS}


def _joined(pieces: Iterator[str], chars: int, separator: str) -> str:
    """The first `chars` characters of the pieces, with the separator between them."""
    out: list[str] = []
    size = 0
    for piece in pieces:
        if size > chars:
            break
        out.append(piece)
        size += len(piece) + len(separator)
    return separator.join(out)[:chars]
