"""``%%chat``, ``%chat`` and ``%chat_error``.

Nothing is sent of a failure until the user asks for it, and what is sent is shown before.
"""

from __future__ import annotations

import linecache
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from IPython.core.magic import line_cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, MissingKeyError, OptionError, before_sending
from xcyq_magic.magics.arguments import parse_line, parse_words, takes, turn_options
from xcyq_magic.magics.base import MOST_OF_SYSTEM, ExtensionMagics, gateway_lines, settle, shortened
from xcyq_magic.magics.code import put_into_next_cell
from xcyq_magic.magics.expand import in_callers_scope
from xcyq_magic.magics.prompt import options_of, prompt_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from xcyq_magic.chat.completion import Completion
    from xcyq_magic.chat.conversation import Conversation, Turn
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.display.terminal import TerminalView
    from xcyq_magic.display.views import ReplyView
    from xcyq_magic.magics.context import LastFailure
    from xcyq_magic.session.grid import Paint
    from xcyq_magic.session.session import ChatSession
    from xcyq_magic.session.turn import Outcome, Preview


class TurnMagics(ExtensionMagics):
    """Magics that ask one model for one reply."""

    def run_turn(
        self,
        ask: Callable[[Paint], Outcome],
        conversation: str | None,
        *,
        out: str | None = None,
        background: bool = False,
    ) -> Outcome | None:
        """Show a reply while it comes, and then as it stays.

        Parameters
        ----------
        ask
            Sends the request and returns how it ended.
        conversation
            The name of the conversation that it is for; None if it is for none.
        out
            A variable for the completion, besides ``_reply``.
        background
            Return as soon as the reply is on its way.

        Returns
        -------
        Outcome or None
            How it ended; None in the background.
        """
        if background and self.in_terminal:
            msg = "--background needs a notebook, where a reply can go on in its cell's output; nothing was sent."
            raise OptionError(msg, "Leave it out.")
        if conversation is not None:
            self._wait_for_the_one_before(conversation)
        view = self._view(background=background)

        def finish(outcome: Outcome) -> tuple[BaseException | None, bool]:
            if outcome.completion is not None:  # before the view settles, which may fail or be interrupted
                self.context.shell.push({name: outcome.completion for name in ("_reply", out) if name})
            kept = "what came is in _reply" if outcome.completion is not None else "nothing had come"
            after = f" after {outcome.reply.elapsed_s:.1f} s"
            return settle(lambda: view.settle(outcome), outcome.error, kept, after=after)

        if background:
            self.context.background.start(ask, view, finish)
            return None
        try:
            outcome = ask(view.paint)
            error, _ = finish(outcome)
        finally:
            view.close()
        if error is not None:
            raise error
        return outcome

    def _wait_for_the_one_before(self, conversation: str) -> None:
        """Here, where an interrupt ends the waiting before anything is sent."""
        coming = self.session.conversations.reply_lock(conversation)
        if coming.locked():
            self.say(f"{conversation} is in the middle of a reply in the background; this waits until it ends.")
        with before_sending(), coming:
            pass

    @before_sending()
    def _view(self, *, background: bool) -> TerminalView | ReplyView:
        if self.in_terminal:
            from xcyq_magic.display.terminal import TerminalView

            return TerminalView(self.label, self.context.shell.colors)
        from xcyq_magic.display.views import ReplyView

        return ReplyView(self.shell, self.label, background=background, live=self.is_watched)


