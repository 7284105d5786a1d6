"""The fenced code blocks of the documentation, with the reason where a page says that one is not run."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
# a comment in the line before a block; the site shows it (docs/conf.py)
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->\s*$", re.DOTALL)
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)\s*?$", re.MULTILINE | re.DOTALL)
# what they hold is text, not code: its own blocks are looked at
_TEXT = ("{grid", "{admonition", "{note", "{tip", "{warning", "{tab", "{dropdown", "{card")


@dataclass(frozen=True)
class Block:
    """A fenced block: `language` as it stands behind the fence, `not_run` the reason that the page gives, or None."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None

    def __str__(self):
        return f"{self.page}:{self.line}"


def pages():
    """All pages that people read, apart from those that Sphinx makes."""
    written = [path for path in (ROOT / "docs").rglob("*.md") if not {"_build", "api"} & set(path.parent.parts)]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(written)]


def blocks_of(path, text=None, line=0):
    """The code blocks of a page, in order."""
    text = path.read_text(encoding="utf-8") if text is None else text
    found = []
    for match in _FENCE.finditer(text):
        language = match["language"].strip()
        at = line + text.count("\n", 0, match.start()) + 1
        if language.startswith(_TEXT):
            found += blocks_of(path, match["text"], at)
            continue
        reason = NOT_RUN.search(text[: match.start()])
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        found.append(Block(name, at, language, match["text"], reason and " ".join(reason[1].split())))
    return found


def commands_of(text):
    """The commands of a shell block, each as a list of words, without comments and variables that are set before it."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&;|")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        words = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&;|"):
                found.append(words)
                words = []
            elif words or not re.fullmatch(r"[A-Z_]+=.*", word):
                words.append(word)
    return [words for words in found if words]
