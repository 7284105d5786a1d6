"""Sizes of pictures for a slide, a journal's column and a page, and where title, map, legend and notes stand on each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from geolive.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PictureSize:
    """A size, and the places of its parts as shares of the figure, from the lower left corner.

    Parameters
    ----------
    inches : tuple of float
        Width and height.
    letters : float
        Size of letters against those of a picture without a set size.
    title, legend, notes : tuple of float
        Upper left corner of title and legend, lower left corner of the notes.
    map_box : tuple of float
        Left, bottom, width and height of the map.
    arrow : tuple of float
        Foot of the north arrow.
    title_width, notes_width : int
        Characters of a line.
    legend_columns : int
    """

    inches: tuple[float, float]
    letters: float
    title: tuple[float, float]
    map_box: tuple[float, float, float, float]
    legend: tuple[float, float]
    notes: tuple[float, float]
    arrow: tuple[float, float]
    title_width: int
    notes_width: int
    legend_columns: int = 1

    def new_axes(self) -> "Axes":
        """Make axes for the map on a figure of this size."""
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=self.inches, facecolor="white")
        axes = figure.add_axes(self.map_box)
        return axes


PICTURE_SIZES = {
    # 16:9, as slides are
    "slide": PictureSize(
        (13.333, 7.5), 1.45, (0.03, 0.965), (0.03, 0.03, 0.6, 0.79), (0.655, 0.82), (0.655, 0.035), (0.96, 0.74), 80, 62
    ),
    # 89 mm wide, the column of most journals
    "column": PictureSize(
        (3.5, 5.2), 0.8, (0.02, 0.985), (0.02, 0.37, 0.96, 0.5), (0.02, 0.35), (0.02, 0.012), (0.95, 0.27), 44, 92, 2
    ),
    # 190 mm wide, the type area of A4
    "page": PictureSize(
        (7.48, 9.2),
        1.0,
        (0.02, 0.985),
        (0.02, 0.26, 0.96, 0.65),
        (0.02, 0.245),
        (0.02, 0.012),
        (0.96, 0.19),
        70,
        150,
        3,
    ),
}


def picture_size(name: str) -> PictureSize:
    """Return the size of a name.

    Raises
    ------
    InputError
        There is no such size.

    Examples
    --------
    >>> picture_size("slide").inches
    (13.333, 7.5)
    >>> picture_size("poster")
    Traceback (most recent call last):
    geolive.errors.InputError: size='poster': there is no such size; choose slide, column or page
    """
    if name not in PICTURE_SIZES:
        raise InputError(f"size={name!r}: there is no such size; choose slide, column or page", parameter="size")
    return PICTURE_SIZES[name]
