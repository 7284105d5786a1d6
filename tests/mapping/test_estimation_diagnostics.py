"""Diagnostics of a map's composite estimates."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.mapping.estimation_diagnostics import check_diagnostics_free, write_diagnostics
from geolive.mapping.prediction import predict
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from tests.mapping.districtmaps import fake_district_map


@pytest.fixture(scope="module")
def drawn(small_sample):
    dataset = small_sample.dataset
    return predict(dataset, train(dataset, Forest(n_estimators=10), "pov"), "bihar")


def test_the_table_has_every_surveyed_district_and_the_composites_parts(drawn, tmp_path):
    table = pd.read_csv(write_diagnostics(drawn, tmp_path / "checks.csv"), dtype={"district_id": str})
    surveyed = drawn.districts[drawn.districts["n_clusters"] > 0].set_index("district_id")
    assert set(table["district_id"]) == set(surveyed.index)
    assert table["simulated"].all()
    own = surveyed.loc[table["district_id"]]
    np.testing.assert_allclose(table["direct"], own["pov_direct"], rtol=1e-4)
    shown = own["supported"].to_numpy(bool)
    np.testing.assert_allclose(table["estimate"][shown], own["pov"][shown], rtol=1e-4)
    # residuals of a model whose variances were estimated from them scatter about 1
    assert 0.5 < table["standardised_residual"].std() < 1.5


def test_diagnostics_test_coherence_and_normality(drawn):
    found = drawn.diagnostics()
    assert found.brown.n_areas == (drawn.districts["n_clusters"] > 0).sum()
    assert 0 <= found.brown.p_value <= 1
    assert found.normality.loc["standardised_residual", "p_value"] > 0.001
    assert found.variation["reduction"].median() > 0
    z = found.disagreements["z"].abs().to_numpy()
    assert (np.diff(z) <= 0).all()


def test_the_page_is_marked_and_names_the_districts_that_disagree(drawn, tmp_path):
    text = write_diagnostics(drawn, tmp_path / "checks.html").read_text()
    assert "<title>SIMULATED: Diagnostics of Asset wealth in Bihar</title>" in text
    assert text.count("<svg") == 3
    assert text.count("SIMULATED. ") == 3
    assert f"<th>{drawn.diagnostics().disagreements.index[0]}</th>" in text
    assert text == write_diagnostics(drawn, tmp_path / "again.html").read_text()


def test_a_map_without_composite_or_a_wrong_name_is_one_line(drawn, tmp_path):
    with pytest.raises(InputError, match=r"^diagnostics: the map has no composite estimates"):
        fake_district_map().diagnostics()
    with pytest.raises(InputError, match=r"checks\.pdf: diagnostics are written as \.html or \.csv"):
        write_diagnostics(drawn, tmp_path / "checks.pdf")
    mine = tmp_path / "mine.csv"
    mine.write_text("a,b\n")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_diagnostics_free(mine, [])
    with pytest.raises(InputError, match="give the diagnostics another name"):
        check_diagnostics_free(tmp_path / "pov.html", [tmp_path / "pov.html"])
    check_diagnostics_free(write_diagnostics(drawn, tmp_path / "ours.csv"), [])
    check_diagnostics_free(write_diagnostics(drawn, tmp_path / "ours.html"), [])
