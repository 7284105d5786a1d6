"""The figures of a summary are those of the tables that it was made from."""

from dataclasses import replace

import numpy as np
import pandas as pd

from geolive.mapping.summary import summarise


def test_a_sample(small_sample):
    dataset = small_sample.dataset
    found = summarise(dataset)
    assert found.facts["simulated"].startswith("yes")
    unsurveyed = dataset.images["unique_cluster"].isna().sum()
    assert found.facts["images"].endswith(f" {unsurveyed:,} elsewhere)")
    assert found.clusters[["state", "no split", "clusters"]].to_numpy().tolist() == [["Bihar", 80, 80]]
    counts = dataset.images.groupby("unique_cluster").size()
    assert found.images_per_cluster["mean"] == counts.mean()
    assert found.images_per_cluster["max"] == counts.max()
    pov = found.indicators.set_index("indicator").loc["pov"]
    values = dataset.clusters["pov"]
    assert pov["n"] == 80
    assert pov["threshold"] == values.median()
    assert (pov["min"], pov["max"]) == (values.min(), values.max())
    assert pov["share_1"] == 0.5
    assert found.features.to_numpy().tolist() == [["objects", f"{len(dataset.images):,} × 66", "uint16"]]
    assert found.dates["images"].sum() == len(dataset.images)
    assert found.rejects.empty


def test_years_of_photos_against_the_survey(small_sample):
    dataset = small_sample.dataset
    clusters = dataset.clusters.assign(year=2015)
    found = summarise(replace(dataset, clusters=clusters))
    joined = dataset.images[dataset.images["unique_cluster"].notna()]
    after = joined["captured_at"].dt.year - 2015
    assert found.years_after == {
        "n": len(joined), "min": after.min(), "median": after.median(), "max": after.max(),
    }  # fmt: skip
    assert found.dates.set_index("year").loc["2015", "clusters"] == 80
    assert summarise(dataset).years_after == {}


def test_splits_states_and_what_is_missing(small_sample):
    dataset = small_sample.dataset
    split = np.resize(["val", "train", None], 80)
    clusters = dataset.clusters.assign(
        split=split, state=np.where(np.arange(80) < 30, "Goa", None), pov=dataset.clusters["pov"].where(split == "val")
    )
    rejects = pd.DataFrame({"row": [1, 2, 3], "reason": ["far", "empty", "far"]})
    found = summarise(replace(dataset, clusters=clusters, rejects=rejects, images=dataset.images.iloc[:0], features={}))
    assert found.clusters.columns.tolist() == ["country", "state", "train", "val", "no split", "clusters"]
    assert found.clusters.set_index("state")["clusters"].to_dict() == {"Goa": 30, "–": 50}
    assert found.clusters["val"].sum() == (split == "val").sum()
    assert found.indicators.set_index("indicator").loc["pov", "n"] == (split == "val").sum()
    assert found.rejects.to_numpy().tolist() == [["far", 2], ["empty", 1]]
    assert found.images_per_cluster["without_images"] == 80


def test_images_alone(small_sample):
    dataset = small_sample.dataset
    found = summarise(replace(dataset, clusters=dataset.clusters.iloc[:0], indicators=[], simulated=False))
    assert found.images_per_cluster == {}
    assert found.clusters.empty
    assert found.indicators.empty
    assert found.facts["simulated"] == "no"
