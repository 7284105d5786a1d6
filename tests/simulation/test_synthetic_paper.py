"""The synthetic table in the paper's format. test_sample.py tests how realistic the simulation is."""

import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.regions import find_region
from geolive.simulation.synthetic_paper import write_synthetic_paper
from geolive.sources.paper.reader import read_paper

IDS = ["ia_50001", "ia_50002", "ia_100001", "ia_140001", "ia_60001"]


@pytest.fixture(scope="module")
def ids(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    (folder / "train_clusters_ia.txt").write_text("\n".join(IDS[:4]))
    (folder / "val_clusters_ia.txt").write_text(IDS[4])
    return folder


def test_it_is_read_whole_and_says_that_it_is_simulated(ids, tmp_path):
    n = write_synthetic_paper(ids, 5, tmp_path / "new", seed=1)
    dataset, unmatched = read_paper(tmp_path / "new" / "data.csv", tmp_path / "new", strict=True)
    assert dataset.simulated
    assert len(dataset.images) == n == dataset.clusters["n_images"].sum()
    assert set(dataset.clusters["unique_cluster"]) == set(IDS)
    assert unmatched.empty
    assert set(dataset.extra["labels_off_median"].values()) == {0}
    bihar = dataset.clusters[dataset.clusters["state"] == "Bihar"]
    assert bihar.geometry.within(find_region("bihar").area.buffer(1e-6)).all()


def test_equal_seeds_give_equal_bytes(ids, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_synthetic_paper(ids, 2, tmp_path / name, seed)
    a, b, c = ((tmp_path / name / "data.csv").read_bytes() for name in "abc")
    assert a == b != c


def test_the_lists_hold_only_what_was_chosen(ids, tmp_path):
    write_synthetic_paper(ids, 3, tmp_path / "new")
    listed = [line for path in (tmp_path / "new").glob("*.txt") for line in path.read_text().split("\n")]
    table = pd.read_csv(tmp_path / "new" / "data.csv")
    assert sorted(listed) == sorted(table["unique_cluster"].unique())
    assert len(listed) == 3


def test_more_clusters_than_ids_are_an_error(ids, tmp_path):
    with pytest.raises(InputError, match="hold 5 clusters; give 1 to 5"):
        write_synthetic_paper(ids, 6, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_ids_of_another_country_are_an_error(tmp_path):
    (tmp_path / "train_clusters_ke.txt").write_text("ke_1")
    with pytest.raises(InputError, match="'ke_1' is not an Indian cluster id"):
        write_synthetic_paper(tmp_path, 1, tmp_path / "new")
