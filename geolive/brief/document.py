"""What a brief is made of: sections of paragraphs, lists, tables and pictures, which HTML and PDF show alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text.

    Parameters
    ----------
    text : str
    kind : {"text", "lead", "quiet"}
        A lead is larger, what is quiet smaller.
    """

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Items:
    """A list of sentences.

    Parameters
    ----------
    texts : sequence of str
    """

    texts: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    heads : sequence of str
    rows : sequence of sequence of str
    widths : sequence of float
        Share of the width that each column takes; they add up to 1.
    numbers : tuple of int
        Columns that are aligned to the right.
    caption : str
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    numbers: tuple[int, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that is drawn anew for each kind of file.

    Parameters
    ----------
    draw : callable
        Draws on axes of matplotlib.
    size : tuple of float
        Width and height in inches.
    caption : str
        What it shows, in a sentence.
    simulated : bool
        Whether SIMULATED is written across it here; some pictures do so themselves.
    """

    draw: Callable[[Any], object]
    size: tuple[float, float]
    caption: str
    simulated: bool = False


Block: TypeAlias = Paragraph | Items | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of a brief with a heading.

    Parameters
    ----------
    title : str
    blocks : sequence of Block
    """

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Brief:
    """A brief on a region.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of Section
    simulated : bool
    footer : str
        Source, version and date, at the foot of each page.
    made : str
        Date, ISO 8601.
    version : str
        Version of geolive.

    Examples
    --------
    >>> Brief("Wealth", "In Goa", [Section("What it shows", [Paragraph("Nothing.")])], False, "", "2026-01-01", "0.1.0").texts
    ['Wealth', 'In Goa', 'What it shows', 'Nothing.']
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    simulated: bool
    footer: str
    made: str
    version: str

    @property
    def texts(self) -> list[str]:
        """All texts in their order, without those in pictures."""
        found = [self.title, self.subtitle]
        for section in self.sections:
            found.append(section.title)
            for block in section.blocks:
                found += _texts_of(block)
        return found


def _texts_of(block: Block) -> list[str]:
    if isinstance(block, Paragraph):
        return [block.text]
    if isinstance(block, Items):
        return list(block.texts)
    if isinstance(block, Table):
        return [block.caption, *block.heads, *(cell for row in block.rows for cell in row)]
    return [block.caption]
