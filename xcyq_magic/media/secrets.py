"""Hides passwords and keys in the texts of cells.

Two things give a secret away: its own form, as its maker documents it, or the name that it is given to. Only literal
values are hidden: ``password = getpass()`` and ``token = tokenizer(text)`` hold none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING

from xcyq_magic.media import secret_forms as forms
from xcyq_magic.media.secret_literals import ENVIRONMENT, Given, given_strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    _Hide = partial[str]

HIDDEN = "(hidden)"

_STRONG = ("password", "passwd", "passphrase", "pwd", "passcode", "passwort")
_WEAK = {
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "authtoken",
    "accesstoken",
    "bearer",
    "authorization",
}
_ISSUED = {"access", "auth", "api", "bearer", "refresh", "session"}  # such a token is of no language
_ISSUED |= {"hf", "github", "gh", "gitlab", "slack", "bot", "jwt"}
_VAGUE = {"key", "pat", "pw", "pass", "sas"}  # of a secret only with a value that looks like one
_PAIRS = {("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("auth", "key"), ("account", "key")}
_PAIRS |= {
    (of, word)
    for of in ("db", "user", "mysql", "smtp", "ftp", "admin", "root", "email", "login", "sudo", "pg", "my")
    for word in ("pass", "pw")
}
_PAIRS |= {("signing", "key"), ("encryption", "key"), ("client", "secret"), ("license", "key"), ("subscription", "key")}
# Words beside one of these that make it something else: token_type, max_tokens, password_field, pad_token.
_OTHER = re.compile(
    r"max|min|num|count|length|len|size|limit|type|field|column|col|name|names|label|hint|"
    r"policy|prompt|file|path|dir|url|uri|endpoint|eos|bos|pad|unk|mask|sep|cls|special|"
    r"start|end|stop|next|page|word|words|ids|index|idx|class|env|var|header|param|regex|"
    r"pattern|format|required|enabled|strength|score|scheme|message|error|expiry|expires|ttl|"
    r"set|list|map|dict|ref|provider|placeholder|exchange|counts|freq|per|rate|budget|usage|"
    r"input|output|santa|public|primary|foreign|cache|sort|partition|row|group|join|sha|md|period|socket|etag"
)
# Of these alone, a value stands for one: "your-api-key", "<token>", "********".
_NO_VALUE = re.compile(
    r"your|my|the|some|an?|insert|enter|replace|example|sample|dummy|fake|none|null|nil|true|false|yes|no|str|string|"
    r"int|bool|boolean|object|bytes|float|optional|required|any|password|passwd|pwd|pass|token|secret|api|key|apikey|"
    r"username|user|host|here|value|changeme|todo|redacted|hidden|masked|placeholder|undefined|empty|name|text|type|"
    r"x+|env|prompt|with|from|and|or|is|in|at|of|to|for|not|test|testing|unset|missing|invalid|default|input|hash|"
    r"sk|openai|anthropic|google|huggingface|field|login|auth|bearer|basic|oauth|authorization|credentials?|client|os|getenv|environ|varchar|nan|revealed|incorrect|wrong"
)
_PLACEHOLDER = re.compile(r"<?(?:your|insert|enter|replace|put|paste)[-_ ][a-z_ -]*>?", re.IGNORECASE)
_MESSAGE = re.compile(r"(?i)(?=.*\s).*(?:passw|token|secret|key|must|required|invalid)")  # to whom types one
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_FORMATTED = re.compile(r"\$?\{[^{}]*\}|%\(?\w*\)?s|\$\(?[A-Z_]{2,}\)?(?![a-z0-9])|<[^<>]*>")
# Hidden where it is set, and not wherever else it stands: words of a text, or no letters at all.
_ORDINARY = re.compile(
    r"[\W\d_]*|[A-Za-z]+(?:[ '.,!?-]+[A-Za-z]+)+[.!?]?|(?i:production|development|staging|localhost|postgres(?:ql)?|"
    r"mysql|root|admin|administrator|guest|minioadmin|welcome|disabled|enabled|offline|online|warning|expandable)"
)
_ONE_WORD = re.compile(r"[\w+/=.:~-]+")
_CAMEL = re.compile(r"[A-Z]?[a-z]{3,}")
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}")
_LONG_KEY = 24  # characters
_JUMBLED = 10  # letters that are in no word
_RUN = re.compile(r"[A-Za-z0-9+/=]{12,}")
# Of names, of arguments, or of a file.
_PATH = re.compile(r"[A-Za-z_][\w.]*\.\w+|[A-Za-z_.]*[,(\[].*|(?:~|[A-Z]:)?[/\\].*")
_SHORTEST = 6  # characters of a value that is hidden wherever else it stands
_LONG = 16  # characters of a value that is hidden within words, too

_LITERAL = re.compile(forms.STRING, re.DOTALL)
# What a cell says to others than Python: commands, and texts.
_SAID = re.compile(
    rf"^[ \t]*(?:\w+[ \t]*=[ \t]*)?[!%](?P<command>[^\n]*)|{forms.STRING}|#(?P<comment>[^\n]*)",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"%%(?:writefile|file)\b[^\n]*(?:\.(?!py)\w+)\s*\n")
_VARIABLE = re.compile(r"\s*(?:#.*|(?:(?:export[ \t]+)?[A-Z][A-Z0-9_]*=\S*\s*)?)")
# A line of an output that only names values; Python would read these as names, too.
_ENTRY = re.compile(r"[ \t]*(?:[\w.-]+(?::[ \t]+\S+|=(?=\S*[\d!$%&@#*+/-])[^\s()\[\].,\"']+))?\s*")

_PRIVATE = re.compile(r"#\s*private(?:\s*$|\s*[:;,.]|\s+[(\u2013\u2014-])", re.IGNORECASE)
_PRIVATE_MARKDOWN = re.compile(r"#\s*private\s*|<!--\s*private\b.*", re.IGNORECASE)

_MOST_REMEMBERED = 10_000  # characters of a text


@dataclass(frozen=True)
class Masked:
    """Texts without what looks like a secret.

    Attributes
    ----------
    texts
        In the order in which they were given.
    count
        How many different values were hidden.
    """

    texts: list[str]
    count: int


def is_private(source: str, *, markdown: bool = False) -> bool:
    """Return whether the first line of a cell says ``# private``; a cell's magic may stand above it."""
    lines = (line.strip() for line in source.split("\n"))
    first = next((line for line in lines if line and not line.startswith("%%")), "")
    return (_PRIVATE_MARKDOWN.fullmatch(first) if markdown else _PRIVATE.match(first)) is not None


