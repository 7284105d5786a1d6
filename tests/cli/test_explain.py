"""The command `explain`."""

from functools import partial

import pytest

from geolive.models.bundle import save_bundle
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from tests.commands import run


@pytest.mark.slow
def test_a_report_from_a_bundle_and_its_dataset(small_sample, small_folder, tmp_path):
    bundle = save_bundle(train(small_sample.dataset, partial(Forest, trees=5), "pov"), tmp_path / "bundle")
    done = run("explain", bundle, small_folder, "--out", tmp_path / "why")
    assert done.returncode == 0, done.stderr
    assert "Rank correlation with the true loadings" in done.stdout + done.stderr
    assert (tmp_path / "why" / "explain.html").is_file()
    again = run("explain", bundle, small_folder, "--out", tmp_path / "why")
    assert again.returncode == 2
    assert "exists already" in again.stderr
