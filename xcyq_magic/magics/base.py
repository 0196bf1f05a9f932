"""What the magics share: their context, and how they show lines and help."""

from __future__ import annotations

import argparse
import difflib
import inspect
import textwrap
import time
from typing import TYPE_CHECKING, Any

from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR, Magics

from xcyq_magic.errors import InputError, OptionError, SettingError, XcyqError, before_sending, encodable, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcyq_magic.chat.conversation import Conversation
    from xcyq_magic.chat.messages import Message
    from xcyq_magic.magics.context import Context
    from xcyq_magic.session.access import GatewayAccess
    from xcyq_magic.session.session import ChatSession


_WIDTH = 88  # of a pager beside a notebook
_NAMES = 26  # characters for an option's names
MOST_OF_SYSTEM = 100  # characters of a system prompt, in a line about it


def say(text: str) -> None:
    """Show a line of plain text."""
    from xcyq_magic.display.markup import plain_line

    print(encodable(plain_line(text)))  # noqa: T201  # this is a magic's output


def settle(
    settle: Callable[[], None], error: BaseException | None, kept: str, *, after: str = ""
) -> tuple[BaseException | None, bool]:
    """Settle a view, whatever it raises.

    Parameters
    ----------
    settle
        Settles the view.
    error
        What the cell has to raise in any case; None if nothing.
    kept
        Such as ``what came is in _reply``.
    after
        Such as `` after 2.1 s``.

    Returns
    -------
    BaseException or None
        What the cell has to raise; it prints as a line or two.
    bool
        Whether the view is settled, and says what it was told to.
    """
    settled = True
    try:
        settle()
    except (Exception, KeyboardInterrupt) as e:  # noqa: BLE001  # whatever a terminal or a widget raises
        error, settled = error or e, False
    if isinstance(error, KeyboardInterrupt):
        shorten(error, f"stopped{after}; {kept}")
    elif error is not None and not isinstance(error, XcyqError):
        shorten(error, f"{error}; the output is incomplete, {kept}")
    return error, settled


def gateway_lines(access: GatewayAccess) -> list[str]:
    """Where requests go, in a line; what to type next in another one where that is no address."""
    try:
        access.connection()
    except SettingError as e:
        return [f"Gateway: {e.message.replace('; nothing was sent', '')}", e.hint]
    return [f"Gateway: {access.shown_url}{f' (the sandbox{access.instead})' if access.sandbox else ''}"]