def mask(texts: Sequence[str], also: Iterable[str] = ()) -> Masked:
    """Hide what looks like a password or a key in texts; a value found in one of them, or in `also`, in all of them."""
    found: dict[str, bool] = {}
    masked = [_masked(text, found) for text in texts]
    known_there: dict[str, bool] = {}
    for text in also:
        _masked(text, known_there)
    found |= {v: everywhere for v, everywhere in known_there.items() if everywhere and any(v in t for t in masked)}
    wherever = sorted((value for value, everywhere in found.items() if everywhere), key=len, reverse=True)
    for value in [v for v in wherever if len(v) >= _LONG]:
        masked = [text.replace(value, HIDDEN) for text in masked]
    if short := [v for v in wherever if len(v) < _LONG]:
        known = re.compile("|".join(rf"(?<!\w){re.escape(v)}(?!\w)" for v in short))
        masked = [known.sub(HIDDEN, text) for text in masked]
    return Masked(masked, len(found))


def _masked(text: str, found: dict[str, bool]) -> str:
    """Hide what is found in a text, and note it in `found`."""
    looked_at = _looked_at if len(text) <= _MOST_REMEMBERED else _looked_at.__wrapped__
    masked, known = looked_at(text)
    found.update({value: everywhere or found.get(value, False) for value, everywhere in known.items()})
    return masked


