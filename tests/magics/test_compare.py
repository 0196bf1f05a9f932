"""What `%%compare` and `%chat_keep` take, in a plain IPython."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from dataclasses import replace

import pytest
from PIL import Image

from xcyq_magic import Comparison, unload_ipython_extension
from xcyq_magic.display.settled_comparison import comparison_bundle
from xcyq_magic.errors import InputError, NotFoundError, OptionError, XcyqError
from xcyq_magic.magics.context import Context

ECHO = "sandbox: first 0\nsandbox: pace 5000 20\nsandbox: echo\n"


def asked(sandbox) -> dict:
    return {r.body["model"]: r.body for r in sandbox.received}


def width_sent(body: dict) -> int:
    url = next(p["image_url"]["url"] for p in body["messages"][-1]["content"] if p["type"] == "image_url")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).width


def test_models_and_options_stand_in_any_order(run, shell, sandbox):
    run(
        f"%%compare -t 0.3 gpt-5.5{{,-low}} -s 'Be brief.' gemini-3.1-*-official -o found --repeat 1\n{ECHO}Hello {{x}}"
    )
    # They travel at once: which arrives first is chance.
    assert set(asked(sandbox)) == {"gpt-5.5", "gpt-5.5-low", "gemini-3.1-pro-preview-official"}
    for body in asked(sandbox).values():
        assert body["temperature"] == 0.3
        assert [m["role"] for m in body["messages"]] == ["system", "user"]
        assert body["messages"][1]["content"].endswith("Hello {x}")
    comparison = shell.user_ns["_comparison"]
    assert isinstance(comparison, Comparison)
    assert shell.user_ns["found"] is comparison
    assert list(comparison) == ["gpt-5.5", "gpt-5.5-low", "gemini-3.1-pro-preview-official"]
    assert [reply.text for reply in comparison.values()] == ["Hello {x}"] * 3


def test_what_is_attached_is_fitted_for_each_model(run, sandbox, shell):
    shell.user_ns["photo"] = Image.new("RGB", (3000, 30), (200, 100, 50))
    run("%%compare gpt-5.5 claude-opus-4-6 claude-opus-4-7\nsandbox: vary\nLook at {{ photo }}.")
    assert {m: width_sent(b) for m, b in asked(sandbox).items()} == {
        "gpt-5.5": 2048,
        "claude-opus-4-6": 1568,
        "claude-opus-4-7": 2576,
    }


def test_of_a_reply_that_came_at_once_no_pace_is_told(run, shell, capsys):
    run("%config GatewaySettings.prices = {'*': (0.001, 0.002)}")
    run("%%compare gpt-5.5 gpt-5.4\nsandbox: markdown 900\nsandbox: for gpt-5.4: pace 100 20")
    frame = shell.user_ns["_comparison"].to_frame()
    assert frame["tokens_per_s"].isna().tolist() == [True, False]
    table = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\| (model|gpt)", line)]
    head, *rows = ([cell.strip() for cell in line.split("|")] for line in table)
    by_name = {row[1]: dict(zip(head, row, strict=True)) for row in rows}
    assert by_name["gpt-5.5"]["tokens/s"] == ""
    assert "*" not in by_name["gpt-5.4"]["tokens/s"]  # the best of one is none
    assert float(by_name["gpt-5.4"]["tokens/s"]) > 0
    assert re.fullmatch(r"0\.0000\d+", by_name["gpt-5.5"]["cost"].strip("*"))


def test_the_terminal_shows_one_after_another_and_a_table_at_the_end(run, sandbox, capsys):
    run(
        f"%%compare gpt-5.5 gpt-5.5-low claude-opus-4-7 --judge gpt-5.4 --diff\n{ECHO}"
        "sandbox: for claude-*: status 400\nsandbox: for gpt-5.5: first 0.3\n"
        "Hello \x1b[31m**you**"
    )
    out = capsys.readouterr().out
    best = re.search(r"## Best, says gpt-5\.4: (\S+)", out)[1]  # the judge sees the replies in an order of chance
    places = [
        "## gpt-5.5\n\nHello [31m**you**\n",
        "## gpt-5.5-low\n\nHello [31m**you**\n",
        "## claude-opus-4-7\n",
        "The gateway refused with 400",
        "gpt-5.4 judges …",
        "| model ",
        f"## Best, says gpt-5.4: {best}\n",
        "It saw the replies without names: 1 was gpt-5.5",
        "## What differs\n\nThey say the same.",
        f"[%chat_keep {best} takes that answer into the conversation.]",
    ]
    at = 0
    for place in places:
        found = out.find(place, at)
        assert found >= 0, f"{place!r} is not in {out[at:]!r}"
        at = found
    assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    ("cell", "error", "said"),
    [
        ("%%compare gpt-5.5\nHello", OptionError, "at least two models, and this has gpt-5.5 alone"),
        ("%%compare\nHello", OptionError, "this has no model"),
        ("%%compare gpt-5.5 gpt-5.5\nHello", OptionError, "--repeat 2"),
        ("%%compare gpt-6* gpt-5.5\nHello", OptionError, "Near it are gpt-5."),
        ("%%compare claude-*\nHello", OptionError, "12 is the limit"),
        ("%%compare gpt-5.5 gpt-5.4\n", InputError, "Write it below the %%compare line."),
        ("%%compare gpt-5.5 gpt-5.4\n  \n", InputError, "The prompt is empty, so nothing was sent."),
        ("%%compare gpt-5.5 -m gpt-5.4\nHello", OptionError, "%%compare has no option -m"),
        ("%%compare gpt-5.5 gpt-5.4 --jugde x\nHello", OptionError, "Did you mean --judge?"),
        ("%%compare gpt-5.5 --repeat two\nHello", OptionError, "--repeat takes a whole number"),
        ("%%compare gpt-5.5 gpt-5.4 -s 'Be brief\nHello", OptionError, "is not closed"),
        ("%%compare gpt-5.5 gpt-5.4 -t 9\nHello", InputError, "temperature is a number from 0 to 2"),
        ("%chat_keep gpt-5.5", InputError, "There is no comparison to keep an answer from."),
    ],
)
def test_what_cannot_be_compared_says_what_to_type_and_sends_nothing(run, sandbox, cell, error, said):
    with pytest.raises(error) as failed:
        run(cell)
    assert said in str(failed.value)
    assert sandbox.received == []


def test_the_limit_is_a_setting(run, sandbox):
    run("%config ChatSettings.compare_limit = 3")
    with pytest.raises(OptionError, match="3 is the limit"):
        run("%%compare gpt-5.4*\nHello")
    run("%config ChatSettings.compare_limit = 5")
    run(f"%%compare gpt-5.4*\n{ECHO}Hello")
    assert len(sandbox.received) == 5


def test_a_film_is_refused_by_the_models_that_take_none_before_the_others_are_asked(run, sandbox, shell, capsys):
    from xcyq_magic.chat.parts import Video

    shell.user_ns["film"] = Video(b"\x00\x00\x00\x18ftypmp42" + bytes(40), "video/mp4", "film.mp4")
    run("%%compare gpt-5.5 gemini-2.5-pro\nsandbox: first 0\nWhat happens in {{ film }}?")
    assert list(asked(sandbox)) == ["gemini-2.5-pro"]
    comparison = shell.user_ns["_comparison"]
    assert comparison["gemini-2.5-pro"].partial is None
    assert "video" in comparison["gpt-5.5"].message
    out = capsys.readouterr().out
    assert out.index(comparison["gpt-5.5"].message) < out.index("## gemini-2.5-pro")


def test_a_kept_answer_is_a_turn_and_keeping_another_replaces_it(run, shell, sandbox, capsys):
    run("%chat one")
    run("%%compare gpt-5.5 claude-opus-4-7\nsandbox: vary\nWhich one?")
    run("%chat and before keeping?")
    assert len(sandbox.received[-1].body["messages"]) == 3
    run("%chat_undo")
    run("%chat_keep claude-opus-4-7")
    assert "Kept: the answer of claude-opus-4-7. The conversation main has 2 turns now." in capsys.readouterr().out
    assert shell.user_ns["_reply"].model == "claude-opus-4-7"
    run("%chat_keep 1")
    said = "Kept: the answer of gpt-5.5, in place of that of claude-opus-4-7. The conversation main has 2 turns now."
    assert said in capsys.readouterr().out
    run("%chat_keep 1")
    assert "Kept: the answer of gpt-5.5. The" in capsys.readouterr().out
    assert shell.user_ns["_reply"].model == "gpt-5.5"
    run("%chat and now?")
    *_, prompt, kept, _ = sandbox.received[-1].body["messages"]
    assert prompt["content"].endswith("Which one?")
    assert "`gpt-5.5`" in kept["content"]
    assert str(sandbox.received[-1].body).count("Which one?") == 1
    with pytest.raises(InputError, match=r"The last comparison has 1 gpt-5.5, 2 claude-opus-4-7"):
        run("%chat_keep")
    with pytest.raises(OptionError, match="nothing was kept"):
        run("%chat_keep gpt-5.4")


def keeping(bundle: dict, column: int) -> str:
    """What the button of a column types."""
    arguments = re.findall(r'data-commandlinker-args="(.*?)"', bundle["text/html"])[column - 1]
    return json.loads(html.unescape(arguments))["args"]["text"]


def test_a_button_keeps_the_answer_of_its_own_comparison(run, shell, sandbox, capsys):
    run("%%compare gpt-5.5 claude-opus-4-7\nsandbox: vary\nThe first?")
    first = comparison_bundle(shell.user_ns["_comparison"], "")
    run("%%compare gemini-2.5-pro gpt-5.4\nsandbox: vary\nThe second?")
    second = comparison_bundle(shell.user_ns["_comparison"], "")
    run(keeping(first, 2))
    assert "Kept: the answer of claude-opus-4-7." in capsys.readouterr().out
    run(keeping(second, 1))
    assert "Kept: the answer of gemini-2.5-pro." in capsys.readouterr().out
    run("%chat and on")
    assert [m["content"].split("\n")[-1] for m in sandbox.received[-1].body["messages"][::2]] == [
        "The first?",
        "The second?",
        "and on",
    ]
    run(keeping(first, 1))  # instead of the other one of the first
    assert "The conversation main has 3 turns now." in capsys.readouterr().out


def test_a_button_of_a_comparison_that_is_not_known_keeps_nothing(run, shell, sandbox):
    run("%%compare gpt-5.5 claude-opus-4-7\nWhich one?")
    typed = keeping(comparison_bundle(replace(shell.user_ns["_comparison"], asked_at=1.25), ""), 2)
    with pytest.raises(
        InputError, match=r"of \d\d:\d\d:\d\d.250 has not run in this kernel; nothing was kept"
    ) as raised:
        run(typed)
    assert raised.value.hint == "Run its cell first."
    for n in range(20):  # those that are long past are not known any more
        run(f"%%compare gpt-5.5 gpt-5.4\nQuestion {n}?")
    assert len(Context.of(shell).session.compared) == 20


def test_who_answers_after_a_kept_answer_is_said_where_it_is_another_model(run, capsys):
    run("%%compare gpt-5.5 claude-sonnet-4-6\nWhich one?")
    run("%chat_keep gpt-5.5")
    note = "Its next prompt goes to claude-sonnet-4-6. %chat_model gpt-5.5 goes on with that model instead."
    assert note in capsys.readouterr().out
    run("%chat_keep claude-sonnet-4-6")
    assert "next prompt" not in capsys.readouterr().out


def test_the_way_on_with_a_kept_model_leads_through_the_conversation_that_it_is_in(run, sandbox, capsys):
    run("%%compare gpt-5.5 claude-sonnet-4-6 -c idea\nWhich one?")
    run("%chat_keep gpt-5.5")
    way_on = "Its next prompt goes to claude-sonnet-4-6. After %chat_switch idea, %chat_model gpt-5.5 goes on with"
    assert way_on in capsys.readouterr().out
    run("%chat_switch idea")
    run("%chat_model gpt-5.5")
    run("%chat_switch main")
    run("%chat -c idea and on")
    assert sandbox.received[-1].body["model"] == "gpt-5.5"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("gemini", "Type %chat_keep 2 for gemini-3-flash-preview."),
        ("GPT-5.5", "Type %chat_keep 1 for gpt-5.5."),
        ("gpt-6", "Type its number: 1 for gpt-5.5, 2 for gemini-3-flash-preview."),
        ("3", "Type its number: 1 for gpt-5.5, 2 for gemini-3-flash-preview."),
        ("--off 1", "Did you mean --of?"),
    ],
)
def test_a_column_that_is_not_there_is_offered_by_its_number(run, typed, hint):
    run("%%compare gpt-5.5 gemini-3-flash-preview\nWhich one?")
    with pytest.raises(OptionError) as raised:
        run(f"%chat_keep {typed}")
    assert raised.value.hint == hint


def marked(run, capsys) -> list[str]:
    """The numbers of the turns as the history lists them, a `*` behind those that are older than what they follow."""
    capsys.readouterr()
    run("%chat_history")
    lines = capsys.readouterr().out.split("\n")[2:]
    return [line[:4].strip() for line in lines if line[:1].isdigit()]


def test_a_turn_that_follows_an_answer_which_it_never_saw_is_marked(run, capsys):
    run("%chat above")
    run("%%compare gpt-5.5 gpt-5.4\nWhich one?")
    run("%chat_keep 1")
    assert marked(run, capsys) == ["1", "2"]
    run("%chat next")
    assert marked(run, capsys) == ["1", "2", "3"]
    run("%chat_keep 2")
    assert marked(run, capsys) == ["1", "2", "3 *"]
    run("%chat and this has seen it")
    assert marked(run, capsys) == ["1", "2", "3 *", "4"]
    run("%chat_keep 2")
    assert marked(run, capsys) == ["1", "2", "3 *", "4"]
    run("%chat_keep 1")
    assert marked(run, capsys) == ["1", "2", "3 *", "4 *"]


def test_the_mark_comes_back_from_a_notebook(run, capsys, tmp_path):
    run("%%compare gpt-5.5 gpt-5.4\nWhich one?")
    run("%chat_keep 1")
    run("%chat next")
    run("%chat_keep 2")
    run(f"%chat_save {tmp_path}/chat.ipynb")
    run(f"%chat_load {tmp_path}/chat.ipynb")
    assert marked(run, capsys) == ["1", "2 *"]


def test_an_answer_that_is_kept_late_is_older_than_what_was_asked_meanwhile(run, capsys):
    run("%%compare gpt-5.5 gpt-5.4\nWhich one?")
    run("%chat meanwhile")
    run("%chat_keep 1")
    assert marked(run, capsys) == ["1", "2 *"]


def test_a_dry_run_shows_each_request_and_sends_nothing(run, sandbox, capsys):
    run("%%compare gpt-5.5 claude-opus-4-7 --dry-run\nHello")
    out = capsys.readouterr().out
    assert "Dry run: nothing was sent · gpt-5.5" in out
    assert "Dry run: nothing was sent · claude-opus-4-7" in out
    assert sandbox.received == []


@pytest.mark.parametrize(
    ("judge", "way_on"),
    [("claude-opus-47", "Did you mean claude-opus-4-7?"), ("xyz", "%chat_models lists those that are known.")],
)
@pytest.mark.parametrize("dry", ["", " --dry-run"])
def test_a_judge_that_is_not_known_is_remarked_on_before_anything_is_sent(run, sandbox, capsys, *, dry, judge, way_on):
    run(f"%%compare gpt-5.5 gpt-5.4 --judge {judge}{dry}\n{ECHO}Hello")
    remark = f"The judge {judge} is not in the catalogue; requests use it as typed. {way_on}\n"
    assert capsys.readouterr().out.startswith(remark)
    assert len(sandbox.received) == (0 if dry else 3)


def test_a_judge_that_is_known_is_not_remarked_on(run, capsys):
    run(f"%%compare gpt-5.5 gpt-5.4 --judge claude-opus-4-7\n{ECHO}Hello")
    assert "catalogue" not in capsys.readouterr().out


def test_a_comparison_from_python_is_shown_and_is_the_last_one(run, shell, sandbox):
    run(f"from xcyq_magic import compare\nfound = compare(['gpt-5.5', 'gpt-5.4'], {ECHO + 'Hello'!r})")
    assert shell.user_ns["_comparison"] is shell.user_ns["found"]
    formatted, _ = shell.display_formatter.format(shell.user_ns["found"])
    assert set(formatted) >= {"text/html", "text/plain", "application/vnd.xcyq.comparison+json"}
    run("%chat_keep gpt-5.4")
    unload_ipython_extension(shell)
    formatted, _ = shell.display_formatter.format(shell.user_ns["found"])
    assert set(formatted) == {"text/plain"}


BRACES = {
    "nested": "{" * 1500 + "}" * 1500,
    "in a row": "{,}" * 1500,
    "open": "{" * 1500,
    "around names": "{a," * 1500 + "b" + "}" * 1500,
    "very many": "{" * 200_000 + "}" * 200_000,
    "in a row, of one": "{}" * 1500,
}


@pytest.mark.parametrize("word", BRACES.values(), ids=BRACES)
def test_braces_without_end_are_refused_in_a_line_or_two(run, sandbox, word):
    with pytest.raises(OptionError, match="more than 50 braces") as raised:
        run(f"%%compare gpt-5.5 {word}\nhi")
    assert len(str(raised.value)) < 250
    assert sandbox.received == []


def test_many_braces_that_mean_something_are_expanded(run, sandbox):
    run("%%compare " + "{" * 49 + "gpt-5.5,gpt-5.4" + "}" * 49 + "\nhi")
    assert {r.body["model"] for r in sandbox.received} == {"gpt-5.5", "gpt-5.4"}


# Which conversation a comparison belongs to

COMPARED = f"%%compare gpt-5.5 gemini-2.5-pro\n{ECHO}Which?"


def turns(shell, name: str | None = None) -> list[str]:
    session = shell.magics_manager.registry["xcyq_magic"].context.session
    return [t.prompt.text.removeprefix(ECHO) for t in session.conversation(name).turns]


@pytest.mark.parametrize("away", ["%chat_reset", "%chat_load {file}"])
def test_an_answer_is_kept_in_the_conversation_that_was_asked(run, shell, capsys, tmp_path, away):
    file = tmp_path / "other.json"
    file.write_text('[{"role": "user", "content": "other"}, {"role": "assistant", "content": "reply"}]')
    run("%chat secret")
    run(COMPARED)
    capsys.readouterr()
    run(away.format(file=file))
    (back,) = re.findall(r"%chat_switch (\w+)", capsys.readouterr().out)[-1:]
    fresh = turns(shell)
    for answer in ("1", "gemini-2.5-pro"):
        with pytest.raises(InputError, match=f"nothing was kept.\n%chat_switch {back} goes back to it"):
            run(f"%chat_keep {answer}")
    assert turns(shell) == fresh
    run(f"%chat_switch {back}")
    run("%chat_keep 1")
    assert turns(shell) == ["secret", "Which?"]


def test_an_answer_is_kept_from_another_conversation_too(run, shell):
    run("%chat one")
    run(COMPARED)
    run("%chat_switch --new other")
    run("%chat_keep 1")
    assert (turns(shell), turns(shell, "main")) == ([], ["one", "Which?"])


def test_an_answer_that_followed_nothing_is_kept_after_a_reset_with_nothing_to_forget(run, shell, capsys):
    run(COMPARED)
    run("%chat_reset")
    assert "no turns to set aside" in capsys.readouterr().out
    run("%chat_keep 2")
    assert turns(shell) == ["Which?"]
    run("%chat_reset")
    with pytest.raises(InputError, match="nothing was kept"):
        run("%chat_keep 1")
    run(COMPARED)  # again, after this one
    run("%chat_keep 1")
    assert turns(shell) == ["Which?"]


def test_a_comparison_that_nobody_answers_leaves_the_one_before_to_keep_from(run, sandbox, capsys):
    run("%%compare gpt-5.5 gpt-5.4\nHello")
    with pytest.raises(XcyqError):
        run("%%compare gpt-5.5 gpt-5.4\nsandbox: status 400\nHello again")
    capsys.readouterr()
    run("%chat_keep 2")
    assert "Kept: the answer of gpt-5.4." in capsys.readouterr().out
    run("%chat and then?")
    assert [m["content"] for m in sandbox.received[-1].body["messages"]][::2] == ["Hello", "and then?"]


@pytest.mark.parametrize("words", ["what is best", "what is better?", "Is it?"])
def test_a_sentence_behind_the_models_is_no_model(run, sandbox, words):
    run("%chat_sandbox")
    with pytest.raises(OptionError, match=f"'{re.escape(words)}' would be models; nothing was sent") as raised:
        run(f"%%compare gpt-5.5 claude-opus-4-7 {words}\nHello")
    assert raised.value.hint == "The prompt goes below the %%compare line."
    run("%%compare gpt-5.5 mistral grok\nHello")  # the gateway may have a model of that name


def test_a_server_of_ones_own_may_have_models_of_any_name(run, sandbox):
    with pytest.raises(NotFoundError):
        run("%%compare what is best\nHello")
    assert sorted(r.body["model"] for r in sandbox.received) == ["best", "is", "what"]
