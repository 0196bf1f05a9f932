"""What is typed. Each magic parses its line, calls the session and shows the result.

Whoever reads this folder learns what the user can type and nothing else. Nothing in it imports the
HTTP client, Markdown or widgets before a magic needs them: that keeps ``%load_ext`` quick.
"""