@lru_cache(maxsize=1_000)  # a notebook's cells are looked at again for each prompt, and few have changed
def _looked_at(text: str) -> tuple[str, Mapping[str, bool]]:
    found: dict[str, bool] = {}
    hide = partial(_hidden, known=found)
    text = forms.BLOCK.sub(lambda m: hide(m, always=True) if forms.OF_BLOCK.search(m["value"]) else m[0], text)
    text = forms.FORM.sub(lambda m: _noted(m[0], found), text)
    for pattern in (forms.URL, forms.QUERY, forms.HEADER, forms.KEY_HEADER, forms.LOGIN, forms.COMMAND, forms.PROSE):
        text = pattern.sub(hide, text)
    text = forms.WRAPPED.sub(
        lambda m: hide(m) if _is_key(m["value"]) and not _PATH.fullmatch(m["value"]) else m[0], text
    )
    for pattern in (forms.ENVIRONMENT, forms.ENV_MAGIC, forms.CHAT_KEY):
        text = pattern.sub(lambda m: hide(m, always=True), text)
    text = forms.GOES_ON.sub(hide, text)
    text = forms.UPDATE.sub(
        lambda m: m[0].replace(m["body"], forms.IN_UPDATE.sub(lambda n: hide(n, always=True), m["body"])), text
    )
    told = _is_data(text) or all(map(_ENTRY.fullmatch, text.split("\n")))
    given = None if told else given_strings(text)
    return _scanned(text, hide) if given is None else _in_code(text, given, hide), found


def _in_code(text: str, given: Sequence[Given], hide: _Hide) -> str:
    """Hide in Python: the strings that a name is given, and what stands in strings, comments and commands."""
    for start, end, name, among_others in reversed(given):
        value = "".join(m["value"] for m in _LITERAL.finditer(text, start, end))
        always = name == ENVIRONMENT
        if always or (_is_secret(name, value) and (not among_others or _is_random(value))):
            hidden = _LITERAL.sub(partial(hide, always=always), text[start:end])
            text = text[:start] + hidden + text[end:]

    def said(m: re.Match[str]) -> str:
        group = next(group for group in ("command", "comment", "value") if m[group] is not None)
        at = m.start(group) - m.start()
        return f"{m[0][:at]}{_scanned(m[group], hide)}{m[0][at + len(m[group]) :]}"

    def quoted(m: re.Match[str]) -> bool:
        return m.string[m.start("value") - 1] in "\"'"

    text = forms.BARE.sub(lambda m: hide(m) if _is_near(m) else m[0], text)
    text = forms.OPTION.sub(lambda m: hide(m) if quoted(m) and _is_secret(m["name"], m["value"]) else m[0], text)
    text = forms.NEAR.sub(lambda m: hide(m) if quoted(m) and _is_near(m) else m[0], text)
    return _SAID.sub(said, text)


def _scanned(text: str, hide: _Hide) -> str:
    """Hide in what is no Python: data, a shell's commands, Markdown, outputs."""
    data = _is_data(text)

    def named(m: re.Match[str]) -> str:
        return hide(m) if _is_secret(m["name"] or m["key"], m["value"]) else m[0]

    text = forms.GOES_ON.sub(hide, forms.NAMED.sub(named, text))
    if data:
        text = forms.SPACED.sub(
            lambda m: hide(m) if _is_secret(m["name"], m["value"]) and _is_strong(_words(m["name"])) else m[0], text
        )
    for pattern in (forms.BARE, forms.OPTION, forms.FIELD, forms.ELEMENT):
        text = pattern.sub(lambda m: hide(m) if _is_secret(m["name"], m["value"], bare=not data) else m[0], text)
    text = forms.NEAR.sub(lambda m: hide(m) if _is_near(m) else m[0], text)
    return forms.CONNECTION.sub(hide, text)