@magics_class
class ChatMagics(TurnMagics):
    """One turn of a conversation."""

    @line_cell_magic
    @no_var_expand
    @in_callers_scope
    @turn_options
    def chat(self, line: str, cell: str | None = None) -> None:
        r"""Send a prompt to a model, and show the reply as it comes.

        ``%%chat [options]`` takes the cell below it as the prompt, ``%chat [options] text`` the rest of its line.
        ``%chat`` alone shows the state of the conversation. ``{{ expr }}`` in the prompt is a Python expression: a
        figure, an array or a picture is sent as a picture, in its place, and any other value as text. A literal ``{{``
        is written ``\{{``. Names and numbers behind an option can be expressions, too: ``-m {{ model }}``.

        The reply is the variable ``_reply``, with ``.text``, ``.code``, ``.usage``, ``.images`` and ``.data``. With
        ``--each df``, the replies are in ``_rows``: ``df.join(_rows.to_frame())``. From Python:
        ``from xcyq_magic import Chat, ask_each, compare``.

        Examples::

            %%chat -m claude-opus-4-7
            Which points of {{ fig }} would you look at again?

            %chat -f why is the last figure so noisy?

            %%chat --above 3
            Why does the second plot dip?

            %chat -a scatter.png -a df.describe() do these agree?

            %%chat -m claude-opus-4-7{-official,,-fd}
            What is a leverage point?

            %%chat --as Literal["good", "bad"] --once
            How is this review? The lamp is bright, but its cable is too short.

            %%chat --each df --as Literal["good", "bad"] -o reviews
            How is this review? {{ row.text }}
        """
        options, text = parse_line(self.chat, line, cell)  # type: ignore[misc]  # IPython types its decorator too widely
        if cell is None and not line.strip():
            self.say("\n".join(state_of(self.session)))
            return
        if options.each is not None:
            from xcyq_magic.magics.each import answer_each

            answer_each(self, options, text, cell)
            return
        self.answer(options, prompt_of(self.context, "chat", options, text, cell))

    def answer(self, options: argparse.Namespace, prompt: Message) -> None:
        """Have `prompt` answered, as the options of its turn say."""
        turn = options_of(options, self.context)
        cell_run = self.context.runs.current
        self.check_conversation(options.conversation, begins=not (options.once or options.dry_run))
        if options.dry_run:
            self._show_request(self.session.preview(prompt, turn, conversation=options.conversation, cell=cell_run))
            return
        self.say_what_goes_along(prompt)
        if turn.answer is not None and options.code:
            msg = "--code and --as do not go together: a value of a type holds no code; nothing was sent."
            raise OptionError(msg, "Leave one of them out.")
        if options.background and options.code:
            msg = "--code and --background do not go together; nothing was sent."
            raise OptionError(msg, "%chat_code does it once the reply is there.")
        if options.conversation is None and not options.once:
            self._say_where()
        outcome = self.run_turn(
            lambda paint: self.session.ask(prompt, turn, conversation=options.conversation, cell=cell_run, paint=paint),
            None if options.once else options.conversation or self.session.conversations.current,
            out=options.out,
            background=options.background,
        )
        if options.code and outcome is not None:
            self.say(_code_into_next_cell(self.context.shell, outcome.result()))

    def _say_where(self) -> None:
        """Say so where the cell asked in another conversation before: its turn there stays, and a second one comes."""
        conversations = self.session.conversations
        if (other := conversations.asked_before()) is not None:
            stays = f"This cell asked in {other} before: that turn stays, and this one goes into"
            self.say(f"{stays} {conversations.current}. %chat_switch {other} goes back.")

    @line_magic
    @no_var_expand
    @takes(argument("-m", "--model", metavar="NAME", help="Another model to ask."))
    def chat_retry(self, line: str) -> None:
        """Ask the last prompt again. The new reply takes the place of the old one.

        The prompt, the system prompt and the parameters stay the same, and the model unless you name another one. The
        type of ``--as`` is not kept: for a value, run the cell again.

        Examples::

            %chat_retry

            %chat_retry -m gpt-5.5
        """
        from xcyq_magic.session.turn import retry

        options = parse_words(self.chat_retry, line)
        if options.words:
            from xcyq_magic.gateway.catalog import chain_of, suggest

            msg = f"%chat_retry takes nothing but -m MODEL, not {' '.join(options.words)!r}."
            named = [suggest(n) for n in chain_of(options.words[0])] if len(options.words) == 1 else [None]
            other = f"For another model, type %chat_retry -m {','.join(filter(None, named))}. " if all(named) else ""
            raise OptionError(msg, f"{other}To ask something else, type %chat and the question.")
        name = self.session.conversations.current
        now = self.session.conversation(name)
        self.session.places.check(now)
        self._say_what_is_asked_again(now, options.model)
        conversations, reply = self.session.conversations, self.session.reply
        outcome = self.run_turn(
            lambda paint: retry(conversations, partial(reply, paint=paint), options.model, name), name
        )
        if outcome is not None and outcome.turn is not None:
            self.say("%chat_undo --restore brings the reply before it back, beside this one.")

    def _say_what_is_asked_again(self, now: Conversation, model: str | None) -> None:
        """Say where the prompt to ask again was asked of another model, or with another system prompt, than now."""
        from xcyq_magic.chat.rerun import to_retry

        if not now.turns:
            return
        turn, session = now.turns[to_retry(now.turns)], self.session
        asked = turn.completion.chain or turn.completion.requested_model
        changed = [] if (turn.system or "") == (session.system_of(now) or "") else ["the system prompt of then"]
        changed += [f"model {asked}"] if model is None and asked not in {"", session.model_of(now)} else []
        if changed:
            self.say(f"Asked again with {' and '.join(changed)}. To use what is set now, run the cell of the prompt.")

    def _show_request(self, preview: Preview) -> None:
        from xcyq_magic.display.bundle import request_bundle

        self.show(request_bundle(preview))


def _code_into_next_cell(shell: InteractiveShell, completion: Completion) -> str:
    """A line that says which code went there. That there is none is no failure of the turn."""
    try:
        return put_into_next_cell(shell, completion)
    except InputError as e:
        return e.message


