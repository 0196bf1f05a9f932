"""One shell's session: its conversations, its settings and key, and the one way in which anything is asked."""
