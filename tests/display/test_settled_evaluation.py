"""Models over cases: what is said about each, what may be chance, where they differ; settled, live and in a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace

import hostile
import pytest

from xcyq_magic.chat.completion import Completion, Usage
from xcyq_magic.chat.evaluation import Evaluation
from xcyq_magic.chat.rows import Row, Rows
from xcyq_magic.display.caption import rows_line, score_text
from xcyq_magic.display.settled_evaluation import evaluation_bundle, means
from xcyq_magic.display.views.live_rows import matrix_html
from xcyq_magic.errors import CheckError, IncompleteReplyError, ServerError
from xcyq_magic.session.asking import Outlook, Progress
from xcyq_magic.session.spending import Estimate

FORMS = ("text/html", "text/plain")


def row(label: object, text: str, score: float | None = None, **more) -> Row:
    completion = Completion(text, "m", "m", usage=Usage(10, 5, 15), first_token_s=0.5, duration_s=1.5)
    return Row(label, more.pop("case", f"case {label}"), completion, score=score, cost=0.02, **more)


def evaluation(by: str = "is_right", *, judged: bool = False, **scores) -> Evaluation:
    """One with these scores, by model; a row that is none stands for itself."""
    rows = {
        model.replace("_", "-"): Rows(
            [s if isinstance(s, Row) else row(n, f"{model} says {n}", s) for n, s in enumerate(of)], model
        )
        for model, of in scores.items()
    }
    return Evaluation(rows, by, judged=judged)


def text_of(html: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)


def said(found: Evaluation) -> tuple[str, str]:
    """What both forms say."""
    bundle = evaluation_bundle(found)
    return text_of(bundle["text/html"]), bundle["text/plain"]


def test_each_model_has_its_score_its_interval_and_its_figures():
    found = evaluation(bad=[True] * 2 + [False] * 8, good=[True] * 9 + [False])
    for text in said(found):
        assert "is_right: the share of cases that it says yes to." in text
        assert "90 %" in text
        assert "60 to 98 %" in text  # Wilson's
        assert "20.0000" in text
        assert "0.50 s" in text
        assert text.index("good") < text.index("90 %") < text.index("bad") < text.index("20 %")
    table = evaluation_bundle(found)["text/plain"].split("\n")[2]
    heads = [cell.strip() for cell in table.strip("|").split("|")]
    assert heads == ["model", "score", "95 % interval", "cost of 1,000", "first token, p50", "total, p50", "failed"]


def test_an_interval_is_drawn_where_it_lies():
    html = evaluation_bundle(evaluation(a=[True] * 9 + [False], b=[False] * 10))["text/html"]
    first, second = re.findall(r'"xcyq-bar" style="width:(\d+)%;height:4px;margin:1px 0 2px (\d+)%', html)
    assert (first, second) == (("39", "60"), ("28", "0"))
    numbers = evaluation_bundle(evaluation(a=[-5.0, 5.0, 0.0, 2.0], b=[1.0, 1.0, 1.0, 1.0]))["text/html"]
    drawn = [(int(w), int(m)) for w, m in re.findall(r"width:(\d+)%;height:4px;margin:1px 0 2px (\d+)%", numbers)]
    assert len(drawn) == 2
    assert all(w + m <= 101 for w, m in drawn)
    assert "xcyq-bar" not in re.sub("<style>.*?</style>", "", _only_scores(a=[1.0, 1.0], b=[1.0, 1.0]), flags=re.DOTALL)


def _only_scores(**scores) -> str:
    """The HTML of one whose replies came from the store, so that the scores are the only figures."""
    found = evaluation(**scores)
    for rows in found.values():
        for r in rows:
            object.__setattr__(r.completion, "cached", True)
    return evaluation_bundle(found)["text/html"]


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (
            {"a": [True] * 12, "b": [False] * 12},
            "a is better than b: such a difference would come by chance in 0.049 %",
        ),
        ({"a": [True] * 99, "b": [False] * 99}, "by chance in less than 0.01 % of comparisons."),
        ({"a": [True, False], "b": [False, True]}, "a and b may be equally good: 2 cases are too few to tell."),
        ({"a": [True], "b": [False]}, "a and b may be equally good: 1 case is too few to tell."),
        ({"a": [0.5] * 9, "b": [0.5] * 9, "c": [0.5] * 9}, "All models may be equally good: 9 cases are too few"),
        (
            {"a": [True] * 20, "b": [False] * 20, "c": [False] * 20},
            "a is better than b and c: such differences would come by chance in less than 0.01 %",
        ),
    ],
)
def test_what_may_be_chance_is_said(scores, words):
    for text in said(evaluation(**scores)):
        assert words in text


def test_several_pairs_are_said_to_be_corrected_and_who_may_be_no_better():
    found = evaluation(a=[True] * 20, b=[True] * 19 + [False], c=[True] * 18 + [False] * 2, d=[False] * 20)
    for text in said(found):
        assert "a is better than d" in text
        assert "a may be no better than b and c: 20 cases are too few to tell." in text
        assert "corrected for comparing 6 pairs of models" in text
    first, second = evaluation(a=[True] * 20, b=[False] * 20), evaluation(a=[True] * 2, b=[False] * 2)
    best = "><strong>100 %</strong></td>"
    assert best in evaluation_bundle(first)["text/html"]  # only where it is not by chance
    assert best not in evaluation_bundle(second)["text/html"]


def test_a_judges_scores_are_shares_and_what_it_did_not_judge_is_said():
    found = evaluation("gpt-5.4", judged=True, a=[1.0, 0.5, None], b=[0.0, 0.5, None])
    for text in said(found):
        assert "Scored by the judge gpt-5.4: 1 for the best reply" in text
        assert "75 %" in text
        assert "gpt-5.4 gave no verdict about 1 case: run the cell again to ask it." in text
        assert "different scores in 1 of 3 cases" in text
    ties = evaluation("gpt-5.4", judged=True, a=[0.5] * 10, b=[0.5] * 10)
    assert "24 to 76 %" in said(ties)[1]  # ten ties are not certain


def test_without_a_score_the_answers_stand_side_by_side_where_they_differ():
    found = evaluation("", a=[None, row(1, "Same. ")], b=[row(0, "Rome."), row(1, "Same.")])
    for text in said(found):
        assert "Nothing was scored: --check FN or --judge MODEL does that." in text
        assert "different answers in 1 of 2 cases" in text
        assert "score |" not in text
        assert "a says 0" in text
        assert "Rome." in text
        assert "Same." not in text


@dataclass
class Answer:
    label: str
    why: str


def test_typed_answers_are_told_by_their_fields():
    typed = [row(0, "{}", data=Answer("good", "It is | sound"))]
    other = [row(0, "{ }", data=Answer("bad", "It leaks"))]
    for text in said(evaluation("", a=typed, b=other)):
        assert "label: good, why: It is" in text
        assert "label: bad, why: It leaks" in text
    same = evaluation("", a=typed, b=[row(0, "{ }", data=Answer("good", "It is | sound"))])
    assert "different answers in no case" in said(same)[0]


def test_failures_stand_after_what_differs_and_say_what_to_do():
    failed = Row(1, "case 1", error=ServerError("It is down.", "Wait a bit."))
    unasked = Row(2, "case 2", error=IncompleteReplyError("It was not asked.", "Run the cell again."), asked=False)
    found = evaluation(a=[True, failed, unasked], b=[False, True, unasked])
    for text in said(found):
        assert text.index("a says 0") < text.index("It is down.") < text.index("Wait a bit.")
        assert "3 questions without a complete answer: run the cell again, and only these are asked." in text
        assert "1 failed" in text
        assert "2 not asked" in text
        assert "case 2" not in text


def test_a_check_that_failed_is_said_with_its_reply():
    broken = row(1, "The reply.", error=CheckError("is_right failed: KeyError: 'x'", "Mend it, and run again."))
    for text in said(evaluation(a=[True, broken], b=[True, True])):
        assert "1 answer without a score: is_right failed: KeyError: " in text
        assert "Mend it, and run again." in text
        assert "The reply." in text
        assert "only these are asked" not in text  # its reply is there


def test_many_cases_are_folded_and_bounded():
    many = evaluation(a=[True] * 1_000, b=[False] * 1_000)
    bundle = evaluation_bundle(many)
    html = bundle["text/html"]
    assert len(html) < 250_000
    shown = html.count("a says ")
    assert f"{shown - 10} more cases</summary>" in html
    assert html.index("a says 9") < html.index("<details") < html.index("a says 10")
    assert f"{1_000 - shown} more cases in _comparison; _comparison.to_frame() is a table of all." in html
    assert "980 more cases in _comparison" in bundle["text/plain"]
    assert "in _comparison" not in evaluation_bundle(evaluation(a=[True] * 9, b=[False] * 9))["text/html"]


def test_huge_cases_and_answers_are_short():
    big = {"text": "word " * 400_000}
    found = evaluation(
        a=[row(0, "x " * 500_000, score=True, case=big)], b=[row(0, "y" * 1_000_000, score=False, case=big)]
    )
    bundle = evaluation_bundle(found)
    assert all(len(bundle[form]) < 12_000 for form in FORMS)
    assert all(len(line) < 300 for line in bundle["text/plain"].split("\n"))


def test_twelve_models_fold_what_is_said_about_them():
    scores = {f"m{n:02}": [True] * (6 * n) + [False] * (66 - 6 * n) for n in range(12)}
    html = evaluation_bundle(evaluation(**scores))["text/html"]
    lines = re.findall(r"m\d\d (?:is better|may be no better)", html)
    assert len(lines) > 4
    assert "more lines about the models</summary>" in html
    assert html.count("<th") >= 14 + 7


def test_one_model_and_one_case_are_enough():
    for text in said(evaluation(a=[True])):
        assert "1 model · 1 case" in text
        assert "The models" not in text
    assert "No" not in said(evaluation(a=[False]))[1]


@pytest.mark.parametrize(
    ("value", "share", "text"),
    [
        (0.853, True, "85 %"),
        (1, True, "100 %"),
        (0.7312, False, "0.731"),
        (1234.5, False, "1,234"),
        (-2.5, False, "-2.5"),
    ],
)
def test_a_score_has_three_digits(value, share, text):
    assert score_text(value, is_share=share) == text


def everywhere(text: str) -> Evaluation:
    """One with `text` wherever a model, a case or a check puts text."""
    case = {text: text, "answer": text}
    failed = row(text, text, case=case, error=CheckError(text, text))
    data = row(text, text, score=True, case=case, data={text: text})
    return Evaluation(
        {
            text: Rows([row(text, text, score=True, case=case), data, failed], text),
            f"{text}2": Rows([row(text, f"{text}.", score=False, case=case), row(text, text, score=False), data], text),
        },
        text,
    )


# Every third: each of them stands in all places at once.
@pytest.mark.parametrize("payload", [p for _, p in hostile.EVERY][::3])
def test_hostile_text_in_any_place_stays_text(payload):
    found = everywhere(payload)
    bundle = evaluation_bundle(found)
    tags = [re.findall(r"<(/?[a-z]+)(?: |>)", evaluation_bundle(e)["text/html"]) for e in (found, everywhere("word"))]
    assert {*tags[0]} <= {*tags[1], "span", "/span"}
    without_style = re.sub("<style>.*?</style>", "", bundle["text/html"], count=1, flags=re.DOTALL)
    assert not re.search(r"<[^>]*\son\w+\s*=", re.sub(r'"[^"]*"', '""', without_style))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", bundle["text/plain"])
    live = matrix_html(progress_of(found))
    marks = re.sub(r'="[^"]*"', "", live)
    assert {*re.findall(r"<(/?\w+)", marks)} <= {
        f"{s}{t}" for s in ("", "/") for t in ["div", "table", "tbody", "tr", "td", "i", "span"]
    }


# Live


def progress_of(found: Evaluation, *, judge: str = "", waiting: int = 0, **more) -> Progress:
    rows = {model: [*of] + [None] * waiting for model, of in found.items()}
    count = len(next(iter(rows.values())))
    outlook = Outlook(count, count * len(rows), 0, Estimate(0, None), 1 if judge else len(rows), judge)
    return Progress(outlook, [SimpleNamespace(name="gpt-5.5", retry=None)], rows, **more)


def marks_of(html: str) -> list[str]:
    return ["".join(re.findall("<i[^>]*>(.)</i>", line)) for line in html.split("<tr>")[1:]]


def test_each_case_has_a_mark_whose_shape_says_how_it_is():
    failed = Row(2, "c", error=ServerError("Down."))
    html = matrix_html(progress_of(evaluation(a=[True, False, failed, None], b=[False] * 4), waiting=2))
    assert marks_of(html) == ["✓✗!•··", "✗✗✗✗··"]
    assert 'title="0: yes"' in html
    assert 'title="2: failed"' in html
    assert "✓ yes, ✗ no, • answered, ! failed, · to come" in html
    assert re.findall(r"<td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", html) == [("a", "50 %"), ("b", "0 %")]


def test_numbers_are_marks_of_a_height_on_one_scale():
    assert marks_of(matrix_html(progress_of(evaluation(a=[0.0, 0.5, 1.0], b=[0.25] * 3)))) == ["▁▅█", "▃▃▃"]
    html = matrix_html(progress_of(evaluation(a=[10.0, 20.0], b=[30.0, 24.0])))
    assert marks_of(html) == ["▁▅", "█▆"]
    assert 'title="1: 20"' in html
    assert marks_of(matrix_html(progress_of(evaluation(a=[7.0], b=[7.0])))) == ["▄", "▄"]


@pytest.mark.parametrize(
    ("models", "cases", "marked"), [(2, 100, True), (2, 101, False), (6, 100, True), (7, 100, False)]
)
def test_many_cases_are_counted(models, cases, marked):
    found = evaluation(**{f"m{n}": [True] * (cases - 3) + [False] * 3 for n in range(models)})
    html = matrix_html(progress_of(found))
    assert (f"{cases - 3} yes, 3 no" in html) is not marked
    assert len(html) < 40_000


def test_the_line_says_who_answers_and_who_judges():
    found = evaluation(a=[True, False], b=[True, True])
    asked = progress_of(found, waiting=1, done=4, answered=4)
    assert rows_line(asked, "sandbox", per_s=2.0).startswith("2 models · sandbox · 4 of 6 answers · 2.0 answers/s")
    judged = progress_of(evaluation("j", judged=True, a=[0.5], b=[1.0]), judge="gpt-5.4", done=1)
    assert rows_line(judged).startswith("gpt-5.4 judges · 1 of 1 case")
    assert [*means(asked)] == [("a", "50 %"), ("b", "100 %")]
    assert [*means(judged)] == [("a", "50 %"), ("b", "100 %")]
    assert [*means(progress_of(evaluation(a=[None])))] == [("a", "")]