def _hidden(found: re.Match[str], known: dict[str, bool], *, always: bool = False) -> str:
    """Return a match with its value hidden; what is put in when it runs, such as ``{name}``, stays."""
    value = found["value"]
    if not value.strip() or value == HIDDEN or (not always and _stands_for_one(value)):
        return found[0]
    if not (literal := _FORMATTED.sub("", value)).strip(" \t:/@-_."):
        return found[0]
    at = found.start("value") - found.start()
    _noted(value if literal == value else literal, known, always=always)
    return f"{found[0][:at]}{HIDDEN}{found[0][at + len(value) :]}"


def _stands_for_one(value: str) -> bool:
    return all(map(_NO_VALUE.fullmatch, _words(value))) or _PLACEHOLDER.fullmatch(value) is not None


def _noted(value: str, known: dict[str, bool], *, always: bool = False) -> str:
    """Note a value, and whether it is to be hidden wherever else it stands: a mode such as ``test`` is not."""
    told = len(value) >= _SHORTEST and not _ORDINARY.fullmatch(value) and not _stands_for_one(value)
    known[value] = known.get(value, False) or (told and not (always and value.isalpha()))
    return HIDDEN


def _is_secret(name: str, value: str, *, bare: bool = False) -> bool:
    """Return whether a name and a value together are of a secret.

    Parameters
    ----------
    name, value
        As they stand beside each other.
    bare
        Whether the value has no quotes and stands in a text, where it may be a word or a name itself.
    """
    words = _words(name.rpartition(".")[2])
    pairs = set(pairwise(words))
    if not words or _OTHER.fullmatch(words[-1]) or (any(map(_OTHER.fullmatch, words)) and not pairs & _PAIRS):
        return False
    if set(_words(value)) <= set(words):  # PASSWORD = "password"
        return False
    if _is_strong(words):
        return len(value) >= 3 and not (bare and _PATH.fullmatch(value)) and not _MESSAGE.match(value)  # noqa: PLR2004  # two tell nothing
    if set(words) & _WEAK or pairs & _PAIRS:
        if bare or ("token" in words and not set(words) & _ISSUED):  # a token may be of a language
            return len(value) >= 8 and _is_key(value) and not _PATH.fullmatch(value)  # noqa: PLR2004
        return len(value) >= 4 and not re.search(r"\s", value) and not _PATH.fullmatch(value)  # noqa: PLR2004
    return words[-1] in _VAGUE and _is_random(value, alone=len(words) == 1)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _is_strong(words: Sequence[str]) -> bool:
    return any(word.endswith(_STRONG) for word in words) or words == ["pass"]


def _is_key(value: str) -> bool:
    """Return whether a value may be a key: one word of letters and digits, or of letters as no word has them."""
    if not _ONE_WORD.fullmatch(value):
        return False
    jumbled = not value.isupper() and not value.islower() and len(_CAMEL.sub("", value)) >= _JUMBLED
    return any(c.isalpha() for c in value) and (any(c.isdigit() for c in value) or (jumbled and value.isalpha()))


def _is_near(found: re.Match[str]) -> bool:
    known = _words(found["name"]) not in ([of] for of in _VAGUE)  # a public key has as random a value
    return known and _is_secret(found["name"], found["value"]) and _is_random(found["value"])


def _is_random(value: str, *, alone: bool = False) -> bool:
    """Return whether nobody would have thought of a value; ``alone`` is for ``key``, which may be of a dictionary."""
    run = max(_RUN.findall(value), key=len, default="")
    mixed = run != run.lower() and run != run.upper() and len(_CAMEL.sub("", run)) >= _SHORTEST
    if alone:
        return _is_key(value) and (len(run) >= _LONG_KEY if mixed else _HASH.fullmatch(value) is not None)
    return _is_key(value) and len(run) >= (12 if mixed else 20)


def _is_data(text: str) -> bool:
    """Return whether a text is as in a .env file, where all that stands behind a name is its value."""
    return _FILE.match(text.lstrip()) is not None or all(map(_VARIABLE.fullmatch, text.split("\n")))
