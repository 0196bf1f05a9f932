"""What is kept: conversations in a SQLite file, and as files to read, exchange and run."""
