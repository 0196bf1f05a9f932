"""Hides passwords and keys in the texts of cells.

Two things give a secret away: its own form, as its maker documents it, or the name that it is given to. Only literal
values are hidden: ``password = getpass()`` and ``token = tokenizer(text)`` hold none.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

HIDDEN = "(hidden)"

# Keys by their own form. Each with who documents it.
_FORMS = (
    # OpenAI, Anthropic, OpenRouter, DeepSeek: https://platform.openai.com/docs/api-reference/authentication
    r"sk-(?:(?:ant|proj|or|svcacct|admin|live|test)-)?(?=[\w-]*\d)[A-Za-z0-9](?:[\w-]*[A-Za-z0-9]{10,}[\w-]*|[\w-]{29,})",
    # AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    # GitHub: https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{22,255}",
    # GitLab: https://docs.gitlab.com/security/tokens/#token-prefixes
    r"gl(?:pat|dt|rt|ptt|ft|imt|agent|oas|soat|cbt)-[\w-]{20,}",
    # Slack: https://docs.slack.dev/authentication/tokens, and its incoming webhooks
    r"xox[abceoprs]-[\w-]{10,}|xapp-\d-[\w-]{10,}|(?<=hooks\.slack\.com/services/)[\w/]{20,}",
    # Stripe: https://docs.stripe.com/keys
    r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{20,}",
    # Google: https://docs.cloud.google.com/docs/authentication/api-keys
    r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}",
    # Hugging Face, npm, PyPI, SendGrid, DigitalOcean, Databricks, Groq, xAI, Replicate, Perplexity, Telegram,
    # Shopify, Square, Notion, Linear, Mailgun, New Relic: as https://github.com/Yelp/detect-secrets and
    # https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns list them
    r"hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{16,}\.[\w-]{16,}",
    r"do[opr]_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}(?:-\d)?|gsk_\w{20,}|xai-\w{20,}|r8_\w{30,}|pplx-\w{30,}",
    r"\d{8,10}:AA[\w-]{33}|shp(?:at|ss|ca|pa)_[0-9a-f]{32}|sq0(?:atp|csp)-[\w-]{22,}|ntn_\w{40,}|lin_api_\w{30,}",
    r"key-[0-9a-f]{32}|NRAK-[A-Z0-9]{27}",
    # JSON Web Tokens: https://www.rfc-editor.org/rfc/rfc7519
    r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
)
_FORM = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_FORMS)})(?![A-Za-z0-9])")
# https://www.rfc-editor.org/rfc/rfc7468, also as a string writes its line ends, and without an end.
_BLOCK = re.compile(
    r"(?P<head>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)"
    r"(?P<value>(?:[A-Za-z0-9+/=\s:,.\"'-]|\\[nr\n])*?)(?=-----END|\Z|[^A-Za-z0-9+/=\s:,.\"'\\-])"
)

# Within an address and a connection string. https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s:/@'\"<>]{0,200}:(?P<value>[^\s/@'\"<>]{1,200})@")
_QUERY = re.compile(
    r"[?&](?:(?:access_|refresh_|id_|auth_)?token|api_?key|client_secret|password|passwd|sig(?:nature)?|secret|"
    r"X-Amz-(?:Signature|Credential|Security-Token))=(?P<value>[^&\s\"'#<>]{6,2000})",
    re.IGNORECASE,
)
# ADO, ODBC, libpq, Azure: https://www.connectionstrings.com
_CONNECTION = re.compile(
    r"(?<![\w.])(?:password|pwd|passwd|accountkey|sharedaccesskey|sharedaccesssignature)[ ]?=[ ]?"
    r"(?P<value>[^;\s\"'(),]{1,500})"
    r"(?=[;\"']|\s+\w+=)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?:\bAuthorization\b[\"']?\s*[:,=]\s*[\"']?\s*|(?<![\w-])(?=Bearer\s+[A-Za-z0-9+/=_.~-]*\d))(?:Bearer|Basic|Token|ApiKey)\s+"
    r"(?P<value>[A-Za-z0-9+/=_.~-]{8,4000})",
    re.IGNORECASE,
)
_KEY_HEADER = re.compile(
    r"\b(?:X-)?(?:API-Key|Auth-Token|Access-Token)\s*:\s*(?P<value>[\w+/=.-]{6,500})", re.IGNORECASE
)

# Values of the environment, whatever they are called.
_STRING = r"(?P<prefix>[rRbBfFuU]{0,2})(?P<quote>\"\"\"|'''|\"|')(?P<value>(?:\\.|(?!(?P=quote))[^\\])*?)(?P=quote)"
_ENVIRONMENT = re.compile(
    r"\b(?:os\.)?(?:(?:environ|secrets)\s*\[[^\]\n]{1,200}\]\s*=|environ\.setdefault\(\s*[^,\n]{1,200},|putenv\(\s*[^,\n]{1,200},)\s*"
    + _STRING,
    re.DOTALL,
)
_UPDATE = re.compile(r"\b(?:os\.)?environ(?:\.update\(|\s*\|=)(?P<body>[^)]{0,4000})")
_IN_UPDATE = re.compile(r"[:=]\s*" + _STRING, re.DOTALL)
_ENV_MAGIC = re.compile(
    r"^[ \t]*(?:%(?:set_)?env[ \t]+\w+(?:[ \t]*=[ \t]*|[ \t]+)|env:[ \t]+\w+=|"
    r"(?:(?:!|%sx[ \t])[ \t]*)?(?:export[ \t]+\w+=|setenv[ \t]+\w+ ))(?P<value>\S[^\n]*)",
    re.MULTILINE,
)
_CHAT_KEY = re.compile(r"^[ \t]*%chat_key[ \t]+(?P<value>(?!--(?:save|forget)\s*$)\S[^\n]*)", re.MULTILINE)
_LOGIN = re.compile(
    r"\b(?:auth\s*=\s*\(|HTTP(?:Basic|Digest)Auth\(|Fernet\(|set_password\()\s*(?:[^,()\n]{1,200},\s*){0,2}" + _STRING
)
_PROSE = re.compile(r"\b(?:password|passphrase|passcode)\s+is:?\s+[\"'`]?(?P<value>[^\s\"'`.,]{4,200})", re.IGNORECASE)
_GOES_ON = re.compile(rf"(?<=\(hidden\)[\"'])\s*\+?\s*{_STRING}", re.DOTALL)
_COMMAND = re.compile(
    r"\b(?:(?:curl|wget)\b[^\n]{0,500}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,100}:|mysql\w*\b[^\n]{0,500}?\s-p)"
    r"(?P<value>[^\s\"']{1,200})"
)

# A name and what it is given: in Python, JSON, a header; then without quotes, in .env files, YAML and options.
_NAME = r"(?P<name>[A-Za-z_][\w.-]{0,80})"
_NAMED = re.compile(
    rf"(?<![\w.-])(?:{_NAME}|(?P<q>[\"']){_NAME.replace('name', 'key')}(?P=q)(?:\s*\])?)"
    rf"(?:\s*:\s*[\w.\[\]| ]{{1,60}}?)?\s*(?:=|(?P<colon>:)|==|!=|:=)\s*\(?\s*{_STRING}",
    re.DOTALL,
)
_BARE = re.compile(
    rf"^[ \t]*(?:-[ \t]+)?(?:export[ \t]+|set[ \t]+|\$env:)?{_NAME}(?:=|[ \t]*:[ \t]+|[ \t]+=[ \t]+)"
    r"(?P<value>[^\s\"'#(){}\[\]<>$]+)[ \t]*(?:#.*)?$",
    re.MULTILINE,
)
_OPTION = re.compile(rf"(?<!\S)--?{_NAME}(?:=|[ \t]+)[\"']?(?P<value>[^\s\"'<>{{}}$-][^\s\"'<>{{}}$]*)")
_STRONG = {"password", "passwd", "passphrase", "pwd", "passcode", "passwort"}
_WEAK = {"secret", "token", "apikey", "credential", "credentials", "authtoken", "accesstoken", "bearer"}
_PAIRS = {("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("auth", "key"), ("account", "key")}
_PAIRS |= {
    (of, "pass") for of in ("db", "user", "mysql", "smtp", "ftp", "admin", "root", "email", "login", "sudo", "pg")
}
_PAIRS |= {("signing", "key"), ("encryption", "key"), ("client", "secret"), ("license", "key"), ("subscription", "key")}
# Words beside one of these that make it something else: token_type, max_tokens, password_field, pad_token.
_OTHER = re.compile(
    r"max|min|num|count|length|len|size|limit|type|field|column|col|name|names|label|hint|"
    r"policy|prompt|file|path|dir|url|uri|endpoint|eos|bos|pad|unk|mask|sep|cls|special|"
    r"start|end|stop|next|page|word|words|ids|index|idx|class|env|var|header|param|regex|"
    r"pattern|format|required|enabled|strength|score|scheme|message|error|expiry|expires|ttl|"
    r"set|list|map|dict|ref|provider|placeholder|exchange|counts|freq|per|rate|budget|usage|"
    r"input|output|santa"
)
# Of these alone, a value stands for one: "your-api-key", "<token>", "********".
_NO_VALUE = re.compile(
    r"your|my|the|some|an?|insert|enter|replace|example|sample|dummy|fake|none|null|nil|true|false|yes|no|str|string|"
    r"int|bool|bytes|float|optional|required|any|password|passwd|pwd|pass|token|secret|api|key|apikey|username|user|"
    r"host|here|value|changeme|todo|redacted|hidden|masked|placeholder|undefined|empty|name|text|type|x+|env|prompt|"
    r"with|from|and|or|is|in|at|of|to|for|not|test|testing|unset|missing|invalid|default|input|hash|field|login|auth|"
    r"bearer|basic|oauth"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_FORMATTED = re.compile(r"\$?\{[^{}]*\}|%\(?\w*\)?s|\$\w+|<[^<>]*>")
_PLAIN = re.compile(r"[A-Za-z]+|[\W_]+|[A-Za-z]+(?:[ '.,!?-]+[A-Za-z]+)+[.!?]?")  # words, or no letters at all
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9+/=~!@%^&*-]{10,}")  # no name that code has
_KEY = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w+/=.:~-]+")
_PATH = re.compile(r"[A-Za-z_][\w.]*\.\w+|.*,")  # of names, or in a list of arguments
_LONG = 32  # characters of a value whose name is only ``key``
# Nothing is found in a text that has none of these.
_SIGNS = (
    *("passw", "passph", "passc", "_pass", "pass'", 'pass"', "pass=", "pwd", "secret", "token", "key", "credential"),
    *("bearer", "authorization", "auth=", "auth =", "basicauth", "digestauth", "fernet", "environ", "env ", "env:"),
    *("putenv", "export ", "@", "sig", "curl", "wget", "sk-", "akia", "asia", "abia", "acca", "ghp_", "gho_", "ghu_"),
    *("ghs_", "ghr_", "github_pat", "glpat", "gldt-", "glrt-", "glptt", "glft-", "glimt", "glagent", "gloas", "glsoat"),
    *("glcbt", "xox", "xapp-", "hooks.slack", "_live_", "_test_", "whsec_", "aiza", "ya29", "gocspx", "hf_", "npm_"),
    *("pypi-", "sg.", "_v1_", "dapi", "xai-", "gsk_", "r8_", "pplx-", ":aa", "shp", "sq0", "ntn_", "lin_api_", "nrak-"),
    *("eyj", "mysql"),
)
_SHORTEST = 8  # characters of a value that is hidden wherever else it stands

_LITERAL = re.compile(_STRING, re.DOTALL)
_MAGIC_LINE = re.compile(r"\s*(?:[\w,][\w, ]*=\s*)?[!%]|.*\?\s*$")
_DATA = re.compile(r"%%(?:writefile|file)\b[^\n]*(?:\.(?!py)\w+)\s*\n")
_VARIABLE = re.compile(r"\s*(?:#|(?:(?:export[ \t]+)?[A-Z][A-Z0-9_]*=\S*\s*)?$)")
_PYTHON_MAGIC = re.compile(r"%%(?:time|timeit|capture|prun|python3?)\b")

_PRIVATE = re.compile(r"#\s*private\s*(?:$|[:;,.(\[\u2013\u2014-])", re.IGNORECASE)
_PRIVATE_MARKDOWN = re.compile(r"#\s*private\s*|<!--\s*private\b.*", re.IGNORECASE)


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
    found: set[str] = set()
    masked = [_masked(text, found) for text in texts]
    known_there: set[str] = set()
    for text in also:
        _masked(text, known_there)
    found |= {value for value in known_there if any(value in text for text in masked)}
    wherever = sorted((v for v in found if len(v) >= _SHORTEST and not _PLAIN.fullmatch(v)), key=len, reverse=True)
    if wherever:
        known = re.compile("|".join(map(re.escape, wherever)))
        masked = [known.sub(HIDDEN, text) for text in masked]
    return Masked(masked, len(found))


def _masked(text: str, found: set[str]) -> str:
    low = text.lower()
    if not any(word in low for word in _SIGNS):
        return text
    hide = partial(_hidden, known=found)
    text = _BLOCK.sub(lambda m: hide(m, always=True), text)
    text = _FORM.sub(lambda m: _noted(m[0], found), text)
    for pattern in (_URL, _QUERY, _HEADER, _KEY_HEADER, _LOGIN, _COMMAND, _PROSE):
        text = pattern.sub(hide, text)
    for pattern in (_ENVIRONMENT, _ENV_MAGIC, _CHAT_KEY):
        text = pattern.sub(lambda m: hide(m, always=True), text)
    text = _UPDATE.sub(
        lambda m: m[0].replace(m["body"], _IN_UPDATE.sub(lambda n: hide(n, always=True), m["body"])), text
    )
    kind = _kind(text)

    def named(m: re.Match[str]) -> str:
        if m["name"] and m["colon"] and kind == "code":  # the end of a string, as in "password: "
            return m[0]
        return hide(m) if _is_secret(m["name"] or m["key"], m["value"]) else m[0]

    text = _GOES_ON.sub(hide, _NAMED.sub(named, text))
    for pattern in (_BARE, _OPTION):
        text = pattern.sub(lambda m: hide(m) if _is_secret(m["name"], m["value"], kind) else m[0], text)
    if kind == "code":
        return "".join(_within_strings(text, lambda string: _CONNECTION.sub(hide, string)))
    return _CONNECTION.sub(hide, text)


def _hidden(found: re.Match[str], known: set[str], *, always: bool = False) -> str:
    """Return a match with its value hidden; what is put in when it runs, such as ``{name}``, stays."""
    value = found["value"]
    if not value.strip() or value == HIDDEN or (not always and _stands_for_one(value)):
        return found[0]
    if not (literal := _FORMATTED.sub("", value)).strip(" \t:/@-_."):
        return found[0]
    at = found.start("value") - found.start()
    known.add(value if literal == value else literal)
    return f"{found[0][:at]}{HIDDEN}{found[0][at + len(value) :]}"


def _stands_for_one(value: str) -> bool:
    return all(map(_NO_VALUE.fullmatch, re.findall(r"[a-z]+|[0-9]+", value.lower())))


def _noted(value: str, known: set[str]) -> str:
    known.add(value)
    return HIDDEN


def _is_secret(name: str, value: str, bare: str = "") -> bool:
    """Return whether a name and a value together are of a secret.

    Parameters
    ----------
    name, value
        As they stand beside each other.
    bare
        Where the value has no quotes, what it stands in: ``code``, where it may be a name itself, ``text``, or
        ``data``.
    """
    if bare == "code" and not _RANDOM.fullmatch(value):
        return False
    words = [word.lower() for word in _WORD.findall(name.rpartition(".")[2])]
    pairs = set(pairwise(words))
    if not words or (any(map(_OTHER.fullmatch, words)) and not pairs & _PAIRS):
        return False
    if set(words) & _STRONG or words == ["pass"]:
        return len(value) >= 3 and not (bare == "text" and _PATH.fullmatch(value))  # noqa: PLR2004  # two tell nothing
    if set(words) & _WEAK or pairs & _PAIRS:
        if "token" in words or bare == "text":  # a token may be of a language, a text may speak of keys
            return len(value) >= _SHORTEST and _KEY.fullmatch(value) is not None
        return len(value) >= 4 and not re.search(r"\s", value)  # noqa: PLR2004  # as above
    return words[-1] == "key" and len(value) >= _LONG and "/" not in value and _KEY.fullmatch(value) is not None


def _kind(text: str) -> str:
    """Return what a text is: ``code`` of Python and IPython's magics, ``data`` as in a .env file, else ``text``."""
    first = text.lstrip()
    if _DATA.match(first) or all(_VARIABLE.match(line) for line in text.split("\n")):
        return "data"
    if first.startswith("%%") and not _PYTHON_MAGIC.match(first):
        return "text"
    lines = ("pass" if _MAGIC_LINE.match(line) else line for line in text.split("\n") if not line.startswith("%%"))
    try:
        ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "text"
    return "code"


def _within_strings(text: str, change: Callable[[str], str]) -> Iterator[str]:
    """Yield a text of Python in pieces, its string literals changed."""
    at = 0
    for literal in _LITERAL.finditer(text):
        yield text[at : literal.start()]
        yield change(literal[0])
        at = literal.end()
    yield text[at:]
