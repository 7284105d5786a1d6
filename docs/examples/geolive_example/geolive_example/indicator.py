"""An indicator: its words and colours."""

from geolive.indicators import Indicator

SAFE_WATER = Indicator(
    # the name of the entry point, and of the column in the table of clusters
    name="safe_water",
    title="Households with safe water",
    unit="share of households",
    direction="higher is better",
    # five colours from the lowest class to the highest, which colour-blind readers can tell apart
    colours=("#f7fbff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"),
    meaning="Values are means of areas, not of households.",
    # rank 1 is the place that is worst off
    ranked_from="lowest",
    first="worst_off",
)
