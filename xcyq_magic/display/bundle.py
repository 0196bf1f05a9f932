"""The settled output: a static bundle of MIME types that needs no kernel, no widget and no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.messages import Image
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME, section_record, turn_record
from xcyq_magic.display.caption import advice, completion_caption, failure_caption, joined, opening_caption
from xcyq_magic.display.markup import escape, plain_line, to_html_sections, without_controls
from xcyq_magic.display.sections import Sections, sources
from xcyq_magic.display.style import LINE, folded, output, quiet, section_body, styled
from xcyq_magic.errors import MediaError
from xcyq_magic.media.fit import EDGE, REPLY_EDGE, thumbnail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.messages import Media, Message
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome

Bundle: TypeAlias = dict[str, Any]

_MOST_MEDIA = 12  # shown for one message; more are counted


# A turn


def turn_bundle(outcome: Outcome, label: str = "") -> Bundle:
    """Return the settled output of a turn; `label` stands in its caption."""
    return turn_bundles(outcome, label)[0]


def turn_bundles(outcome: Outcome, label: str = "", sections: Sections | None = None) -> list[Bundle]:
    """Return the settled outputs of a turn, one for each section of its reply.

    Parameters
    ----------
    outcome
        How the turn ended.
    label
        A word that stands in the caption, such as ``sandbox``.
    sections
        Where the sections begin; one section unless given.
    """
    sections = sections or Sections()
    turn = outcome.turn
    if turn is None:
        lines = [failure_caption(outcome.reply, label), *outcome.reply.notices]
        plain = plain_line("\n".join(f"[{line}]" for line in lines))
        return [{"text/html": styled("".join(map(quiet, lines))), "text/plain": plain}]
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
    """Return the output of a completion alone: HTML, and its Markdown."""
    return _completion_bundles(completion, (), "", "", Sections())[0]


def _completion_bundles(
    completion: Completion, notices: Sequence[str], label: str, attached: str, sections: Sections
) -> list[Bundle]:
    """Return an output for each section; `attached` is the HTML of what went along with the prompt."""
    caption, next_step = completion_caption(completion, label), advice(completion)
    plain = sources(completion.text, sections.lines)
    # Half an answer must not look whole where only text is shown.
    if completion.partial is not None or next_step is not None:
        plain[-1] = f"{plain[-1]}\n\n[{caption}]".lstrip("\n")
    html = _html_of(completion.text, sections)
    bodies = [section_body(h, number, last=number == len(html) - 1) for number, h in enumerate(html)]
    bodies[-1] += pictures(completion.images) + (quiet(next_step) if next_step else "")
    plain[-1] = "\n\n".join(filter(None, [plain[-1], *picture_lines(completion.images)]))
    head = _head(caption, notices, attached, completion.reasoning)
    first = {"text/html": styled(head + bodies[0]), "text/plain": without_controls(plain[0])}
    more = zip(map(output, bodies[1:]), plain[1:], strict=True)  # the style element of the first is for the whole page
    return [first, *(_section(*said, sections.id, number) for number, said in enumerate(more, 1))]


def _html_of(text: str, sections: Sections) -> list[str]:
    """Return the HTML of each section. What has been rendered is final, unless a definition may come after it."""
    done = len(sections.html)
    if not done or "]:" in text:
        return to_html_sections(text, sections.lines)
    begin = sections.lines[done - 1]
    rest = sources(text, [begin])[1]
    return [*sections.html, *to_html_sections(rest, [line - begin for line in sections.lines[done:]])]


# A section of a reply that still comes


def opening_bundle(reply: LiveReply, label: str, html: str, source: str, of: str) -> Bundle:
    """Return the first output of a reply that goes on in further ones, and is not known to its end yet.

    Parameters
    ----------
    reply
        The reply.
    label
        A word that stands in the caption.
    html, source
        The HTML of its first section, and the Markdown of that.
    of
        The id of the reply whose section it is.
    """
    reasoning = "".join(reply.builder.reasoning_pieces)
    head = _head(opening_caption(reply, label), reply.notices, attachments(reply.prompt), reasoning)
    return _section(styled(head + section_body(html, 0)), source, of, 0)


def section_bundle(html: str, source: str, of: str, number: int) -> Bundle:
    """Return a further output of a reply, before its last.

    Parameters
    ----------
    html, source
        The HTML of the section, and the Markdown of that.
    of
        The id of the reply whose section it is.
    number
        Of the section, from 0.
    """
    return _section(output(section_body(html, number)), source, of, number)


def _head(caption: str, notices: Sequence[str], attached: str, reasoning: str) -> str:
    return "".join([quiet(caption), *map(quiet, notices), attached, folded("Reasoning", reasoning)])


def _section(html: str, source: str, of: str, number: int) -> Bundle:
    return {"text/html": html, "text/plain": without_controls(source), SECTION_MIME: section_record(of, number)}


# The media of a prompt


def attachments(prompt: Message | None) -> str:
    """Return the media of a prompt in a row, as HTML; nothing if there is none."""
    return _row(prompt.media if prompt else (), EDGE)


def pictures(images: Sequence[Image]) -> str:
    """Return the pictures of a reply in a row, as HTML; nothing if there is none."""
    return _row(images, REPLY_EDGE)


def _row(media: Sequence[Media], edge: int) -> str:
    if not media:
        return ""
    more = len(media) - _MOST_MEDIA
    rest = _figure("", f"and {more} more") if more > 0 else ""
    figures = "".join(figure(part, edge=edge) for part in media[:_MOST_MEDIA])
    style = "display:flex;flex-wrap:wrap;gap:6px 14px;margin:4px 0 8px"
    return f'<div class="xcyq-media" style="{style}">{figures}{rest}</div>'


def figure(part: Media, note: str = "", edge: int = EDGE) -> str:
    """Return a picture as HTML, or the name of a video, with what is known of it below.

    Parameters
    ----------
    part
        A picture that cannot be read, as a gateway may send one, is named only.
    note
        What else to say of it.
    edge
        How many pixels of its longer side there are at most; half as many are shown.
    """
    source = ""
    if isinstance(part, Image):
        try:
            source = thumbnail(part, edge)
        except MediaError:
            note = joined(note, "it cannot be shown")
    caption = joined(caption_of(part), note)
    if not isinstance(part, Image) or not source:
        return _figure("", caption)
    width, height = _shown_size(part, edge)
    name, border = escape(part.name or "picture"), f"display:block;border:{LINE}"
    return _figure(f'<img src="{source}" alt="{name}" width="{width}" height="{height}" style="{border}">', caption)


def _figure(html: str, caption: str) -> str:
    return f'<figure style="margin:0;max-width:100%">{html}<figcaption>{quiet(caption)}</figcaption></figure>'


def picture_lines(images: Sequence[Image]) -> list[str]:
    """Return a line for each picture of a reply, for where only text is shown."""
    return [f"[{caption_of(image)}: _reply.images[{n}]]" for n, image in enumerate(images)]


def caption_of(part: Media) -> str:
    """Return what a picture or a video is called, and how it is sent."""
    return joined(part.name, part.caption)


def _shown_size(image: Image, edge: int) -> tuple[int, int]:
    """Return the width and the height on the page, in pixels: half of the thumbnail's."""
    scale = min(1.0, edge / max(image.width, image.height, 1)) / 2
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
