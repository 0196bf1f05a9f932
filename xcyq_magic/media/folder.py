"""The text files of a folder: sorted, without what is hidden or ignored by Git, and bounded."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcyq_magic.chat.parts import Text, file_size
from xcyq_magic.errors import MediaError, printable
from xcyq_magic.media.files import open_regular, read_file, reading
from xcyq_magic.media.text.decoding import decoded
from xcyq_magic.media.text.shown import clipped, count_of, fenced
from xcyq_magic.media.text_files import Bounds, Document, FileText, text_of_file
from xcyq_magic.media.video import mime_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_SEEN = 20_000  # entries
_MOST_FILES = 100  # of text, that go in
_MOST_READ = 1_000_000  # bytes of a file
_DEEPEST = 50  # folders within folders
_MOST_NAMED = 20  # files that are left out
_IGNORES = ".gitignore"
_HEAD = 1000  # bytes that tell a picture
_LEAST = 200  # characters of a file
_STARS = 3  # of a name in a pattern


@dataclass
class _Walk:
    """What is found in a folder.

    Attributes
    ----------
    files
        Regular files that are neither hidden nor ignored, sorted.
    left_out
        How many others there are, by what they are.
    full
        Whether there is more than is looked at.
    """

    root: Path
    shown: str
    files: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    full: bool = False
    _seen: int = 0

    def run(self) -> None:
        """Look into the folder."""
        self._into(self.root, self._rules_above(), _DEEPEST)

    def _into(self, folder: Path, rules: Sequence[_Rules], depth: int) -> None:
        entries = self._entries(folder)
        if any(entry.name == _IGNORES and entry.is_file() for entry in entries):
            rules = [*rules, _Rules.of(folder, self.shown)]
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                self.left_out["hidden"] += entry.name != _IGNORES
            elif entry.is_symlink():  # it may lead out of the folder, or around in it
                self.left_out["link"] += 1
            elif _ignored(Path(entry.path), rules, is_folder=entry.is_dir()):
                self.left_out["ignored by Git"] += 1
            elif entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.is_file():
                self.files.append(Path(entry.path))
            else:
                self.left_out["neither file nor folder"] += 1
        if folders and not depth:
            self.left_out["too deep within others"] += len(folders)
        for found in folders if depth else ():
            self._into(found, rules, depth - 1)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        room = _MOST_SEEN - self._seen
        try:
            with os.scandir(folder) as found:
                entries = list(islice(found, room + 1))
        except OSError:
            if folder == self.root:
                raise
            self.left_out["not allowed to be read"] += 1
            return []
        self.full = self.full or len(entries) > room
        self._seen += len(entries)
        return sorted(entries[:room], key=lambda entry: entry.name)

    def _rules_above(self) -> list[_Rules]:
        """Return the rules of the repository that the folder is in; none where they ignore it, since it was named."""
        here = self.root.resolve()
        above: list[Path] = []
        if not (here / ".git").exists():
            for folder in here.parents:
                above.insert(0, folder)
                if (folder / ".git").exists():
                    break
            else:
                return []
        rules = [_Rules.of(folder, self.shown) for folder in above if (folder / _IGNORES).is_file()]
        return [] if any(_ignored(p, rules, is_folder=True) for p in (here, *here.parents)) else rules


@dataclass(frozen=True)
class _Rules:
    """The patterns of a ``.gitignore``, for the folder that it stands in."""

    folder: Path
    patterns: Any

    @classmethod
    def of(cls, folder: Path, shown: str) -> _Rules:
        try:
            from pathspec import GitIgnoreSpec  # noqa: PLC0415  # an extra
        except ImportError:
            msg = f"{shown} has a .gitignore, and what reads it is not installed; nothing was sent."
            way_on = "Type %pip install pathspec, then run this cell again. Or attach its files one by one."
            raise MediaError(msg, way_on) from None
        lines = read_file(folder / _IGNORES, _MOST_READ).decode("utf-8-sig", "replace").splitlines()
        lines = [line for line in lines if not line.startswith("#") and _is_pattern(line)]
        # pathspec makes a regular expression of each, which goes back at every star.
        if slow := next((n for n in lines if max(n.count("**"), *(p.count("*") for p in n.split("/"))) > _STARS), ""):
            msg = f"{shown} has a .gitignore with {clipped(slow, 40)!r}, which takes too long; nothing was sent."
            raise MediaError(msg, f"Write that with {_STARS} stars at most, or attach the files one by one.")
        return cls(folder.resolve(), GitIgnoreSpec.from_lines(lines))


def _is_pattern(line: str) -> bool:
    """Return whether pathspec takes a line as a pattern: it raises where Git passes over one."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  # as above

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _ignored(path: Path, rules: Sequence[_Rules], *, is_folder: bool) -> bool:
    """Return whether the rules ignore a path: the last that says something of it decides, as in Git."""
    ignored = False
    path = path.parent.resolve() / path.name if rules else path
    for rule in rules:
        if path != rule.folder and path.is_relative_to(rule.folder):
            said = rule.patterns.check_file(path.relative_to(rule.folder).as_posix() + "/" * is_folder).include
            ignored = ignored if said is None else said
    return ignored


