"""Which model answers."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from IPython.core.magic import line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from xcyq_magic.chat.usage import BY
from xcyq_magic.errors import InputError, OptionError, XcyqError, before_sending
from xcyq_magic.magics.arguments import parse_words, takes, takes_words
from xcyq_magic.magics.base import ExtensionMagics, settle
from xcyq_magic.magics.expand import check_variable

if TYPE_CHECKING:
    import argparse

    from xcyq_magic.display.terminal import TerminalChecks
    from xcyq_magic.display.views import ChecksView
    from xcyq_magic.gateway.catalog import Model

_NO_MODELS = ("off", "on", "none", "default", "reset", "auto")


@magics_class
class ModelMagics(ExtensionMagics):
    """The model of the conversation, and the catalogue."""

    @line_magic
    @no_var_expand
    @takes_words
    def chat_model(self, line: str) -> None:
        """Choose the model of the conversation, or show it.

        A name that is not in the catalogue is taken as well: the gateway may know it. Several names with commas between
        them are a chain: the next model is asked if the one before has no channel, fails, or is silent.

        Examples::

            %chat_model claude-opus-4-7

            %chat_model claude-opus-4-7-official,claude-opus-4-7

            %chat_model gpt-5.5-low

            %chat_model
        """
        from xcyq_magic.gateway import catalog
        from xcyq_magic.gateway.request import check_model

        session = self.session
        words = parse_words(self.chat_model, line).words  # type: ignore[misc]  # IPython types its decorator too widely
        if words:
            name = " ".join(words)
            if name.lower() in _NO_MODELS:
                msg = f"{name!r} is no model; the conversation keeps its own."
                raise OptionError(msg, f"%chat_model {session.chat.model} goes back to the model of the settings.")
            check_model(name)
            session.models(anew=False)  # so that a name that its server has is not remarked on
            for remark in session.access.remarks(name):
                self.say(remark)
            session.choose(model=",".join(catalog.chain_of(name)))
        current = session.model_of(session.conversation())
        model = catalog.MODELS.get(current)
        self.say(f"Model: {current}" + (f" ({model.family.name}, {model.pool} pool)" if model else ""))

    @line_magic
    @no_var_expand
    @takes(
        argument("--check", action="store_true", help="Send each a few small requests, and show what came back."),
        argument("--deep", action="store_true", help="With --check, also a request with a response_format."),
        argument("-o", "--out", metavar="VAR", help="With --check, a variable for the findings; VAR.to_frame()."),
    )
    def chat_models(self, line: str) -> None:
        """Show the catalogue of models, or those whose names match; with ``--check``, how their pools answer.

        A pattern is a part of the name, or has wildcards. If ``GatewaySettings.base_url`` is another server, the names
        are those that it lists.

        A check sends each pool two requests, which take at most 1,500 tokens with their answers, and first says so. It
        shows whether the pool answers, under which name and how fast, whether words come as they are written, whether
        it uses the system prompt, the history, a picture, ``stop`` and ``max_tokens``, and whether it counts tokens
        about right. The figures of earlier checks stand beside. A check cannot tell which model really answers.

        Examples::

            %chat_models

            %chat_models opus

            %chat_models claude-*-official

            %chat_models --check gpt-5.5{,-official,-low}

            %chat_models --check --deep claude-opus-4-7* -o pools
        """
        options = parse_words(self.chat_models, line)
        check_variable(options.out, self.context.shell.user_ns, unsent="")
        if options.check:
            check_pools(self, options)
            return
        for option, wrong in (("--deep", options.deep), ("-o", options.out)):
            if wrong:
                msg = f"{option} goes together with --check only; nothing was sent."
                raise OptionError(msg, "For example: %chat_models --check claude-opus-4-7*")
        self._list(" ".join(options.words))

    def _list(self, pattern: str) -> None:
        from xcyq_magic.display.metrics import table_bundle
        from xcyq_magic.gateway import catalog

        session, names = self.session, [*catalog.MODELS]
        if not session.access.has_catalogue and (route := session.access.route_notice()):
            self.say(route)
        try:
            names = [*session.models()]
        except XcyqError as e:
            self.say(f"{session.access.shown_url} gave no list of its models: {e.message.rstrip('.')}.")
            self.say("Below are the names of the catalogue, which it may not know.")
        glob = pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"
        found = [name for name in names if fnmatchcase(name.lower(), glob.lower())]
        if not found:
            near = catalog.suggest(pattern, names)
            msg = f"No model's name matches {pattern!r}."
            raise InputError(msg, f"Did you mean {near}?" if near else "%chat_models alone lists all of them.")
        rows = [[name, *_facts(catalog.MODELS.get(name))] for name in found]
        self.show(table_bundle(["model", "family", "pool", "takes"], rows, f"{len(found)} of {len(names)} models"))


def check_pools(magics: ExtensionMagics, options: argparse.Namespace) -> None:
    """Check the pools that are named, and show what was seen.

    Parameters
    ----------
    magics
        Whose shell and session it is.
    options
        Those of ``%chat_models``.
    """
    from xcyq_magic.session.checking import Checking

    session = magics.session
    checking = Checking(session, options.words, deep=options.deep)
    for line in filter(None, (checking.notice, str(checking.outlook))):
        magics.say(line)
    view = _checks_view(magics)
    try:
        checked = checking.check(view.paint)
        if options.out:
            magics.context.shell.push({options.out: checked.report})
        where = f"what came is in {options.out}" if options.out else "what came is shown"
        error = settle(lambda: view.settle(checked.report), checked.error, where)[0]
    finally:
        view.close()
    for notice in session.conversations.take_notices():
        magics.say(notice)
    if error is not None:
        raise error


@before_sending()
def _checks_view(magics: ExtensionMagics) -> TerminalChecks | ChecksView:
    if magics.in_terminal:
        from xcyq_magic.display.terminal import TerminalChecks

        return TerminalChecks(magics.label)
    from xcyq_magic.display.views import ChecksView

    return ChecksView(magics.shell, magics.label, live=magics.is_watched)


def _facts(model: Model | None) -> list[str]:
    """The family of a model, its pool, and what it takes; blanks for one that is not in the catalogue."""
    if model is None:
        return [""] * 3
    return [model.family.name, model.pool, f"text, images{', video' if model.family.video else ''}"]


@magics_class
class UsageMagics(ExtensionMagics):
    """Tokens, seconds and cost."""

    @line_magic
    @no_var_expand
    @takes(
        argument("--all", action="store_true", help="Of every notebook."),
        argument("--by", choices=BY, default="model", help="What each row is for: a model, day, notebook or kind."),
        argument(
            "-o", "--out", metavar="VAR", help="A variable for the figures; VAR.to_frame() is a table for pandas."
        ),
    )
    def chat_usage(self, line: str) -> None:
        """Show tokens, seconds and cost.

        Every request of this notebook counts that was answered in full or in part: turns (also those taken back or
        replaced since), ``--once``, columns, judges, rows and checks. A reply from the store (``--cached``) is no
        request. The time to the first token is an average. For a cost, set ``GatewaySettings.prices``: a request costs
        the price of its time, or today's if there was none. Requests to the sandbox count while it answers, and only
        then: they cost nothing, but prices and a budget can be tried with them.

        Examples::

            %chat_usage

            %chat_usage --all --by day

            %chat_usage --by kind -o spent
        """
        options = parse_words(self.chat_usage, line)
        check_variable(options.out, self.context.shell.user_ns, unsent="")
        if options.words:
            msg = f"%chat_usage takes options only, not {' '.join(options.words)!r}."
            raise OptionError(msg, "%chat_usage --all counts those of every notebook, --by day those of each day.")
        from xcyq_magic.chat.usage import UsageReport
        from xcyq_magic.display.metrics import usage_bundle

        session = self.session
        offline = session.access.sandbox is not None
        found = session.conversations.books.entries(everything=options.all, offline=offline)
        where = "all notebooks" if options.all else "this notebook"
        report = UsageReport.of_entries(
            f"{where}, in the sandbox" if offline else where,
            found.answered,
            session.gateway.price_of,
            by=options.by,
            unknown=found.unknown,
        )
        for notice in session.conversations.take_notices():
            self.say(notice)
        if options.out:
            self.context.shell.push({options.out: report})
        self.show(usage_bundle(report))
        if not report.rows and not options.all:
            self.say("%chat_usage --all counts the requests of every notebook.")
