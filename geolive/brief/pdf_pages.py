"""A brief as a PDF of A4 pages: text that can be selected, fonts inside, pictures as vectors."""

import datetime
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geolive.brief.document import Block, Brief, Items, Paragraph, Picture, Table
from geolive.brief.drawing import draw_on
from geolive.brief.writing import SIMULATED_WORDS, WIDTH
from geolive.map_plots import GREY, INK, one_line, plain_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# inches
_PAGE_WIDTH, _PAGE_HEIGHT = 8.27, 11.69
_LEFT, _TOP, _BOTTOM = (_PAGE_WIDTH - WIDTH) / 2, 0.55, 0.8
_BANNER = 0.24
_CELL_PAD = 0.05
_RED, _LINE = "#b3261e", "#d8dde2"
# size in points, space before and after in inches
_TEXT = {"text": (9.0, 0.02, 0.05), "lead": (10.5, 0.03, 0.06), "quiet": (7.2, 0.02, 0.03)}
_LEADING = 1.38
# so many rows at the beginning and at the end of a table are not parted
_ROWS_TOGETHER = 3


def write_pdf(brief: Brief, path: Path) -> None:
    """Write a brief as a PDF; equal briefs give equal bytes.

    Parameters
    ----------
    brief : Brief
    path : Path
        A file to write; it replaces an older file.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "brief.pdf"
    >>> write_pdf(Brief("Wealth", "In Goa", [], False, "", "2026-01-01", "0.1.0"), path)
    >>> path.read_bytes()[:5]
    b'%PDF-'
    """
    import matplotlib
    from matplotlib.backends.backend_pdf import PdfPages

    made = datetime.datetime.combine(datetime.date.fromisoformat(brief.made), datetime.time(), datetime.UTC)
    mark = "SIMULATED: " if brief.simulated else ""
    about = {
        "Title": f"{mark}{one_line(brief.title)}",
        "Author": "geolive",
        "Creator": f"geolive {brief.version}",
        "Subject": "geolive brief",
        "CreationDate": made,
        "ModDate": made,
    }
    fonts: Any = {"pdf.fonttype": 42}
    with plain_matplotlib() as figure_class, matplotlib.rc_context(fonts):
        pages = _Pages(brief, figure_class)
        pages.title(brief)
        for section in brief.sections:
            pages.heading(section.title, pages.first_height(section.blocks))
            for block in section.blocks:
                pages.add(block)
        with PdfPages(path, metadata=about) as file:
            for figure in pages.finished():
                file.savefig(figure)


