"""The district map: what the page, the pictures and every file are made from."""

import datetime
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import Geometry

from geolive.auditing.passport import Passport
from geolive.errors import InputError
from geolive.indicators import Indicator, class_breaks
from geolive.languages import Language, phrase
from geolive.wording import count_of, decimals_to_show, percent_text

if TYPE_CHECKING:
    import folium
    from matplotlib.axes import Axes

    from geolive.estimation.diagnostics import AreaDiagnostics
    from geolive.mapping.map_cells import MapCells


@dataclass(frozen=True)
class Provenance:
    """How and when a map was made.

    Parameters
    ----------
    model, model_about : str
        The model's name, and a sentence about it.
    dataset, boundaries : str
        Where images and survey come from, and whose borders are drawn.
    command : str
        The command that makes the map again; empty where it was made in Python.
    made : date
    version : str
        The version of geolive.
    simulated : bool
        Whether survey or imagery are simulated.
    metrics : dict of str to float
        Out-of-fold scores of the model at the surveyed clusters ("r2", "rmse", or "accuracy", "auc").
    uses_images : bool
        Whether the model uses images; baselines use positions alone.
    """

    model: str
    model_about: str
    dataset: str
    boundaries: str
    command: str
    made: datetime.date
    version: str
    simulated: bool
    metrics: dict[str, float]
    uses_images: bool = True


def ranks_counted(districts: gpd.GeoDataFrame, now: str, wanted: str) -> gpd.GeoDataFrame:
    """Return the districts with ranks that count from the wanted end.

    Parameters
    ----------
    districts : GeoDataFrame
        With `rank_best` and `rank_worst`; null where a district has no value.
    now, wanted : {"lowest", "highest"}
        Which value has rank 1.

    Examples
    --------
    >>> table = gpd.GeoDataFrame({"rank_best": [1.0, 2.0], "rank_worst": [1.0, 2.0]})
    >>> ranks_counted(table, "highest", "lowest")["rank_best"].tolist()
    [2.0, 1.0]
    """
    if now == wanted:
        return districts
    # the set of a rank from one end is that from the other end, read backwards
    last = districts["rank_worst"].notna().sum() + 1
    return districts.assign(rank_best=last - districts["rank_worst"], rank_worst=last - districts["rank_best"])


