"""The settled output: a static bundle of MIME types that needs no kernel, no widget and no script."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from xcyq_magic.chat.parts import DataUrl, Image, Text
from xcyq_magic.chat.records import SECTION_MIME, TURN_MIME, section_record, turn_record
from xcyq_magic.display.caption import advice, completion_caption, failure_caption, joined, opening_caption
from xcyq_magic.display.markup import escape, plain_line, to_html, to_html_sections, without_controls
from xcyq_magic.display.sections import Sections, sources
from xcyq_magic.display.style import LINE, body, folded, output, quiet, section_body, styled, unfolding
from xcyq_magic.display.value_table import typed_html
from xcyq_magic.errors import MediaError
from xcyq_magic.gateway.tokens import estimated_tokens
from xcyq_magic.media.fit import EDGE, REPLY_EDGE, thumbnail
from xcyq_magic.media.text.shown import count_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.conversation import Turn
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.chat.parts import Media, Part
    from xcyq_magic.session.live import LiveReply
    from xcyq_magic.session.turn import Outcome, Preview

Bundle: TypeAlias = dict[str, Any]

_ENVELOPE = {"model", "messages"}  # of a request; shown apart from the parameters
_FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,})[^`\n]*\n(?:.*\n)*?(?P=fence)[`~]*[ \t]*$", re.MULTILINE)
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
    attached = attachments(outcome.reply.prompt, outcome.reply.model)
    typed = outcome.reply.answer is not None
    first, *more = _completion_bundles(turn.completion, outcome.reply.notices, label, attached, sections, typed=typed)
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
    return _completion_bundles(completion, (), "", "", Sections(), typed=completion.data is not None)[0]


def kept_turn_bundle(turn: Turn, title: str) -> Bundle:
    """Return a turn of a conversation below a `title`: its prompt with what went along, and its reply."""
    above = quiet(title) + _prompt_html(turn.prompt)
    reply = _completion_bundles(turn.completion, (), "", "", Sections(), above=above)[0]
    plain = f"[{title}]\n\n{without_controls(_prompt_plain(turn.prompt))}\n\n{reply['text/plain']}"
    return {**reply, "text/plain": plain}


def prompt_bundle(prompt: Message, title: str) -> Bundle:
    """Return a prompt, or a part of one, below a `title`: pictures as thumbnails, code as code."""
    plain = without_controls(f"[{title}]\n\n{_prompt_plain(prompt)}")
    return {"text/html": styled(quiet(title) + _prompt_html(prompt)), "text/plain": plain}


def _completion_bundles(
    completion: Completion,
    notices: Sequence[str],
    label: str,
    attached: str,
    sections: Sections,
    *,
    typed: bool = False,
    above: str = "",
) -> list[Bundle]:
    """Return an output for each section.

    Parameters
    ----------
    completion
        The reply.
    notices
        Lines about it.
    label
        A word that stands in the caption.
    attached
        The HTML of what went along with the prompt.
    sections
        Where the sections begin.
    typed
        Whether it was to have a type; it has one section then.
    above
        HTML that stands before all.
    """
    caption, next_step = completion_caption(completion, label), advice(completion)
    plain = sources(completion.text, sections.lines)
    # Half an answer must not look whole where only text is shown.
    if completion.partial is not None or next_step is not None:
        plain[-1] = f"{plain[-1]}\n\n[{caption}]".lstrip("\n")
    if typed:
        bodies = [typed_html(completion)]
    else:
        html = _html_of(completion.text, sections)
        bodies = [section_body(h, number, last=number == len(html) - 1) for number, h in enumerate(html)]
    bodies[-1] += pictures(completion.images) + (quiet(next_step) if next_step else "")
    plain[-1] = "\n\n".join(filter(None, [plain[-1], *picture_lines(completion.images)]))
    head = _head(caption, notices, attached, completion.reasoning)
    first = {"text/html": styled(above + head + bodies[0]), "text/plain": without_controls(plain[0])}
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
    head = _head(opening_caption(reply, label), reply.notices, attachments(reply.prompt, reply.model), reasoning)
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


def attachments(prompt: Message | None, model: str = "") -> str:
    """Return what goes along with a prompt as HTML: the cells above it, to unfold, and its media in a row.

    Parameters
    ----------
    prompt
        The prompt; None for nothing.
    model
        The model that is asked, for the number of tokens.
    """
    if prompt is None:
        return ""
    return _above_html(prompt, model) + _row([p for p in prompt.own if not isinstance(p, Text)], EDGE)


def above_line(prompt: Message, model: str = "") -> str:
    """Return what a line says of the cells above a prompt: ``Above: 7 cells · 412 lines · 2 pictures``."""
    above = prompt.above
    if above is None:
        return ""
    parts = prompt.parts[: above.parts]
    said = [part.text for part in parts if isinstance(part, Text)]
    images = len(parts) - len(said)
    return joined(
        f"Above: {count_of(above.cells, 'cell')}",
        count_of(sum(len(text.splitlines()) for text in said), "line"),
        count_of(images, "picture") if images else "",
        _tokens(estimated_tokens(part, model) or 0 for part in parts),
        *above.notes,
    )


def _above_html(prompt: Message, model: str) -> str:
    if prompt.above is None:
        return ""
    parts = prompt.parts[: prompt.above.parts]
    shown = (_as_typed(part.text) if isinstance(part, Text) else _row([part], EDGE) for part in parts)
    return unfolding(above_line(prompt, model), "".join(shown))


def _prompt_html(prompt: Message) -> str:
    """Return a prompt whole: its media in rows, text that was attached folded, and the rest as it was typed."""
    said = [_above_html(prompt, "")]
    for is_text, run in groupby(prompt.own, lambda part: isinstance(part, Text)):
        parts = list(run)
        if is_text:  # what was attached stands before the prompt's own text
            *attached, last = [part.text for part in parts if isinstance(part, Text)]
            goes_along = last.endswith("\n") and parts[-1] is not prompt.parts[-1]  # also where a picture follows it
            said += [*map(_attached_html, attached), (_attached_html if goes_along else _typed_html)(last)]
        else:
            said.append(_row([part for part in parts if not isinstance(part, Text)], EDGE))
    return "".join(said)


def _attached_html(text: str) -> str:
    """Return a text that went along, such as ``df:`` and its rows, to open with a click on its first line."""
    name, _, rest = text.strip("\n").partition("\n")
    return unfolding(name.removesuffix(":"), f"<pre><code>{escape(rest)}</code></pre>") if rest else _typed_html(name)


def _typed_html(text: str) -> str:
    """Return text as it was typed; what stands in fences, as the code that it is."""
    pieces, at = [], 0
    for fence in _FENCE.finditer(text):
        pieces += [_paragraph(text[at : fence.start()]), body(to_html(fence[0]))]
        at = fence.end()
    return "".join([*pieces, _paragraph(text[at:])])


def _prompt_plain(prompt: Message) -> str:
    """Return a prompt for where only text is shown: its media by their names, and how they are sent below it."""
    above = [f"[{above_line(prompt)}]"] if prompt.above else []
    media = [part for part in prompt.own if not isinstance(part, Text)]
    return "\n".join([*above, prompt.overview, *(f"[{caption_of(part)}]" for part in media)])


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
    shown = ""
    if isinstance(part, Image):
        try:
            shown = picture_element(part, edge)
        except MediaError:
            note = joined(note, "it cannot be shown")
    return _figure(shown, joined(caption_of(part), note))


def _paragraph(text: str) -> str:
    return _as_typed(text.strip("\n")) if text.strip() else ""


def _as_typed(text: str) -> str:
    return f'<div class="xcyq-as-typed" style="white-space:pre-wrap">{escape(text)}</div>'


def picture_element(image: Image, edge: int) -> str:
    """Return a small copy of a picture as HTML.

    Parameters
    ----------
    image
        The picture.
    edge
        How many pixels of its longer side there are at most; half as many are shown.

    Raises
    ------
    MediaError
        It cannot be read.
    """
    width, height = _shown_size(image, edge)
    name, border = escape(image.name or "picture"), f"display:block;border:{LINE}"
    source = thumbnail(image, edge)
    return f'<img src="{source}" alt="{name}" width="{width}" height="{height}" style="{border}">'


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


# A request that is not sent: what ``--dry-run`` prints


def request_bundle(preview: Preview) -> Bundle:
    """Return the request for people: each message with its media, the parameters, and the JSON with media shortened."""
    messages = preview.request.messages
    above = [above_line(messages[-1], preview.request.model)] if messages[-1].above else []
    lines = [_summary(preview), *above, *preview.notices]
    parameters = ", ".join(f"{k} = {json.dumps(v)}" for k, v in preview.body.items() if k not in _ENVELOPE)
    rows = "".join(_message_row(m, preview.request.model) for m in messages)
    sent_with = f"Parameters: {parameters or 'none'}"
    record = json.dumps(preview.body, indent=2, ensure_ascii=False, default=_shortened)
    html = "".join(
        [
            *(quiet(line) for line in lines),
            body(f'<table class="xcyq-request"><tbody>{rows}</tbody></table>'),
            quiet(sent_with),
            unfolding("JSON", f"<pre><code>{escape(record)}</code></pre>"),
        ]
    )
    plain = "\n\n".join([*(f"[{line}]" for line in lines), *map(_plain, messages), sent_with])
    return {"text/html": styled(html), "text/plain": without_controls(plain)}


def _summary(preview: Preview) -> str:
    messages = preview.request.messages
    kinds = Counter(p.kind for m in messages for p in m.media)
    return joined(
        "Dry run: nothing was sent",
        preview.request.model,
        count_of(len(messages), "message"),
        count_of(kinds["image"], "picture") if kinds["image"] else "",
        count_of(kinds["video"], "video") if kinds["video"] else "",
        count_of(preview.n_bytes, "byte"),
        _tokens([preview.estimate.tokens]) + preview.estimate.priced,
        f"to {preview.url}",
    )


def _tokens(counts: Iterable[int]) -> str:
    return f"about {count_of(sum(counts), 'token')}"


def _message_row(message: Message, model: str) -> str:
    return f"<tr><th>{message.role}</th><td>{''.join(_shown_part(p, model) for p in message.parts)}</td></tr>"


def _shown_part(part: Part, model: str) -> str:
    if isinstance(part, Text):
        return _as_typed(part.text)  # fences and all: this is what would be sent
    tokens = estimated_tokens(part, model)
    note = "" if tokens is None else _tokens([tokens])
    return f'<div class="xcyq-media xcyq-quiet">{figure(part, note)}</div>'


def _plain(message: Message) -> str:
    parts = [p.text if isinstance(p, Text) else f"[{caption_of(p)}]" for p in message.parts]
    return f"{message.role}:\n" + "\n".join(parts)


def _shortened(value: Any) -> str:  # noqa: ANN401  # what the body holds besides JSON
    """Return what stands for a file in the JSON, without its bytes."""
    if isinstance(value, DataUrl):
        return value.shortened
    raise TypeError(type(value))