class _Pages:
    """Pages that are filled from top to bottom; `y` is the height above the lower edge that is still free, in inches."""

    def __init__(self, brief: Brief, figure_class: Any) -> None:
        self.brief, self.new_figure = brief, figure_class
        self.figures: list[Figure] = []
        self.y = 0.0
        self.new_page()

    def new_page(self) -> None:
        figure = self.new_figure(figsize=(_PAGE_WIDTH, _PAGE_HEIGHT), facecolor="white")
        self.figures.append(figure)
        self.y = _PAGE_HEIGHT - _TOP
        if self.brief.simulated:
            words = f"SIMULATED. {SIMULATED_WORDS}"
            self.rectangle(_LEFT, self.y - _BANNER, WIDTH, _BANNER, _RED)
            self.write(_LEFT + 0.08, self.y - 0.165, words, 8.2, bold=True, colour="white")
            self.y -= _BANNER + 0.12

    def need(self, height: float) -> None:
        """Begin a new page where less than a height is left."""
        if self.y - height < _BOTTOM:
            self.new_page()

    def write(
        self, x: float, y: float, text: str, size: float, *, bold: bool = False, colour: str = INK, align: str = "left"
    ) -> None:
        """Write one line with its baseline at y."""
        self.figures[-1].text(
            x / _PAGE_WIDTH, y / _PAGE_HEIGHT, text, fontsize=size, fontweight="bold" if bold else "normal", color=colour,
            ha=align, va="baseline",
        )  # fmt: skip

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        from matplotlib.patches import Rectangle

        figure = self.figures[-1]
        corner = (x / _PAGE_WIDTH, y / _PAGE_HEIGHT)
        shape = Rectangle(
            corner,
            width / _PAGE_WIDTH,
            height / _PAGE_HEIGHT,
            facecolor=colour,
            edgecolor="none",
            transform=figure.transFigure,
        )
        figure.add_artist(shape)

    def rule(self, y: float, colour: str = _LINE, thick: float = 0.008) -> None:
        self.rectangle(_LEFT, y - thick / 2, WIDTH, thick, colour)

    def lines(self, text: str, size: float, *, x: float = 0.0, bold: bool = False, colour: str = INK) -> None:
        """Write wrapped lines, over pages where they need it."""
        step = size * _LEADING / 72
        for line in wrapped(text, WIDTH - x, size, bold):
            self.need(step)
            self.y -= step
            self.write(_LEFT + x, self.y + 0.28 * step, line, size, bold=bold, colour=colour)

    def title(self, brief: Brief) -> None:
        self.y -= 0.05
        self.lines(brief.title, 19, bold=True)
        self.lines(brief.subtitle, 9, colour=GREY)
        self.y -= 0.05

    def heading(self, text: str, below: float) -> None:
        self.need(min(0.45 + below, _PAGE_HEIGHT - _TOP - _BOTTOM - 0.4))
        self.y -= 0.14
        self.lines(text, 12.5, bold=True)
        self.y -= 0.03
        self.rule(self.y, INK, 0.014)
        self.y -= 0.07

    def first_height(self, blocks: Sequence[Block]) -> float:
        """Return the height that must be left below a heading, so that it does not stand alone.

        It reaches to the end of a first picture, or of the first rows of a table.
        """
        height = 0.0
        for block in blocks:
            if isinstance(block, Picture):
                return height + block.size[1] + 0.3
            if isinstance(block, Table):
                return height + max(self.first_rows_height(block) + 0.3, 1.0)
            if not isinstance(block, Paragraph):
                break
            height += len(wrapped(block.text, WIDTH, _TEXT[block.kind][0], False)) * 0.18 + 0.07
        return height + 1.0

    def add(self, block: Block) -> None:
        if isinstance(block, Paragraph):
            size, before, after = _TEXT[block.kind]
            self.y -= before
            self.lines(block.text, size, colour=GREY if block.kind == "quiet" else INK)
            self.y -= after
        elif isinstance(block, Items):
            self.items(block)
        elif isinstance(block, Table):
            self.table(block)
        else:
            self.picture(block)

    def items(self, block: Items) -> None:
        size, before, after = _TEXT["text"]
        for text in block.texts:
            self.y -= before
            self.need(size * _LEADING / 72)
            step = size * _LEADING / 72
            self.write(_LEFT + 0.04, self.y - 0.72 * step, "•", size)
            self.lines(text, size, x=0.18)
        self.y -= after

    def picture(self, block: Picture) -> None:
        width, height = block.size
        mark = "SIMULATED. " if self.brief.simulated else ""
        caption = wrapped(mark + block.caption, WIDTH, 7.6, False)
        self.need(height + len(caption) * 0.146 + 0.1)
        self.y -= height
        draw_on(self.figures[-1], block, _LEFT + (WIDTH - width) / 2, self.y)
        self.y -= 0.02
        self.lines(mark + block.caption, 7.6, colour=GREY)
        self.y -= 0.1

    def table(self, block: Table) -> None:
        if block.caption:
            self.y -= 0.05
            self.need(0.6)
            self.lines(block.caption, 7.8, colour=GREY)
        self.y -= 0.03
        headed = any(block.heads)
        if headed:
            self.need(self.first_rows_height(block))
            self.row(block, block.heads, head=True)
        last = max(len(block.rows) - _ROWS_TOGETHER, 0)
        for i, row in enumerate(block.rows):
            together = block.rows[i:] if i == last else [row]
            if self.y - sum(self.row_height(block, each, False) for each in together) < _BOTTOM:
                self.new_page()
                if headed:
                    self.row(block, block.heads, head=True)
            self.row(block, row)
        self.y -= 0.1

    def first_rows_height(self, block: Table) -> float:
        rows = sum(self.row_height(block, row, False) for row in block.rows[:_ROWS_TOGETHER])
        return rows + (self.row_height(block, block.heads, True) if any(block.heads) else 0.0)

    def cells(self, block: Table, row: Any, head: bool) -> list[list[str]]:
        return [
            wrapped(text, share * WIDTH - 2 * _CELL_PAD, 7.8, head or number == 0)
            for number, (text, share) in enumerate(zip(row, block.widths, strict=True))
        ]

    def row_height(self, block: Table, row: Any, head: bool) -> float:
        return max(map(len, self.cells(block, row, head)), default=1) * 7.8 * 1.3 / 72 + 0.045

    def row(self, block: Table, row: Any, *, head: bool = False) -> None:
        step, x, height = 7.8 * 1.3 / 72, _LEFT, self.row_height(block, row, head)
        for number, (cell, share) in enumerate(zip(self.cells(block, row, head), block.widths, strict=True)):
            right = number in block.numbers
            at = x + share * WIDTH - _CELL_PAD if right else x + _CELL_PAD
            for i, line in enumerate(cell):
                y = self.y - 0.02 - (i + 1) * step + 0.28 * step
                self.write(at, y, line, 7.8, bold=head or number == 0, align="right" if right else "left")
            x += share * WIDTH
        self.y -= height
        self.rule(self.y, "#aab2bb" if head else "#e6e9ec")

    def finished(self) -> "list[Figure]":
        """Write the foot of each page, and return the pages."""
        of = len(self.figures)
        for number, figure in enumerate(self.figures, start=1):
            foot = wrapped(self.brief.footer, WIDTH - 0.8, 6.5, False)[:3]
            for i, line in enumerate(foot):
                y = (0.62 - i * 0.115) / _PAGE_HEIGHT
                figure.text(_LEFT / _PAGE_WIDTH, y, line, fontsize=6.5, color=GREY, va="baseline")
            right = (_LEFT + WIDTH) / _PAGE_WIDTH
            figure.text(
                right, 0.62 / _PAGE_HEIGHT, f"{number} of {of}", fontsize=7.5, color=GREY, ha="right", va="baseline"
            )
        return self.figures


def wrapped(text: str, width: float, size: float, bold: bool) -> list[str]:
    """Break a text into lines that are at most so many inches wide; a word that is wider is broken, too.

    Examples
    --------
    >>> wrapped("one two", 0.4, 10, False), wrapped("unbreakable", 0.4, 10, False)[0]
    (['one', 'two'], 'unbr')
    """
    lines, line = [], ""
    for word in one_line(text).split():
        longer = f"{line} {word}" if line else word
        if _inches(longer, size, bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while _inches(word, size, bold) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _inches(word[:n], size, bold) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line or not lines else lines


@functools.lru_cache(maxsize=20_000)
def _inches(text: str, size: float, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return float(width) / 72
