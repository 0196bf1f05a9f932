"""GitHub's Markdown, as models write it, read into the element tree that `markdown` writes out.

`blocks` finds the structure line by line, `inline` what stands within a block, `tree` makes elements
of both. Each reads its text once, from left to right, so its time grows as the text does, whatever a
looping model repeats 20,000 times; and of equal rows, items or lines, each is read as the first one is.
Pure text in, elements out: nothing here knows of widgets, and what is safe to show is `display.markup`'s
business.

Source of the rules: the CommonMark specification 0.31 (https://spec.commonmark.org/0.31.2/), the
extensions of GitHub's (https://github.github.com/gfm/), and GitHub's for math and footnotes.
"""