@dataclass(frozen=True, repr=False)
class DistrictMap:
    """Districts and sites with their values, and the information that a reader needs about them.

    `geolive.predict` makes it. In Jupyter it shows itself as a map.

    Parameters
    ----------
    indicator : Indicator
    region : str
        The region's name, for titles.
    area : Geometry
        The region's polygon, EPSG:4326.
    districts : GeoDataFrame
        One district in each row: `district_id`, `district`, `state`, `geometry` (MultiPolygon, EPSG:4326), NAME,
        NAME_lower, NAME_upper (the indicator's unit), NAME_label (0 or 1), `n_sites`, `n_images`, `supported`,
        `simulated`, `rank_best` and `rank_worst` (rank 1 is at the end that `indicator.ranked_from` names). Values,
        labels and ranks are null where a district is not supported. Where the dataset has a survey of the indicator
        there are also `n_clusters`, NAME_direct, NAME_direct_error, NAME_predicted, NAME_predicted_lower,
        NAME_predicted_upper, NAME_synthetic and NAME_gamma; with a population `people` and `people_supported` (the
        share of them within reach of a supported prediction, 0 to 1); on real data `official` (a sentence or null).
    sites : GeoDataFrame
        One site in each row: `site_id`, `geometry` (Point, EPSG:4326), NAME, NAME_lower, NAME_upper, `n_images`,
        `surveyed` (bool: a survey cluster, whose value is the out-of-fold prediction), `applicable` (bool: like the
        training clusters; other sites do not enter districts).
    level : float
        Level of the intervals, for example 0.9.
    support : str
        The conditions under which a district is supported, in words.
    provenance : Provenance
    estimator : {"composite", "spatial", "predicted", "direct"}
        The kind of the districts' values.
    estimator_about : str
        Sentences that explain how the values are made, and why if a composite was not possible.
    areas : DataFrame or None
        Estimates of all districts to which the composite was fitted: those with survey clusters or sites, also
        outside the region. `diagnostics` uses them. None without a composite.
    weights_about : str
        How the predictions in a district are weighted, in a sentence.
    covariates_about : str
        Which rasters were read for the map, in a sentence.
    cells : MapCells or None
        Predictions at the cells of a grid, if a population raster was given or the model uses covariates.
    heading : str
        Title of the map, if it is not the indicator and the region.
    passport : Passport or None
        The quality checks of the map, its model and its dataset; `geolive.audit` returns them.

    See Also
    --------
    geolive.predict : Map the districts of a region.
    geolive.audit : Check the quality of a dataset, a model or a map.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), region="goa")
    >>> result
    <DistrictMap: Asset wealth in Goa (SIMULATED), 3 districts, 41 sites, 90 % intervals>
    """

    indicator: Indicator
    region: str
    area: Geometry
    districts: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    level: float
    support: str
    provenance: Provenance
    estimator: str = "predicted"
    estimator_about: str = ""
    areas: pd.DataFrame | None = None
    heading: str = ""
    weights_about: str = ""
    covariates_about: str = ""
    cells: "MapCells | None" = None
    passport: Passport | None = None

    @property
    def title(self) -> str:
        """Title of the map, for example "Asset wealth in Bihar"."""
        return self.heading or phrase("page.title", indicator=self.indicator.title, region=self.region)

    def with_words(
        self,
        *,
        title: str | None = None,
        label: str | None = None,
        unit: str | None = None,
        higher_is: str | None = None,
    ) -> "DistrictMap":
        """Return the map with another title or another description of the indicator. The values do not change.

        Parameters
        ----------
        title : str, optional
            Title of the map; by default the label and the region.
        label, unit : str, optional
            Description of the indicator, and its unit.
        higher_is : {"better", "worse"}, optional
            Meaning of a higher value. Ranks count from the end that is worse off. If a higher value is worse, higher
            values have darker colours.

        Raises
        ------
        InputError
            `higher_is` is neither of the two, or a text is empty.

        Examples
        --------
        >>> import geolive as gl
        >>> dataset = gl.make_sample("goa")
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
        >>> result.with_words(title="Wealth of Goa's districts", unit="index points").title
        "Wealth of Goa's districts"
        """
        if title is not None and not title.strip():
            raise InputError("title: is empty; give some words, or leave it out", parameter="title")
        words = self.indicator.with_words(label=label, unit=unit, higher_is=higher_is)
        return replace(self.with_indicator(words), heading=self.heading if title is None else title)

    def with_indicator(self, indicator: Indicator) -> "DistrictMap":
        """Return the map with another description of its indicator, which also names the end from which ranks count.

        Parameters
        ----------
        indicator : Indicator

        Examples
        --------
        >>> import geolive as gl
        >>> dataset = gl.make_sample("goa")
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
        >>> worse = result.with_indicator(result.indicator.with_words(higher_is="worse"))
        >>> (worse.districts["rank_best"] + result.districts["rank_worst"]).unique().tolist()
        [4.0]
        """
        districts = ranks_counted(self.districts, self.indicator.ranked_from, indicator.ranked_from)
        return replace(self, indicator=indicator, districts=districts)

    @property
    def breaks(self) -> np.ndarray:
        """Edges of the legend's classes of district values; the page, the plot and every style use these.

        Districts whose rounded values are equal are in one class, with two equal edges.
        """
        values = self.districts[self.indicator.name].to_numpy(float)
        seen = class_breaks(values, decimals=self.decimals)
        return seen if len(seen) == 2 and seen[0] == seen[1] else class_breaks(values)

    @property
    def decimals(self) -> int:
        """Number of decimals of displayed values; it follows from the intervals of supported districts."""
        name = self.indicator.name
        ends = self.districts[[f"{name}_lower", f"{name}_upper"]].where(self.districts["supported"].astype(bool))
        return decimals_to_show(ends.to_numpy(float))

    @property
    def grid(self) -> bool:
        """Whether places of a grid are predicted, as on a map without photos."""
        return bool((~self.sites["surveyed"].to_numpy(bool) & (self.sites["n_images"].to_numpy() == 0)).any())

    @property
    def has_images(self) -> bool:
        """Whether any site has images."""
        return bool((self.sites["n_images"].to_numpy() > 0).any())

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        show: str = "value",
        names: bool = True,
        sites: bool = False,
        figsize: tuple[float, float] | None = None,
        size: str | None = None,
    ) -> "Axes":
        """Draw the map with matplotlib.

        Islands and cities that are too small to see have insets. Dots mark districts whose interval holds the region's mean.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default new ones.
        show : {"value", "uncertainty"}
            The values of the districts, or the widths of their intervals.
        names : bool
            Whether districts are named where their name fits.
        sites : bool
            Whether sites are drawn.
        figsize : tuple of float, optional
            Width and height in inches of a new figure; by default the region's shape decides.
        size : {"slide", "column", "page"}, optional
            A new figure of a set size: a slide of 16:9, a journal's column of 89 mm, or a page.

        Returns
        -------
        matplotlib.axes.Axes
            In longitude and latitude, degrees.

        Raises
        ------
        InputError
            `show` is neither of the two, there is no such `size`, or matplotlib is not installed.

        Examples
        --------
        >>> import geolive as gl
        >>> dataset = gl.make_sample("goa")
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
        >>> result.plot().get_title(loc="left")
        'Asset wealth in Goa'
        """
        from geolive.mapping.static_map import plot_districts

        return plot_districts(self, ax, show=show, names=names, sites=sites, figsize=figsize, size=size)

    def explore(self, tiles: str | None = "OpenStreetMap") -> "folium.Map":
        """Make a `folium.Map` of the districts, to which you can add your own layers.

        folium loads its scripts from the network; `to_file("NAME.html")` writes a page that needs no network.

        Parameters
        ----------
        tiles : str or None
            The base map, a name or address that `folium.Map` takes; None for an empty background.

        Returns
        -------
        folium.Map

        Examples
        --------
        >>> import folium
        >>> import geolive as gl
        >>> dataset = gl.make_sample("goa")
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
        >>> drawn = result.explore()
        >>> _ = folium.Marker([15.5, 73.8], tooltip="Panaji").add_to(drawn)
        """
        from geolive.mapping.folium_map import explore_districts

        return explore_districts(self, tiles)

    def to_file(
        self, path: str | Path, *, language: str | Path | Language = "en", picture_size: str | None = None
    ) -> list[Path]:
        """Write the map to a file; the ending of the name chooses the format. An older file of this name is replaced.

        - `.html`: a page that needs no network
        - `.geojson`: the districts
        - `.gpkg`: the districts and the sites
        - `.tif`: the sites' values interpolated, a Cloud-Optimized GeoTIFF
        - `.csv`: the districts without their borders
        - `.xlsx`: a workbook with districts, sites, words for the columns, and the method
        - `.parquet`, `.fgb`, `.kml`: the districts as GeoParquet 1.1, FlatGeobuf and KML
        - `.pmtiles`: the districts as vector tiles in one file, and `NAME_tiles.html`, a page that draws them without a network
          (where the extra `tiles` is installed)
        - `.qgz`: a QGIS project with a layout of a page for each district, beside its `.gpkg`
        - `.png`, `.svg`, `.pdf`: the picture that `plot` draws

        A style and metadata for QGIS are written beside `.geojson` and `.tif` (`.qml`, `.qmd`); a `.gpkg` holds its styles.

        Parameters
        ----------
        path : str or Path
        language : {"en", "hi", "fr"} or Path
            Language of a page, or a JSON file with the words of another language. Other files are in English.
        picture_size : {"slide", "column", "page"}, optional
            Size of a picture; by default the region's shape decides.

        Returns
        -------
        list of Path
            The written files. If one cannot be written, none is written.

        Raises
        ------
        InputError
            The ending, the language or the size is not known, or the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> import geolive as gl
        >>> dataset = gl.make_sample("goa")
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
        >>> [p.name for p in result.to_file(Path(tempfile.mkdtemp()) / "pov.geojson")]
        ['pov.geojson', 'pov.qml', 'pov.qmd']
        """
        from geolive.mapping.exports import write_files

        return write_files(self, [path], language=language, picture_size=picture_size)

    def diagnostics(self) -> "AreaDiagnostics":
        """Check the composite estimates: normality, gain in precision, coherence with the survey, and disagreements.

        Returns
        -------
        AreaDiagnostics
            Tables with one district in each row, also with surveyed districts outside the region, and the test of
            Brown et al.

        Raises
        ------
        InputError
            The map has no composite estimates.

        Examples
        --------
        >>> import geolive as gl
        >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
        >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar")
        >>> result.diagnostics().disagreements.columns.tolist()
        ['direct', 'synthetic', 'estimate', 'gamma', 'z']
        """
        from geolive.mapping.estimation_diagnostics import diagnose

        return diagnose(self)

    def __repr__(self) -> str:
        parts = [
            f"{self.title}{' (SIMULATED)' if self.provenance.simulated else ''}",
            count_of(len(self.districts), "district"),
            count_of(len(self.sites), "site"),
            f"{percent_text(self.level)} intervals",
        ]
        return f"<DistrictMap: {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        """Return the page in a frame, which Jupyter shows in place of the `repr`."""
        from geolive.mapping.webmap import framed_page

        return framed_page(self)
