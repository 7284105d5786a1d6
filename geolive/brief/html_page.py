"""A brief as one HTML file that works without a network and prints on A4."""

from geolive import svg_plots
from geolive.brief.document import Block, Brief, Items, Paragraph, Picture, Table
from geolive.brief.drawing import svg_of
from geolive.brief.writing import SIMULATED_WORDS
from geolive.pages import page_templates


def html_text(brief: Brief) -> str:
    """Make the page of a brief; every text from data is escaped, no script runs, and nothing is loaded.

    Parameters
    ----------
    brief : Brief

    Examples
    --------
    >>> html_text(Brief("Wealth", "In Goa", [], False, "", "2026-01-01", "0.1.0"))[:15]
    '<!DOCTYPE html>'
    """
    numbers = iter(range(1, 1000))

    def picture(block: Picture) -> str:
        return svg_plots.with_unique_ids(svg_of(block), next(numbers))

    return (
        page_templates("geolive.brief")
        .get_template("brief.html")
        .render(brief=brief, kind=_kind, picture=picture, simulated_words=SIMULATED_WORDS)
    )


def _kind(block: Block) -> str:
    kinds = {Paragraph: "paragraph", Items: "items", Table: "table", Picture: "picture"}
    return kinds[type(block)]
