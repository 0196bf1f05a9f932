"""The settled output: a static bundle of MIME types that needs no kernel, no widget and no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.messages import Image
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME, section_record, turn_record
from xcyq_magic.display.caption import advice, completion_caption, failure_caption, opening_caption
from xcyq_magic.display.markup import escape, plain_line, to_html_sections, without_controls
from xcyq_magic.display.sections import Sections, sources
from xcyq_magic.display.style import folded, output, quiet, section_body, styled
from xcyq_magic.media.fit import EDGE, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Media, Message
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome


_MOST = 12  # shown for one message; more are counted


def attachments(prompt: Message | None) -> str:
    """The media of a prompt in a row, as HTML; nothing if there is none."""
    media = prompt.media if prompt else ()
    if not media:
        return ""
    more = len(media) - _MOST
    rest = f"<figure><figcaption>and {more} more</figcaption></figure>" if more > 0 else ""
    return f'<div class="xcyq-media xcyq-quiet">{"".join(map(figure, media[:_MOST]))}{rest}</div>'


def figure(part: Media, note: str = "") -> str:
    """One picture, or the name of a video, with what is known of it below, and a `note`."""
    caption = f"<figcaption>{escape(' · '.join(t for t in (caption_of(part), note) if t))}</figcaption>"
    if not isinstance(part, Image):
        return f"<figure>{caption}</figure>"
    width, height = _shown_size(part)
    name = escape(part.name or "picture")
    return f'<figure><img src="{thumbnail(part)}" alt="{name}" width="{width}" height="{height}">{caption}</figure>'


def _shown_size(image: Image) -> tuple[int, int]:
    """Pixels on the page, half of the thumbnail's."""
    scale = min(1.0, EDGE / max(image.width, image.height, 1)) / 2
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def caption_of(part: Media) -> str:
    """A picture or a video in words: what it is called, and how it is sent."""
    return " · ".join(t for t in (part.name, part.caption) if t)


Bundle: TypeAlias = dict[str, Any]


def turn_bundle(outcome: Outcome, label: str = "") -> Bundle:
    """The settled output of a turn; `label` stands in its caption."""
    return turn_bundles(outcome, label)[0]


def turn_bundles(outcome: Outcome, label: str = "", sections: Sections | None = None) -> list[Bundle]:
    """The settled outputs of a turn, one for each section of its reply."""
    sections = sections or Sections()
    turn = outcome.turn
    if turn is None:
        caption = failure_caption(outcome.reply, label)
        lines = [caption, *outcome.reply.notices]
        html = "".join(quiet(line) for line in lines)
        return [{"text/html": styled(html), "text/plain": plain_line("\n".join(f"[{line}]" for line in lines))}]
    attached = attachments(outcome.reply.prompt)
    first, *more = _completion_bundles(turn.completion, outcome.reply.notices, label, attached, sections)
    name = outcome.conversation.name if any(t.id == turn.id for t in outcome.conversation.turns) else None
    record = turn_record(
        turn,
        name,
        "".join(bundle["text/plain"] for bundle in (first, *more)),
        sections=(sections.id, sections.count) if more else None,
        elsewhere=outcome.instead_of is not None,
        instead_of=outcome.instead_of,
    )
    return [{**first, TURN_MIME: record}, *more]


def completion_bundle(completion: Completion) -> Bundle:
    """A completion, for people: HTML, and its Markdown."""
    return _completion_bundles(completion, (), "", "", Sections())[0]


def _completion_bundles(
    completion: Completion, notices: Sequence[str], label: str, attached: str, sections: Sections
) -> list[Bundle]:
    """An output for each section; `attached` is the HTML of what went along with the prompt."""
    caption, next_step = completion_caption(completion, label), advice(completion)
    head = _head(caption, notices, attached, completion.reasoning)
    plain = sources(completion.text, sections.lines)
    # Half an answer must not look whole where only text is shown.
    if completion.partial is not None or next_step is not None:
        plain[-1] = f"{plain[-1]}\n\n[{caption}]".lstrip("\n")
    html = _html_of(completion.text, sections)
    bodies = [section_body(h, number, last=number == len(html) - 1) for number, h in enumerate(html)]
    bodies[-1] += quiet(next_step) if next_step else ""
    first = {"text/html": styled(head + bodies[0]), "text/plain": without_controls(plain[0])}
    more = zip(map(output, bodies[1:]), plain[1:], strict=True)  # the style element of the first is for the whole page
    return [first, *(_section(*said, sections.id, number) for number, said in enumerate(more, 1))]


def _html_of(text: str, sections: Sections) -> list[str]:
    """The HTML of each section: what has been rendered is final, unless there are definitions, which may be below."""
    done = len(sections.html)
    if not done or "]:" in text:
        return to_html_sections(text, sections.lines)
    begin = sections.lines[done - 1]
    rest = sources(text, [begin])[1]
    return [*sections.html, *to_html_sections(rest, [line - begin for line in sections.lines[done:]])]


def opening_bundle(reply: LiveReply, label: str, html: str, source: str, of: str) -> Bundle:
    """The first output of the reply `of`, which goes on in further ones and is not known to the end yet."""
    reasoning = "".join(reply.builder.reasoning_pieces)
    head = _head(opening_caption(reply, label), reply.notices, attachments(reply.prompt), reasoning)
    return _section(styled(head + section_body(html, 0)), source, of, 0)


def section_bundle(html: str, source: str, of: str, number: int) -> Bundle:
    """A further output of the reply `of`, before its last: `html` is its section's, `source` the Markdown of that."""
    return _section(output(section_body(html, number)), source, of, number)


def _head(caption: str, notices: Sequence[str], attached: str, reasoning: str) -> str:
    return "".join([quiet(caption), *map(quiet, notices), attached, folded("Reasoning", reasoning)])


def _section(html: str, source: str, of: str, number: int) -> Bundle:
    return {"text/html": html, "text/plain": without_controls(source), SECTION_MIME: section_record(of, number)}
