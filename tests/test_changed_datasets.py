"""A dataset that was changed after it was read is another dataset: nothing that was kept for the first may be used for it."""

from dataclasses import replace

import numpy as np
import pytest

from geolive.dataset_folder import read_dataset
from geolive.evaluation.evaluate import evaluate
from geolive.models.cache import fit_cached
from geolive.models.clusterwise import Forest


@pytest.fixture(scope="module")
def read(small_folder):
    return read_dataset(small_folder)


@pytest.fixture(scope="module")
def shuffled(read):
    counts = np.random.default_rng(0).permutation(read.features["objects"])
    return replace(read, features={"objects": counts})


def test_a_cached_model_is_not_taken_for_a_changed_dataset(read, shuffled):
    kept = [fit_cached(dataset, Forest(n_estimators=5), "pov") for dataset in (read, shuffled, read)]
    first, other, again = (one.residuals["prediction"].to_numpy() for one in kept)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


class Stopped(Exception):
    pass


def test_an_evaluation_that_is_resumed_does_not_reuse_rows_of_another_dataset(read, shuffled, tmp_path):
    def evaluated(dataset, **options):
        models = {"forest": Forest(n_estimators=5)}
        return evaluate(dataset, models, "pov", split="random", repeats=1, **options).results["value"].tolist()

    def stop(row):
        raise Stopped

    out = tmp_path / "report"
    with pytest.raises(Stopped):
        evaluated(read, out=out, on_row=stop)
    # the finished row of the first dataset was kept
    assert [path for path in tmp_path.rglob("*") if path.is_file()]
    fresh = evaluated(shuffled)
    assert evaluated(read) != fresh
    assert evaluated(shuffled, out=out) == fresh
