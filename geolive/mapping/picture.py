"""The district map as a picture for a slide, a report or an article (.png, .svg, .pdf)."""

import datetime
from pathlib import Path
from typing import Any

from geolive.map_plots import plain_matplotlib
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.qgis_metadata import layer_title

PICTURES = (".png", ".svg", ".pdf")
_DOTS_PER_INCH = 300


def write_picture(district_map: DistrictMap, path: Path, size: str | None = None) -> None:
    """Draw the districts in the legend's classes; letters and fonts are in the file, and equal maps give equal bytes.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file whose name ends in one of `PICTURES`. A .png has 300 dots an inch.
    size : {"slide", "column", "page"}, optional
        A set size; by default the region's shape decides.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.svg"
    >>> write_picture(result, path)
    >>> b"geolive" in path.read_bytes()
    True
    """
    import matplotlib.pyplot as plt

    # letters as outlines look alike everywhere, and TrueType fonts can be found and copied in a PDF
    fonts: Any = {"svg.fonttype": "path", "svg.hashsalt": "geolive", "pdf.fonttype": 42}
    with plain_matplotlib(fonts):
        figure = district_map.plot(size=size).get_figure(root=True)
        assert figure is not None, "plot draws on a figure of its own"
        try:
            box = "tight" if size is None else None
            figure.savefig(path, dpi=_DOTS_PER_INCH, bbox_inches=box, metadata=_metadata(district_map, path.suffix))
        finally:
            plt.close(figure)


def _metadata(district_map: DistrictMap, suffix: str) -> dict:
    made, title = district_map.provenance, layer_title(district_map)
    program = f"geolive {made.version}"
    if suffix == ".png":
        return {"Software": program, "Title": title.encode("latin-1", "replace").decode("latin-1")}
    if suffix == ".svg":
        return {"Creator": program, "Title": title, "Date": made.made.isoformat()}
    when = datetime.datetime.combine(made.made, datetime.time(), datetime.UTC)
    return {"Creator": program, "Title": title, "CreationDate": when}