class ExtensionMagics(Magics):
    """Magics of a loaded extension. What is behind ``?`` for each is `help_page`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for magic in vars(cls).values():
            if inspect.isfunction(magic) and hasattr(magic, MAGIC_NO_VAR_EXPAND_ATTR):
                parser = getattr(magic, "parser", None)
                magic.__doc__ = help_page(parser.description if parser else magic.__doc__ or "", parser)

    def __init__(self, context: Context) -> None:
        super().__init__(context.shell)
        self.context = context

    @property
    @before_sending()  # the first time, it imports for a moment
    def session(self) -> ChatSession:
        """The shell's session."""
        return self.context.session

    @property
    def in_terminal(self) -> bool:
        """Whether output goes to a terminal instead of a notebook."""
        return getattr(self.shell, "kernel", None) is None

    @property
    def is_watched(self) -> bool:
        """Whether somebody sees updates of what is displayed here.

        A page names the cell that it has run; consoles, nbconvert, papermill and callbacks of widgets do not, and show
        the first state for ever. So do `Output` widgets, and ``%%capture`` when it is shown.
        """
        from IPython.core.displaypub import CapturingDisplayPublisher

        from xcyq_magic.display.views import is_captured

        run, publisher = self.context.runs.current, self.context.shell.display_pub
        return run is not None and not isinstance(publisher, CapturingDisplayPublisher) and not is_captured(run.run)

    def show(self, bundle: dict[str, Any]) -> None:
        """Show a static bundle of MIME types."""
        if self.in_terminal:
            print(encodable(bundle["text/plain"]))  # noqa: T201  # this is its output
        else:
            from IPython.display import display

            display(bundle, raw=True)

    def say(self, text: str) -> None:
        """Show a line of plain text."""
        say(text)

    def say_what_goes_along(self, prompt: Message) -> None:
        """Say which cells above a prompt go along, where no page has a line to open for it."""
        if prompt.above is not None and (self.in_terminal or not self.is_watched):
            from xcyq_magic.display.bundle import above_line

            self.say(above_line(prompt))

    def check_conversation(self, name: str | None, *, begins: bool = True) -> None:
        """See to it that `name` can be a conversation's, and say so if there is none of that name.

        Parameters
        ----------
        name
            What stands behind ``-c``; None for nothing.
        begins
            Whether it begins with the turn that is asked for.

        Raises
        ------
        OptionError
            It cannot.
        """
        if name is None:
            return
        if not name.strip() or not name.isprintable():
            msg = f"A conversation's name is one word, not {name!r}; nothing was sent."
            raise OptionError(msg, "Try -c idea.")
        check_no_variable(name)
        conversations = self.session.conversations
        if not conversations.has(name):
            near = difflib.get_close_matches(name, conversations.names, n=1)
            hint = f"Did you mean {near[0]}?" if near else "%chat_switch lists them all."
            self.say(f"There is no conversation called {name} yet{'; it begins here' if begins else ''}. {hint}")

    def conversation_at_rest(self) -> Conversation:
        """The current conversation, which no reply in the background is about to change.

        Raises
        ------
        InputError
            There is one.
        """
        conversation = self.session.conversation()
        if self.session.conversations.reply_lock(conversation.name).locked():
            msg = f"{conversation.name} is in the middle of a reply in the background; nothing was changed."
            raise InputError(msg, "Run this cell again once the reply has ended, or stop it with its button.")
        return conversation

    @property
    def label(self) -> str:
        """A word for captions: where the answers come from, if not from the gateway."""
        return "sandbox" if self.session.access.sandbox else ""


def check_no_variable(name: str, unsent: str = "; nothing was sent") -> None:
    """Refuse a conversation's name with braces or a dollar in it, which is meant to be a variable's value.

    Raises
    ------
    OptionError
        It has; `unsent` ends the error of a magic that sends.
    """
    from xcyq_magic.gateway.catalog import VARIABLE, interpolation

    if shown := interpolation(name):
        msg = f"A conversation's name cannot hold {shown}{unsent}."
        raise OptionError(msg, VARIABLE)


def count(number: int, what: str) -> str:
    """Such as ``1 turn``, ``2 turns``."""
    return f"{number} {what}{'s' * (number != 1)}"


def shortened(text: str, most: int) -> str:
    """Return `text` on one line, of `most` characters at most."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def day_and_time(at: float) -> str:
    """The time `at`, in Unix seconds, with its day if that is not today; ``""`` for 0, which is not known."""
    if not at:
        return ""
    then = time.localtime(at)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


def help_page(docstring: str, parser: argparse.ArgumentParser | None) -> str:
    """The text that stands behind ``?``: the docstring, as plain text, and the options."""
    text = inspect.cleandoc(docstring).replace("``", "").replace("::\n", ":\n")
    groups = [] if parser is None else parser._action_groups  # noqa: SLF001  # argparse lists them nowhere else
    return "\n\n".join([text, *("\n".join(lines) for g in groups if (lines := list(_group(g))))])


def _group(group: argparse._ArgumentGroup) -> Iterator[str]:
    actions = group._group_actions  # noqa: SLF001  # as above
    options = [a for a in actions if a.option_strings and a.help != argparse.SUPPRESS]
    if options:
        yield f"{(group.title or 'Options').capitalize()}:"
    for option in options:
        names = f"  {_names(option)}"
        if len(names) >= _NAMES:
            yield names
            names = ""
        indent = " " * _NAMES
        yield from textwrap.wrap(
            option.help or "", _WIDTH, initial_indent=names.ljust(_NAMES), subsequent_indent=indent
        )


def _names(option: argparse.Action) -> str:
    value = "" if option.nargs == 0 else f" {option.metavar or option.dest.upper()}"
    return ", ".join(option.option_strings) + value
