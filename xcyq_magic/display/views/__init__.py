"""The live views of a notebook. The only package that imports ipywidgets.

While replies come, the output is a widget; when they end, the same display id is updated to a static
bundle and the widgets are closed: an output that is a widget is empty after a reopen.
"""

from xcyq_magic.display.views.buttons import is_captured
from xcyq_magic.display.views.columns import ColumnsView
from xcyq_magic.display.views.live_checks import ChecksView
from xcyq_magic.display.views.live_rows import MatrixView, RowsView
from xcyq_magic.display.views.reply import ReplyView

__all__ = ["ChecksView", "ColumnsView", "MatrixView", "ReplyView", "RowsView", "is_captured"]
