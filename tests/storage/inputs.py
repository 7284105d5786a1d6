"""What users bring to the commands: tables, photos, rasters, boundaries, networks and lists, all about Goa and all small."""

import json

import numpy as np
import pandas as pd
from PIL import Image
from rasterio import Affine

from geolive.regions import find_region
from geolive.simulation.sample import make_sample
from tests.rasters import write_raster
from tests.sources.paper import papertable
from tests.sources.survey.data.make_dhs import make_dhs

# 100 x 100 cells of 0.01 degrees around Goa
GOA = Affine(0.01, 0, 73.5, 0, -0.01, 15.9)


def write_inputs(folder):
    """Write a file or a folder of each kind that a command reads; return the folder."""
    # torch is slow to import
    from tests.vision.networks import save_mask2former

    rng = np.random.default_rng(0)
    survey = _write_survey(folder)
    _write_photos(folder, survey, rng)
    _write_tables(folder, rng)
    people = rng.integers(1, 500, (100, 100)).astype(np.float32)
    write_raster(folder / "people.tif", people, GOA)
    districts = find_region("goa").districts
    districts.to_file(folder / "goa.geojson")
    ids = districts["district_id"].tolist()
    pd.DataFrame({"district_id": ids, "rain": range(len(ids))}).to_csv(folder / "districts.csv", index=False)
    save_mask2former(folder / "mask2former")
    for name in ("dhs", "paper"):
        (folder / name).mkdir()
    make_dhs(folder / "dhs")
    rows = [papertable.row(f"{c}-{i}", c) for c in ("ia_50001", "ia_50002") for i in range(3)]
    papertable.write(folder / "paper", rows, val=("ia_50002",))
    places = [{"name": f"p{i}", "lon": 85 + i / 10, "lat": 25.0, "safe_water": i / 10} for i in range(5)]
    (folder / "round.json").write_text(json.dumps({"places": places}))
    return folder


def _write_survey(folder):
    made = make_sample("goa", seed=0, n_sites=12, most_images=1).clusters
    survey = pd.DataFrame({"lon": made.geometry.x, "lat": made.geometry.y, "wealth": made["pov"]})
    survey.to_csv(folder / "survey.csv", index=False)
    return survey


def _write_photos(folder, survey, rng):
    """A photo at each place of the survey, with tables of positions, object counts and features by its name."""
    (folder / "photos").mkdir()
    names = [f"{i}.jpg" for i in range(len(survey))]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "photos" / name)
    positions = survey[["lon", "lat"]].assign(photo=names)
    positions.to_csv(folder / "positions.csv", index=False)
    counts = pd.DataFrame({"photo": names, "Car": 1, "cup": 2})
    counts.to_csv(folder / "counts.csv", index=False)
    (folder / "classes.csv").write_text("name,class\nCar,Car\ncup,void\n")
    pd.DataFrame({"key": names, "f0": 0.5, "f1": range(len(names))}).to_csv(folder / "features.csv", index=False)
    positions.rename(columns={"photo": "id"}).assign(Car=3).to_csv(folder / "images.csv", index=False)


def _write_tables(folder, rng):
    """Areas with direct estimates, their truth, and words of an indicator."""
    names = [f"{i:02d}" for i in range(20)]
    photos = rng.normal(size=20)
    areas = pd.DataFrame({"id": names, "y": photos + 2 * np.sin(np.arange(20) / 3), "v": 0.25, "photos": photos})
    areas.to_csv(folder / "areas.csv", index=False)
    pd.DataFrame({"area": names, "estimate": photos}).to_csv(folder / "truth.csv", index=False)
    neighbours = np.eye(20, k=1) + np.eye(20, k=-1)
    neighbours /= neighbours.sum(axis=1, keepdims=True)
    pd.DataFrame(neighbours, index=names, columns=names).to_csv(folder / "proximity.csv")
    (folder / "words.toml").write_text('[wealth]\nlabel = "Wealth"\nunit = "score"\nhigher_is = "better"\n')
