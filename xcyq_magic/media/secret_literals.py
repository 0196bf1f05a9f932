"""The strings that Python code gives to names, and where they stand in it."""

from __future__ import annotations

import ast
import re
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ENVIRONMENT = "os.environ"

_MAGIC = re.compile(r"^(\s*)(?:(?:[\w,][\w, ]*=\s*)?[!%].*|.*\?\s*$)")
_PYTHON_MAGIC = re.compile(r"%%(?:time|timeit|capture|prun|python3?)\b")
# Characters of a text and of a line that are read as Python, whose parser may take time with their square.
_LONGEST, _LONGEST_LINE = 20_000, 2_000
_MANY = (ast.Tuple, ast.List, ast.Set)
# Calls whose arguments, or whose second argument, may be what they return.
_WRAPS = re.compile(r"str|bytes|Secret(?:Str|Bytes|String)?")
# Calls of a name and what it is given.
_SETS = re.compile(r"set\w*|put|option|config|header|add_header|get|getenv")
_ENVIRONMENT = {"environ", "environb"}
_WITH_DEFAULT = {"getenv", "get", "pop", "setdefault"}


class Given(NamedTuple):
    """A string of a text of Python that a name is given.

    Attributes
    ----------
    start, end
        Where it stands in the text, with its quotes.
    name
        Of a variable, an attribute, an argument or a key; `ENVIRONMENT` for a variable of the environment.
    among_others
        Whether the name is given a list of values.
    """

    start: int
    end: int
    name: str
    among_others: bool


def given_strings(text: str) -> list[Given] | None:
    """Return the strings that names are given in a text of Python, in order; None for another text."""
    tree = _parsed(text)
    if tree is None:
        return None
    lines = text.split("\n")
    starts = [0, *accumulate(len(line) + 1 for line in lines)]

    def place(line: int, column: int) -> int:  # the column is in bytes
        of = lines[line - 1]
        return starts[line - 1] + (column if of.isascii() else len(of.encode()[:column].decode(errors="ignore")))

    found: dict[int, Given] = {}
    for name, node in _named(tree):
        for literal in _literals(node):
            start = place(literal.lineno, literal.col_offset)
            end = place(literal.end_lineno or literal.lineno, literal.end_col_offset or 0)
            found[start] = Given(start, end, name, isinstance(node, _MANY))
    return [found[start] for start in sorted(found)]


def _parsed(text: str) -> ast.Module | None:
    """Return a text of Python as a tree, IPython's magics as ``pass``."""
    first = text.lstrip()
    other = first.startswith("%%") and not _PYTHON_MAGIC.match(first)
    long = len(text) > _LONGEST or max(map(len, text.split("\n"))) > _LONGEST_LINE
    if other or long or "\r" in text:  # a line may end with it, and the places were wrong
        return None
    lines = ("" if line.startswith("%%") else _MAGIC.sub(r"\1pass", line) for line in text.split("\n"))
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield names, and what they are given or compared with."""
    pairs: list[tuple[object, ast.expr | None]] = [
        pair for node in ast.walk(tree) if (pairs_of := _PAIRS.get(type(node))) for pair in pairs_of(node)
    ]
    while pairs:
        match pairs.pop():
            case (ast.Tuple(elts=targets), ast.Tuple(elts=values)):
                pairs += zip(targets, values, strict=False)
            case (str(name) | ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)), value) if (
                value
            ):
                yield name, value
            case (ast.Subscript(value=ast.Name(id=of) | ast.Attribute(attr=of)), value) if value and of in _ENVIRONMENT:
                yield ENVIRONMENT, value
            case (ast.Subscript(slice=ast.Constant(value=str(name))), value) if value:
                yield name, value


def _defaults(node: ast.arguments) -> Iterator[tuple[str, ast.expr | None]]:
    last = [*node.posonlyargs, *node.args][len(node.posonlyargs) + len(node.args) - len(node.defaults) :]
    for argument, default in (
        *zip(last, node.defaults, strict=True),
        *zip(node.kwonlyargs, node.kw_defaults, strict=True),
    ):
        yield argument.arg, default


def _compared(left: ast.expr, right: ast.expr) -> Iterator[tuple[object, ast.expr | None]]:
    """Yield both sides of a comparison, each as the name of the other; of ``environ["MODE"]`` the key is the name."""
    for side, other in ((left, right), (right, left)):
        yield side.slice if isinstance(side, ast.Subscript) else side, other


def _called(node: ast.Call) -> Iterator[tuple[object, ast.expr | None]]:
    """Yield what a call gives names: ``environ.update(A="b")``, ``putenv("A", "b")``, ``conf.set("password", "b")``."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=of) | ast.Attribute(attr=of), attr=name)) if (
            of in _ENVIRONMENT
        ):
            given = [*node.args, *(keyword.value for keyword in node.keywords)] if name == "update" else node.args[1:2]
            for value in given if name in {"update", "setdefault"} else ():
                yield from ((ENVIRONMENT, v) for v in (value.values if isinstance(value, ast.Dict) else [value]))
        case ast.Call(func=ast.Name(id="putenv") | ast.Attribute(attr="putenv"), args=[_, value]):
            yield ENVIRONMENT, value
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[*_, key, value]) if _SETS.fullmatch(
            name
        ):
            yield key, value


# The names in a node, and what each is given.
_PAIRS: dict[type[ast.AST], Callable[[Any], Sequence[tuple[object, ast.expr | None]]]] = {
    ast.Assign: lambda node: [(target, node.value) for target in node.targets],
    ast.AnnAssign: lambda node: [(node.target, node.value)],
    ast.AugAssign: lambda node: [(node.target, node.value)],
    ast.NamedExpr: lambda node: [(node.target, node.value)],
    ast.Compare: lambda node: [*_compared(node.left, node.comparators[0])],
    ast.Dict: lambda node: [*zip(node.keys, node.values, strict=True)],
    ast.Call: lambda node: [*_called(node)],
    ast.keyword: lambda node: [(node.arg, node.value)],
    ast.arguments: lambda node: [*_defaults(node)],
}


def _literals(given: ast.expr) -> Iterator[ast.expr]:
    """Yield the strings that may be the value of an expression: of ``os.getenv("KEY", "abc")`` the second."""
    nodes = [given]
    while nodes:
        match nodes.pop():
            case (ast.Constant(value=str() | bytes()) | ast.JoinedStr()) as literal:
                yield literal
            case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
                nodes += (left, right)
            case ast.BoolOp(values=some) | ast.Tuple(elts=some) | ast.List(elts=some) | ast.Set(elts=some):
                nodes += some
            case ast.NamedExpr(value=value):
                nodes.append(value)
            case ast.Call(func=ast.Attribute(value=(ast.Constant() | ast.JoinedStr()) as of, attr=name), args=args):
                nodes += (of, *args) if name == "join" else (of,)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
                nodes += args if _WRAPS.fullmatch(name) else args[1:2] if name in _WITH_DEFAULT else ()
                nodes += (keyword.value for keyword in keywords if keyword.arg == "default")