def state_of(session: ChatSession) -> list[str]:
    """Conversation, tokens, gateway and key in a line each, and what to type next."""
    conversation, access = session.conversation(), session.access
    count = len(conversation.turns)
    turns = f"{count} turn{'s' * (count != 1)}"
    lines = [f"Conversation: {conversation.name}, {turns}, model {session.model_of(conversation)}"]
    if system := session.system_of(conversation):
        lines.append(f"System prompt: {shortened(system, MOST_OF_SYSTEM)}")
    if count:
        lines.append(f"Tokens so far: {_tokens(conversation.turns)}")
    if failure := session.conversations.failure():
        lines.append(f"Store: {failure}")
    lines += gateway_lines(access)
    if resting := session.resting():
        lines.append(f"Passed over: {'; '.join(f'{model} ({why})' for model, why in resting.items())}")
    try:
        source = access.key().source
        key = f"from {source}" if source else "none; a server on this machine may not need one"
        return [*lines, f"API key: {key}", _next_step(conversation)]
    except MissingKeyError as e:
        return [*lines, "API key: none.", e.hint]
    except InputError as e:
        return [*lines, f"API key: {e.message}", e.hint]


def _tokens(turns: Sequence[Turn]) -> str:
    usages = [t.completion.usage for t in turns if t.completion.usage is not None]
    if not usages:
        return "the gateway did not count"
    tokens_in, tokens_out = sum(u.prompt_tokens or 0 for u in usages), sum(u.completion_tokens or 0 for u in usages)
    of = "" if len(usages) == len(turns) else f" (counted for {len(usages)} of them)"
    return f"{tokens_in:,} in, {tokens_out:,} out{of}"


def _next_step(conversation: Conversation) -> str:
    """What is most useful to type now."""
    if not conversation.turns:
        return "Write %%chat on the first line of a cell, and a question below it. %%chat? has examples."
    last = conversation.turns[-1].completion
    if last.partial:
        return "The last reply is incomplete: run its cell again, or type %chat go on."
    if last.code:
        return "%chat_code puts the code of the last reply into a cell. %%chat? lists the options."
    return "%chat_history shows the turns, %chat_undo takes the last one back. %%chat? lists the options."


_QUESTION = "What went wrong, and how do I fix it?"


def failure_text(failure: LastFailure, chars: int, hide: Callable[[str], str]) -> str:
    """Return a failure for a model: the cell as it was typed, and the traceback.

    Parameters
    ----------
    failure
        What failed.
    chars
        The most characters of each.
    hide
        Takes the keys out of a text.
    """
    from xcyq_magic.media.text.shown import clipped, fenced
    from xcyq_magic.media.values import describe

    error = failure.error
    source = failure.cell.strip("\n") or _cell_of(error)
    cell = ["This cell of a notebook failed:", fenced(clipped(hide(source), chars), "python")] if source else []
    return "\n\n".join([*cell, "The traceback:", fenced(hide(describe(error, chars)))])


def _cell_of(error: BaseException) -> str:
    """Return the source of the cell that ran, as IPython gave it to Python; nobody noted how it was typed."""
    from xcyq_magic.media.text.sources import lines_of

    files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    # IPython enters its cells into the cache, so that tracebacks can show their lines; they have no file's age.
    cells = (f for f in files if (entry := linecache.cache.get(f)) and len(entry) > 1 and entry[1] is None)
    first = next(cells, None)
    return "\n".join(lines_of(first)).strip("\n") if first else ""


@magics_class
class FailureMagics(ChatMagics):
    """What failed."""

    @line_magic
    @no_var_expand
    @in_callers_scope
    @turn_options
    def chat_error(self, line: str) -> None:
        """Ask a model about the last exception.

        The cell that failed and a shortened traceback are shown, and then sent together with your question. No values
        of variables are among them. This is a turn like any other, with the same options. ``--dry-run`` shows what
        would be sent, and sends nothing.

        Examples::

            %chat_error

            %chat_error why does it work with a list, and not with an array?

            %chat_error --dry-run

            %chat_error -m claude-opus-4-7 --code
        """
        from xcyq_magic.chat.messages import Message
        from xcyq_magic.chat.parts import Text
        from xcyq_magic.display.bundle import prompt_bundle

        options, question = parse_line(self.chat_error, line)  # type: ignore[misc]  # as for %chat
        if options.each is not None:
            msg = "%chat_error asks about one failure, so it takes no --each; nothing was sent."
            raise OptionError(msg, "Leave it out.")
        failure = failure_text(self.context.failure, self.context.chat.value_chars, self.session.access.hide)
        asked = prompt_of(self.context, "chat_error", options, question or _QUESTION, None)
        if since := self.context.failure.ours_since:
            self.say(f"A later error, {since}, is xcyq_magic's own, and is not sent.")
        if not options.dry_run:
            self.show(prompt_bundle(Message.of("user", failure), "The last error, as it is sent"))
        first, *rest = asked.own  # in one part with the question, where that is text: some gateways take no other
        parts = [f"{failure}\n\n{first.text}"] if isinstance(first, Text) else [failure, first]
        said = Message.of("user", *asked.parts[: len(asked.parts) - len(asked.own)], *parts, *rest)
        self.answer(options, replace(said, above=asked.above))
