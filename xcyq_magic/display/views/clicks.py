"""Whether a click on a button is handled while a cell runs, which depends on the ipykernel and on the frontend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets as widgets


def clicks_arrive(kernel: Any) -> bool:  # noqa: ANN401  # ipykernel's class, which may be missing
    """Return whether a click's message is handled while a cell runs: only where the frontend opened a subshell.

    ipykernel before 7 has none, and nbclient and older frontends do not open one.
    """
    if not getattr(kernel, "_supports_kernel_subshells", False):
        return False
    channel = getattr(kernel, "shell_channel_thread", None)
    return bool(channel is not None and channel.manager.list_subshell())


def let_clicks_through(button: widgets.Button) -> None:
    """Keep the button out of ipykernel 7.4's rule that a comm's messages go to the shell that last sent on it.

    That shell is the one which is busy with the cell.
    """
    comm = button.comm
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001  # there is no public way
