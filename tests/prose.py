"""Sentences of the documentation, without code, tables and links."""

import functools
import re
from typing import NamedTuple

from tests.markdown_blocks import ROOT, pages

_FENCE = re.compile(r"^[ ]*(`{3,}|:{3,}).*?^[ ]*\1[ ]*$", re.MULTILINE | re.DOTALL)
_ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|et al|vs|cf|Eq|Fig|No)\.$")


class Sentence(NamedTuple):
    """A sentence and where it stands."""

    page: str
    text: str

    def __str__(self):
        return f"{self.page}: {self.text}"


@functools.cache
def sentences():
    """All sentences of the pages that people read, in order."""
    return tuple(Sentence(path.relative_to(ROOT).as_posix(), text) for path in pages() for text in _of(path))


def _of(path):
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    text = _FENCE.sub("\n\n", text)
    text = re.sub(r"<!--.*?-->|\$\$.*?\$\$", "", text, flags=re.DOTALL)
    text = re.sub(r"^\s*\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    # code is one word, whatever it holds
    text = re.sub(r"`[^`\n]*`", "CODE", text)
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. |#))", text):
        words = re.sub(r"^(?:[-*] |\d+\. |#+ )\s*", "", " ".join(paragraph.split()))
        start = 0
        for end in re.finditer(r"[.!?:;]\)?\s+", words):
            if not _ABBREVIATIONS.search(words[start : end.start() + 1]):
                yield words[start : end.end()].strip()
                start = end.end()
        if words[start:]:
            yield words[start:]
