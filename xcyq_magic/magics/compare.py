"""``%%compare`` and ``%chat_keep``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.errors import InputError, OptionError, before_sending
from xcyq_magic.magics.arguments import compare_options, parse_models, parse_words, takes
from xcyq_magic.magics.base import ExtensionMagics, count, settle
from xcyq_magic.magics.misplaced import check_names
from xcyq_magic.magics.prompt import options_of, prompt_of

if TYPE_CHECKING:
    from xcyq_magic.chat.comparison import Column
    from xcyq_magic.display.terminal import TerminalColumns
    from xcyq_magic.display.views import ColumnsView


@magics_class
class CompareMagics(ExtensionMagics):
    """One prompt, several models."""

    @cell_magic
    @no_var_expand
    @compare_options
    def compare(self, line: str, cell: str) -> None:
        """Ask several models the same question at once, and show their replies side by side.

        The cell below is the prompt. Models are given by name, pattern or braces. Each column has its own errors and
        its own Stop button. The conversation is sent along, and stays as it is until you keep an answer with
        ``%chat_keep``. The options are those of ``%%chat``, without -m, --background and --code.

        The comparison is the variable ``_comparison``; ``_comparison.to_frame()`` is a table. ``--check`` takes a
        function such as ``def is_right(reply, row): return row.answer in reply.text``; with ``--as``, use
        ``reply.data``.

        Examples::

            %%compare gpt-5.5 claude-opus-4-7 gemini-2.5-pro --judge claude-sonnet-4-6
            When is the median the better summary?

            %%compare gpt-5.5{,-official,-low} --diff
            Is the cheap pool as good?

            %%compare claude-haiku-4-5 --repeat 2 --once
            Name an outlier-proof measure of spread.

            %%compare gpt-5.5 gpt-5.5-low --as int
            How many points of ten does this sentence deserve?

            %%compare gpt-5.5{,-low} --each cases --check is_right
            {{ row.question }}
        """
        from xcyq_magic.gateway.request import check_model
        from xcyq_magic.session.comparing import compare, keep

        options = parse_models(self.compare, line)  # type: ignore[misc]  # IPython types its decorator too widely
        if self.session.access.has_catalogue:
            check_names(options.models)
        if options.each is not None:
            from xcyq_magic.magics.each import compare_each

            compare_each(self, options, cell)
            return
        if options.check is not None:
            msg = "--check needs many cases, given with --each; nothing was sent."
            raise OptionError(msg, "Try %%compare gpt-5.5 claude-opus-4-7 --each cases --check is_right.")
        prompt = prompt_of(self.context, "compare", options, "", cell)
        asked = (self.session, options.models, prompt, options_of(options, self.context))
        where = {"repeat": options.repeat, "conversation": options.conversation, "cell": self.context.runs.current}
        self.check_conversation(options.conversation, begins=False)
        if options.judge is not None:
            check_model(options.judge)
            for remark in self.session.access.remarks(options.judge):
                self.say(f"The judge {remark}")
        if options.dry_run:
            self._show_requests(*asked, **where)
            return
        self.say_what_goes_along(prompt)
        view = self._view(diff=options.diff)
        try:
            compared = compare(*asked, **where, judge=options.judge, paint=view.paint)
            comparison = compared.comparison
            # Before the view settles, which may fail or be interrupted.
            self.context.shell.push({name: comparison for name in ("_comparison", options.out) if name})
            column = comparison.columns[view.kept] if view.kept is not None else None
            turn = keep(self.session, comparison, column).turn if column and column.completion is not None else None
            came = sum(c.completion is not None for c in comparison.columns)
            kept = f"what came of {came} of {len(comparison)} is in _comparison"
            error, _ = settle(lambda: view.settle(comparison, turn), compared.error, kept)
        finally:
            view.close()
        if turn is not None and column is not None and (way_on := self._next_model(comparison.conversation, column)):
            self.say(way_on)
        if error is not None:
            raise error

    def _show_requests(self, *asked: Any, **where: Any) -> None:  # noqa: ANN401  # as `previews` takes them
        from xcyq_magic.display.bundle import request_bundle
        from xcyq_magic.session.comparing import previews

        for preview in previews(*asked, **where):
            if isinstance(preview, InputError):
                self.say(str(preview))
            else:
                self.show(request_bundle(preview))

    @line_magic
    @no_var_expand
    @takes(argument("--of", metavar="CELL", help="The last comparison of that cell, as its buttons type it."))
    def chat_keep(self, line: str) -> None:
        """Take one answer of the last comparison into the conversation.

        Name it by its column, or by the column's number. Keeping another answer later replaces it. The buttons below
        a comparison type this, with ``--of`` and their cell.

        Examples::

            %chat_keep claude-opus-4-7

            %chat_keep 1
        """
        from xcyq_magic.chat.records import TURN_MIME, turn_record
        from xcyq_magic.session.comparing import keep

        options = parse_words(self.chat_keep, line)
        named, known = " ".join(options.words), [c for c, _ in self.session.compared if options.of in {None, c.mark}]
        if not known and options.of is not None:
            msg = f"The comparison of {options.of} has not run in this kernel; nothing was kept."
            raise InputError(msg, "Run its cell first.")
        if not known:
            msg = "There is no comparison to keep an answer from."
            raise InputError(msg, "For example, type %%compare gpt-5.5 claude-opus-4-7 above a question.")
        comparison = known[-1]
        if not named:
            names = ", ".join(f"{n} {name}" for n, name in enumerate(comparison, 1))
            msg = "%chat_keep takes the name of a column, or its number."
            raise InputError(msg, f"The last comparison has {names}.")
        column = comparison.column(named)
        kept, name = keep(self.session, comparison, column), comparison.conversation
        self.context.shell.push({"_reply": kept.turn.completion})
        turns = count(len(self.session.conversation(name).turns), "turn")
        other = kept.instead_of
        place = f", in place of that of {other.completion.requested_model}" if other and other != kept.turn else ""
        said = f"Kept: the answer of {column.name}{place}. The conversation {name} has {turns} now."
        said = "\n".join(filter(None, (said, self._next_model(name, column))))
        record = turn_record(kept.turn, name, elsewhere=True, instead_of=kept.instead_of)
        self.show({"text/plain": said, TURN_MIME: record})

    def _next_model(self, name: str, kept: Column) -> str:
        """Return a line on the model that a conversation goes on with, and how to ask that of a `kept` answer.

        It is ``""`` where they are the same.
        """
        model = self.session.model_of(self.session.conversation(name))
        if model == kept.model:
            return ""
        first = "" if name == self.session.conversations.current else f"After %chat_switch {name}, "
        return f"Its next prompt goes to {model}. {first}%chat_model {kept.model} goes on with that model instead."

    @before_sending()
    def _view(self, *, diff: bool) -> TerminalColumns | ColumnsView:
        if self.in_terminal:
            from xcyq_magic.display.terminal import TerminalColumns

            return TerminalColumns(self.label, self.context.shell.colors, diff=diff)
        from xcyq_magic.display.views import ColumnsView

        return ColumnsView(self.shell, self.label, diff=diff, live=self.is_watched)
