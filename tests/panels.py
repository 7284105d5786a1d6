"""A small simulated panel: places surveyed once or twice, with a value that varies smoothly."""

from pathlib import Path

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.sources.survey.reader import read_survey


def panel_table(n_places: int = 150, seed: int = 0) -> pd.DataFrame:
    """Columns lon, lat, region, wealth; every other place has two rows; rows in random order."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(80, 86, n_places), rng.uniform(22, 27, n_places)
    wealth = 2 * np.sin(lon) + np.cos(lat) + rng.normal(0, 0.3, n_places)
    region = np.char.add(np.char.add("r", (lon - 80).astype(int).astype(str)), (lat - 22).astype(int).astype(str))
    places = pd.DataFrame({"lon": lon, "lat": lat, "region": region})
    table = pd.concat([places.assign(wealth=wealth), places[::2].assign(wealth=wealth[::2] + 0.1)])
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def panel(folder: Path, n_places: int = 150, seed: int = 0) -> Dataset:
    """The panel as `read_survey` gives it, with its regions as districts."""
    path = folder / "panel.csv"
    panel_table(n_places, seed).to_csv(path, index=False)
    return read_survey(path, lon="lon", lat="lat", values={"wealth": "wealth"}, group="region")