def read_folder(path: Path, shown: str, bounds: Bounds) -> Document:
    """Return the text files of a folder in one text, each in a fence under its name.

    Parameters
    ----------
    path
        The folder.
    shown
        What the user called it.
    bounds
        How long the text may be; if all files do not fit, each is shortened, the longest most of all.

    Raises
    ------
    MediaError
        It has no text file, or a ``.gitignore`` that cannot be read.
    """
    with reading(path, shown):
        walk = _Walk(path, shown)
        walk.run()
    name = f"{shown.rstrip('/')}/"
    texts: list[tuple[str, FileText]] = []
    unread: list[str] = []
    for file in walk.files:
        inner = printable(file.relative_to(path).as_posix())
        if len(texts) == _MOST_FILES:
            unread.append(inner)
            continue
        said = _said(file, inner, replace(bounds, read=_MOST_READ))
        if isinstance(said, str):
            walk.left_out[said] += 1
        else:
            texts.append((inner, said))
    if not texts:
        others = _counted(walk.left_out)
        msg = f"{shown} holds no text file{f' (but {others})' if others else ''}; nothing was sent."
        raise MediaError(msg, "Attach a file of it by its path.")
    return _document(name, texts, unread, walk, bounds)


def _document(name: str, texts: list[tuple[str, FileText]], unread: list[str], walk: _Walk, bounds: Bounds) -> Document:
    """Return the text files of a folder as a document.

    Parameters
    ----------
    name
        The folder's.
    texts
        The name and the text of each file that goes in.
    unread
        The names of those that do not.
    walk
        What was found.
    bounds
        How long the text may be.
    """
    fitted = list(_fitted(texts, bounds.document))
    body = "\n\n".join(f"{n}{f' ({t.how})' if t.how else ''}:\n{fenced(t.text, t.language)}" for n, t in fitted)
    shortened = [n for n, text in fitted if text.cut]
    left = [f"parts of {_names(shortened)}"] if shortened else []
    left += [f"{len(unread):,} more files ({_names(unread)})"] if unread else []
    left += [others] if (others := _counted(walk.left_out)) else []
    left += [f"whatever comes behind the first {_MOST_SEEN:,} entries"] if walk.full else []
    left_out = f"Left out: {'; '.join(left)}." if left else ""
    files = count_of(len(texts), "text file")
    size = file_size(len(body.encode("utf-8", "replace")))
    head = f"{name} ({files}{f'. {left_out}'.removesuffix('.') if left_out else ''}):"
    if shortened or unread:
        left_out += " Attach one by its path for the whole of it."
    return Document(name, (Text(f"{head}\n{body}\n"),), (files, size), left_out)


def _said(file: Path, name: str, bounds: Bounds) -> FileText | str:
    """Return the text of a file; what it is, where it is none that goes in."""
    try:
        with open_regular(file) as opened:
            head = opened.read(_HEAD)
            opened.seek(0)
            if (mime := mime_of(head)) and mime != "image/svg+xml":
                return "picture" if mime.startswith("image/") else "video"
            if head.startswith(b"%PDF-"):
                return "PDF"
            if decoded(head, whole=False) is None:
                return "not of text"
            said = text_of_file(opened, os.fstat(opened.fileno()).st_size, name, bounds, pictures=0)
    except OSError:
        return "not allowed to be read"
    except MediaError:
        return "empty"
    return "not of text" if said is None else said


def _fitted(texts: list[tuple[str, FileText]], chars: int) -> Iterator[tuple[str, FileText]]:
    """Yield the texts in their order, shortened where they do not fit, the longest most of all."""
    room, most = chars, {}
    for left, (name, said) in zip(range(len(texts), 0, -1), sorted(texts, key=lambda t: len(t[1].text)), strict=True):
        most[name] = max(_LEAST, room // left)
        room -= min(len(said.text), most[name])
    for name, said in texts:
        text = clipped(said.text, most[name])
        yield name, replace(said, text=text, cut=said.cut or ("characters" if len(text) < len(said.text) else ""))


def _names(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"… {more:,} more"] if more > 0 else [])])


def _counted(others: Counter[str]) -> str:
    plural = {"picture", "video", "PDF", "link"}
    return ", ".join(
        f"{count:,} {what}{'s' * (count != 1 and what in plural)}" for what, count in others.items() if count
    )
