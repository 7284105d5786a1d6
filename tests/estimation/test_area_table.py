"""Estimation from one table, as a function and as a command."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.area_table import COLUMNS, estimate_areas
from geolive.estimation.fay_herriot import FayHerriot
from tests.commands import run
from tests.estimation.oracles import read_oracle
from tests.estimation.test_spatial_fay_herriot import lattice


def make_table(seed: int = 0, m: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 30, m)
    photos = rng.normal(size=m)
    y = photos + rng.normal(size=m) * 0.6 + rng.normal(size=m) / np.sqrt(n)
    table = {
        "id": [f"{i:03d}" for i in range(m)],
        "y": y,
        "v": 1 / n,
        "n": n,
        "photos": photos,
        "half": np.where(np.arange(m) < m // 2, "a", "b"),
    }
    return pd.DataFrame({**table, "zone": np.arange(m) % 3 + 1})


def estimate(table, **options):
    return estimate_areas(table, **{"direct": "y", "variance": "v", "covariates": ["photos"], "area": "id"} | options)


def test_one_table_is_one_model():
    table = make_table()
    table.loc[3, ["y", "v"]] = np.nan
    result = estimate(table)
    model = FayHerriot().fit(table[["photos"]], table["y"], table["v"])
    expected = model.predict(table[["photos"]], table["y"], table["v"])
    assert list(result.table) == ["area", *COLUMNS]
    assert result.table["area"].tolist() == table["id"].tolist()
    np.testing.assert_allclose(result.table[COLUMNS], expected[COLUMNS])


def test_groups_are_models_of_their_own_in_the_tables_order():
    table = make_table().sample(frac=1, random_state=1)
    result = estimate(table, group="half")
    assert list(result.models) == ["a", "b"]
    assert result.table["area"].tolist() == table["id"].tolist()
    alone = estimate(table[table["half"] == "b"]).table
    pd.testing.assert_frame_equal(
        result.table[result.table["half"] == "b"].drop(columns="half").reset_index(drop=True), alone
    )


def test_factor_makes_dummies_of_numbers():
    table = make_table()
    result = estimate(table, covariates=["photos", "factor(zone)"])
    assert list(result.models["all"].coefficients_.index) == ["intercept", "photos", "factor(zone)=2", "factor(zone)=3"]


def test_milk_by_factor():
    table, expected = read_oracle("milk15.csv"), read_oracle("milk15_expected_reml_sae.csv")
    table["v"] = table["SD"] ** 2
    found = estimate_areas(
        table, direct="yi", variance="v", covariates=["factor(MajorArea)"], area="SmallArea", method="reml"
    )
    np.testing.assert_allclose(found.table["estimate"], expected["EBLUP"], rtol=1e-4)


def test_sample_sizes_stand_for_variances():
    table = make_table()
    result = estimate(table, variance=None, sample_size="n")
    model = FayHerriot(sampling_variance="proportional").fit(table[["photos"]], table["y"], 1 / table["n"])
    assert result.models["all"].variance_factor_ == model.variance_factor_
    assert result.table["gamma"].corr(table["n"], method="spearman") == pytest.approx(1)


def test_spatial_model_with_and_without_survey():
    table = make_table(m=49)
    table.loc[::6, ["y", "v"]] = np.nan
    result = estimate(table, proximity=lattice(7))
    assert np.isfinite(result.table.drop(columns=["direct", "area"]).to_numpy()).all()


@pytest.mark.parametrize("transformation", ["arcsine", "logit"])
def test_rates_stay_rates(transformation):
    rng, m = np.random.default_rng(0), 60
    table = pd.DataFrame({"id": range(m), "photos": rng.normal(size=m), "n": 12.0})
    truth = 1 / (1 + np.exp(2.5 - table["photos"] - 0.5 * rng.normal(size=m)))
    table["y"] = np.clip(rng.binomial(12, truth), 1, 11) / 12
    table["v"] = table["y"] * (1 - table["y"]) / table["n"]
    result = estimate(table, transformation=transformation).table
    rates = result[["synthetic", "estimate", "lower", "upper"]]
    assert ((rates >= 0) & (rates <= 1)).all(axis=None)
    assert (result["lower"] < result["estimate"]).all()
    assert (result["estimate"] < result["upper"]).all()
    assert np.mean((result["estimate"] - truth) ** 2) < np.mean((table["y"] - truth) ** 2)


def test_effective_sample_size_takes_rates_of_zero():
    table = make_table().assign(y=lambda t: np.where(t.index % 7 == 0, 0.0, 0.4), size=20.0)
    result = estimate(table, variance=None, effective_sample_size="size", transformation="arcsine").table
    assert (result.loc[table["y"] == 0, "estimate"] > 0).all()
    assert (result["lower"] >= 0).all()


def test_benchmarked_groups_have_the_means_of_their_own_surveys():
    table = make_table().assign(people=lambda t: 100 + 7.0 * t.index)
    result = estimate(table, group="half", benchmark_method="bell-datta-ghosh", population="people").table
    for half, rows in result.groupby("half"):
        weights = table.loc[table["half"] == half, "people"]
        assert np.average(rows["estimate"], weights=weights) == pytest.approx(
            np.average(rows["direct"], weights=weights)
        )
    plain = estimate(table, group="half").table
    np.testing.assert_allclose(result["unbenchmarked"], plain["estimate"])
    total = estimate(table, benchmark_method="difference", population="people", target=5.0).table
    assert np.average(total["estimate"], weights=table["people"]) == pytest.approx(5)


@pytest.mark.parametrize(
    ("options", "spoil", "words"),
    [
        ({"direct": "yy"}, {}, "no column 'yy'; its columns are: id, y, v"),
        ({"covariates": ["photo"]}, {}, "no column 'photo'"),
        ({"sample_size": "n"}, {}, "give exactly one"),
        ({"variance": None}, {}, "give exactly one"),
        ({"transformation": "log"}, {}, "transformation 'log'"),
        ({"transformation": "logit"}, {}, "must be in \\[0, 1\\]"),
        ({"effective_sample_size": "n", "variance": None}, {}, "for the arcsine transformation only"),
        ({"proximity": np.eye(3), "group": "half"}, {}, "does not go with group"),
        ({"group": "half"}, {"v": 0.0}, "half a: variance|half a: v: area 000: is 0"),
        ({}, {"id": "007"}, "area 007 occurs in rows 0 and 1"),
        ({"benchmark_method": "ratio"}, {}, "give the method with the population"),
        ({"benchmark_method": "ratio", "population": "people"}, {}, "no column 'people'"),
        (
            {"benchmark_method": "ratio", "population": "n"},
            {"y": [np.nan] * 3 + [1.0, 2.0] * 18 + [1.0]},
            "target: is not given",
        ),
        ({"covariates": ["photos", "n"]}, {"n": "many"}, "n mixes|n looks numeric|n is"),
    ],
)
def test_bad_input_is_one_line(options, spoil, words):
    with pytest.raises(InputError, match=words) as caught:
        estimate(make_table().assign(**spoil) if "n" not in spoil else _mixed(make_table()), **options)
    assert "\n" not in str(caught.value)


def _mixed(table):
    return table.assign(n=["many", *map(str, table["n"][1:])])


def test_command(tmp_path):
    make_table().to_csv(tmp_path / "areas.csv", index=False)
    out = tmp_path / "out" / "estimates.csv"
    options = ["--direct", "y", "--variance", "v", "--covariates", "photos,zone", "--area", "id", "--group", "half"]
    found = run(
        "estimate", "areas", tmp_path / "areas.csv", *options, "--method", "reml", "--level", "0.9", "--out", out
    )
    assert found.returncode == 0, found.stderr
    expected = estimate(make_table(), covariates=["photos", "zone"], group="half", method="reml", level=0.9).table
    written = pd.read_csv(out, dtype={"area": str})
    pd.testing.assert_frame_equal(written, expected)
    for words in ("a: Fay-Herriot by reml, 20 areas", "sigma2_u", "photos", "First 10 of 40 areas"):
        assert words in found.stdout


def test_command_reads_a_proximity_file_and_refuses_one_in_another_order(tmp_path):
    table = make_table(m=49)
    table.to_csv(tmp_path / "areas.csv", index=False)
    names = table["id"].tolist()
    options = [
        "--direct",
        "y",
        "--variance",
        "v",
        "--covariates",
        "photos",
        "--area",
        "id",
        "--out",
        tmp_path / "out.csv",
    ]
    for order, code in ((names, 0), (names[::-1], 2)):
        pd.DataFrame(lattice(7), index=order, columns=order).to_csv(tmp_path / "w.csv")
        found = run("estimate", "areas", tmp_path / "areas.csv", *options, "--proximity", tmp_path / "w.csv")
        assert found.returncode == code, found.stderr
    assert found.stderr.splitlines()[-1].startswith("error: proximity: is in another order than the table")


def test_command_reports_bad_input_in_one_line(tmp_path):
    make_table().assign(v=lambda t: t["v"].where(t["id"] != "004", 0.0)).to_csv(tmp_path / "areas.csv", index=False)
    options = [
        "--direct",
        "y",
        "--variance",
        "v",
        "--covariates",
        "photos",
        "--area",
        "id",
        "--out",
        tmp_path / "out.csv",
    ]
    found = run("estimate", "areas", tmp_path / "areas.csv", *options)
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].startswith("error: v: area 004: is 0, and must be above 0")
    assert not (tmp_path / "out.csv").exists()
