"""An API key goes into a header and nowhere else."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import re
import subprocess
import sys
import traceback
from html import escape
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcyq_magic.errors import KeyFormatError
from xcyq_magic.gateway.credentials import ApiKey, Hider, hide_assigned

SECRET = "sk-5ecret-0123456789"  # noqa: S105  # opens nothing


@pytest.mark.parametrize("text", [SECRET, f" {SECRET}", f"{SECRET}\n", f"\t{SECRET}\r\n", f"\u3000{SECRET}\u00a0"])
def test_white_space_around_a_key_is_dropped(text):
    assert ApiKey(text).header("Bearer") == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("scheme", "header"), [("Bearer", f"Bearer {SECRET}"), ("Token", f"Token {SECRET}"), ("", SECRET)]
)
def test_the_scheme_goes_before_the_key(scheme, header):
    assert ApiKey(SECRET).header(scheme) == header


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n", "is empty", id="blank"),
        pytest.param(f"{SECRET}\n{SECRET}", "a line break (1 of its 41 characters)", id="LF inside"),
        pytest.param(f"{SECRET}\r\n{SECRET}", "a line break (2 of its 42 characters)", id="CRLF inside"),
        pytest.param(f"{SECRET} {SECRET}", "a space or a character beyond ASCII (1 of its", id="space inside"),
        pytest.param(f"{SECRET}\uff10\uff11", "a space or a character beyond ASCII (2 of its", id="full-width digits"),
        pytest.param("\uff53\uff4b" + SECRET, "a space or a character beyond ASCII (2 of its", id="full-width letters"),
        pytest.param(f"{SECRET}\u200b", "a space or a character beyond ASCII (1 of its", id="zero-width space"),
        pytest.param(f"\u201c{SECRET}\u201d", "a space or a character beyond ASCII (2 of its", id="typographic quotes"),
        pytest.param(f"{SECRET}\x00", "a space or a character beyond ASCII (1 of its", id="NUL"),
        pytest.param(f"{SECRET}\x7f", "a space or a character beyond ASCII (1 of its", id="DEL"),
    ],
)
def test_what_no_header_can_carry_is_refused_without_showing_it(text, words):
    with pytest.raises(KeyFormatError) as raised:
        ApiKey(text, "XCYQ_API_KEY")
    error = raised.value
    assert words in error.message
    assert "XCYQ_API_KEY" in error.message
    assert "%chat_key" in error.hint
    shown = [str(error), repr(error), *error._render_traceback_(), *traceback.format_exception(error)]
    assert not any("5ecret" in s for s in shown)
    assert "5ecret" not in repr((error.args, vars(error)))


def test_a_key_does_not_show_itself():
    key = ApiKey(SECRET, "%chat_key")
    assert repr(key) == str(key) == f"{key}" == "<ApiKey from %chat_key, hidden>"
    assert "5ecret" not in repr([key, {"key": key}])


def test_a_keys_attributes_do_not_show_it():
    key = ApiKey(SECRET)
    with pytest.raises(TypeError):
        vars(key)
    shown = [repr(getattr(key, name)) for name in dir(key) if not name.startswith("__")]
    assert not any("5ecret" in s for s in shown)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_is_not_pickled(protocol):
    with pytest.raises(TypeError, match="not pickled or copied"):
        pickle.dumps(ApiKey(SECRET), protocol)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_a_key_is_not_copied(way):
    with pytest.raises(TypeError, match="not pickled or copied"):
        way({"key": ApiKey(SECRET)}["key"])


def test_the_name_of_the_gateways_quickstart_comes_second(tmp_path):
    both = {"GLOBALAIOPC_API_KEY": "sk-second-0123", "XCYQ_API_KEY": "sk-first-0123"}
    assert ApiKey.from_environment(both).source == "XCYQ_API_KEY"
    second = {**both, "XCYQ_API_KEY": " "}
    assert ApiKey.from_environment(second).source == "GLOBALAIOPC_API_KEY"
    (tmp_path / ".env").write_text("GLOBALAIOPC_API_KEY='sk-second-0123'\nOTHER=1\n")
    assert ApiKey.from_file(tmp_path).header("") == "sk-second-0123"
    (tmp_path / ".env").write_text("XCYQ_API_KEY=sk-first-0123\nGLOBALAIOPC_API_KEY=sk-second-0123\n")
    assert ApiKey.from_file(tmp_path).header("") == "sk-first-0123"


def test_a_key_comes_from_the_environment():
    key = ApiKey.from_environment({"XCYQ_API_KEY": f" {SECRET}\n"})
    assert key is not None
    assert key.header("Bearer") == f"Bearer {SECRET}"
    assert key.source == "XCYQ_API_KEY"


@pytest.mark.parametrize("environment", [{}, {"XCYQ_API_KEY": ""}, {"XCYQ_API_KEY": " \n"}, {"OPENAI_API_KEY": SECRET}])
def test_no_key_in_the_environment_is_no_key(environment):
    assert ApiKey.from_environment(environment) is None


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (f'"{SECRET}"', SECRET),
        (f"'{SECRET}'", SECRET),
        (f" ' {SECRET} '\n", SECRET),
        (f"''{SECRET}''", f"'{SECRET}'"),
        (f'"{SECRET}', f'"{SECRET}'),
        (f"'{SECRET}\"", f"'{SECRET}\""),
        ("'", "'"),
    ],
)
def test_one_pair_of_quotes_around_a_key_is_none_of_it(text, header):
    assert ApiKey(text).header("") == header
    assert ApiKey.from_environment({"XCYQ_API_KEY": text}).header("") == header
    if header == SECRET:
        assert "5ecret" not in ApiKey(text).hide(f"no: {SECRET}")


@pytest.mark.parametrize("text", ['""', "''", " ' ' "])
def test_quotes_around_nothing_are_no_key(text):
    assert ApiKey.from_environment({"XCYQ_API_KEY": text}) is None
    with pytest.raises(KeyFormatError, match="is empty"):
        ApiKey(text)


KEYS = [SECRET, "a?b>c~d?e>f~g", "q\"u\\o/t'e<d>&", "aaaaaaaab", "-is-not-ASCII"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "u", "u:", "user:"])
def test_a_key_is_hidden_in_the_base64_of_what_holds_it(key, encode, before):
    code = encode(f"{before}{key}@".encode()).decode()
    hidden = ApiKey(key).hide(f"Basic {code} was refused")
    assert code[4:-4] not in hidden
    assert "(the API key)" in hidden
    assert hidden.endswith(" was refused")


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "written", [str, str.upper, str.lower, quote, json.dumps, escape, lambda k: json.dumps(json.dumps(k))]
)
def test_a_key_is_hidden_however_it_is_written(key, written):
    text = written(key)
    assert ApiKey(key).hide(f"İ {text} \U0001f511").strip('İ \U0001f511"\\') == "(the API key)"


def in_base64(before: str, after: str, encode=base64.b64encode):
    return lambda key: encode(f"{before}{key}{after}".encode()).decode()


FORMS = {
    "plain": str,
    "capitals": str.upper,
    "percent": lambda k: "".join(f"%{ord(c):02x}" for c in k),
    "percent where needed": lambda k: quote(k, safe=""),
    "JSON": lambda k: json.dumps(k)[1:-1],
    "JSON in JSON": lambda k: json.dumps(json.dumps(k)[1:-1])[1:-1],
    "code points": lambda k: "".join(f"\\u{ord(c):04X}" for c in k),
    "code points in JSON": lambda k: "".join(f"\\\\u{ord(c):04x}" for c in k),
    "Python": lambda k: "".join(f"\\x{ord(c):02x}" for c in k),
    "HTML": escape,
    "HTML's numbers": lambda k: "".join(f"&#{ord(c)};" for c in k),
    "HTML's long numbers": lambda k: "".join(f"&#x000{ord(c):X};" for c in k),
    "in turn": lambda k: "".join(
        (c, f"%{ord(c):02X}", f"\\u{ord(c):04x}", f"&#{ord(c)};")[n % 4] for n, c in enumerate(k)
    ),
    "base64": in_base64("", ""),
    "base64 of more": in_base64("u:", "@host"),
    "base64 of more, safe": in_base64("user", "?", base64.urlsafe_b64encode),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_hidden_in_each_form_wherever_its_text_is_cut(key, form):
    written = form(key)
    text = f"so {written} it is"
    whole = ApiKey(key).hide(text)
    assert (whole[:3], whole[-6:]) == ("so ", " it is")
    assert len(whole.replace("(the API key)", "")) < 20
    for at in range(len(text) + 1):
        hider = Hider(ApiKey(key))
        assert hider(text[:at]) + hider(text[at:]) + hider.flush() == whole
    hider = Hider(ApiKey(key))
    assert "".join(map(hider, text)) + hider.flush() == whole


noise = st.text(max_size=6) | st.sampled_from(
    ["\\", "\\\\", "%", "%4", "&", "&#", "&lt", "\\u", "\\u00", "c2", "\x00", "İ"]
)

# Not the beginning of an escape that the key's own first letters end.
apart = noise.filter(lambda text: not re.search(r"(?:%[2-7]?|\\(?:u[0-7]*|x[2-7]?)|&#?x?\w*)\Z", text))


@given(
    st.sampled_from(KEYS),
    st.sampled_from([*FORMS.values()]),
    st.tuples(apart, apart, noise),
    st.integers(0, 200),
    st.lists(st.integers(0, 250), max_size=6),
)
def test_what_is_shown_does_not_depend_on_where_a_text_is_cut(key, form, around, begun, at):
    written = form(key)
    text = f"{around[0]}{written}{around[1]}{written[:begun]}{around[2]}"
    cuts = [0, *sorted(n for n in at if n < len(text)), len(text)]
    hider, whole = Hider(ApiKey(key)), Hider(ApiKey(key))
    assert "".join([hider(text[a:b]) for a, b in pairwise(cuts)]) + hider.flush() == whole(text) + whole.flush()


CUT = [
    f"{SECRET[:15]}…",
    f"'{SECRET[:12]}'… (8 more characters)",
    f"{SECRET[:9]}...",
    f"…\n{SECRET[4:]}",
    f"... {SECRET[-8:]}",
]


@pytest.mark.parametrize("text", [*CUT, *map(str.upper, CUT)])
def test_a_piece_of_the_key_where_a_text_was_cut_is_hidden(text):
    hidden = ApiKey(SECRET).hide(f"so {text} it is")
    assert "(the API key)" in hidden
    assert not [n for n in range(len(SECRET) - 4) if SECRET[n : n + 5].lower() in hidden.lower()]


@pytest.mark.parametrize("text", ["sk-…", f"{SECRET[:7]}...", f"{SECRET[:12]} is one", f"… and {SECRET[4:]}", "…" * 9])
def test_what_is_no_piece_of_the_key_is_shown(text):
    assert ApiKey(SECRET).hide(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "XCYQ_API_KEY=another-key",
        "export XCYQ_API_KEY='another-key'",
        "os.environ['XCYQ_API_KEY'] = 'another-key'",
        'os.environ["XCYQ_API_KEY"]="another-key',
        "{'XCYQ_API_KEY': 'another-key'}",
        "os.putenv('XCYQ_API_KEY', 'another-key')",
        "dict(XCYQ_API_KEY='another-key')",
    ],
)
def test_a_key_that_a_text_assigns_is_hidden(text):
    assert hide_assigned(f"so\n{text}\nit is") == f"so\n{text}\nit is".replace("another-key", "(the API key)")


@pytest.mark.parametrize(
    "text",
    [
        "os.environ['XCYQ_API_KEY'] = getpass.getpass('key')",
        "key = os.environ['XCYQ_API_KEY']",
        "Set XCYQ_API_KEY, or type %chat_key",
        "XCYQ_API_KEY=$OTHER_KEY_OF_MINE",
        "XCYQ_API_KEY=f'{other_key_of_mine}'",
        "XCYQ_API_KEY=EMPTY",
    ],
)
def test_code_that_holds_no_key_stays(text):
    assert hide_assigned(text) == text


@pytest.mark.parametrize("text", ["sk", "so %", "\\", "a &", "&", "c2st", "50 %, sk-", f"{SECRET[:-1]}"])
def test_what_was_held_back_is_shown_when_nothing_follows(text):
    hider = Hider(ApiKey(SECRET))
    shown = hider(text)
    assert len(shown) < len(text)
    assert shown + hider.flush() == text


def test_no_more_is_held_back_than_a_key_can_take():
    hider = Hider(ApiKey(SECRET))
    for piece in ("\\", "%", "&", "&#0", "s", "\\u0", SECRET[:-1], "A"):
        text = "".join(hider(piece) for _ in range(3_000))
        assert len(text) > 3_000 * len(piece) - 1_200
        hider.flush()


# Whatever a gateway sends, hiding the key takes as long as there is text: a million of one character took hours.

UNKIND = r"""
import base64, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from xcyq_magic.gateway.credentials import ApiKey, Hider, hide_assigned
size, key = 250_000, sys.argv[1]
units = ["\\", "%", "&", key[0], key[:-1], "\\u0041", "\\u00", "&#x" + "0" * 50, "\0", key[0] + "\\" * 30]
units += [f"%{ord(key[0]):02x}\\", base64.b64encode(key.encode()).decode()[:-6]]
units += ["... ", key[:9] + "...", "...  '" + key[1:], "XCYQ_API_KEY", "XCYQ_API_KEY'" + " " * 99]
units += ["XCYQ_API_KEY='" + "a" * 99 + "("]
for unit in units:
    text = (unit * (size // len(unit) + 1))[:size]
    hide_assigned(ApiKey(key).hide(text))
    text = "%41" + text
    ApiKey(key).hide(text)
    hider = Hider(ApiKey(key))
    for at in range(0, size, 1_000):
        hider(text[at : at + 1_000])
    hider.flush()
    print("done", flush=True)
"""


@pytest.mark.parametrize("key", [SECRET, "a" * 20 + "b", "\\-" * 10])
def test_much_of_anything_is_looked_through_in_seconds(key):
    unkind = [sys.executable, "-c", UNKIND, key]
    done = subprocess.run(unkind, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("done")) == (0, "", 18)
