"""Conversations as files: Markdown to read, JSON to exchange, notebooks to run. Text to values and back, no I/O."""
