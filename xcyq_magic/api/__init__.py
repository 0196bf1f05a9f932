"""The session from Python: one conversation, several models, many cases."""

from xcyq_magic.api.chats import Chat
from xcyq_magic.api.comparisons import compare
from xcyq_magic.api.many import ask_each
from xcyq_magic.chat.comparison import Comparison
from xcyq_magic.chat.evaluation import Evaluation
from xcyq_magic.chat.rows import Rows

__all__ = ["Chat", "Comparison", "Evaluation", "Rows", "ask_each", "compare"]
