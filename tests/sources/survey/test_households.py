"""Rows that are households become places, with shares below a line and gaps."""

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.estimation.below_line import poverty_rates
from geolive.mapping.district_survey import direct_of_places
from geolive.shares_below import dataset_indicator
from geolive.sources.survey.reader import read_survey


@pytest.fixture
def households():
    rng = np.random.default_rng(0)
    place = np.repeat(np.arange(12), rng.integers(3, 9, 12))
    n = len(place)
    return pd.DataFrame(
        {
            "cluster": [f"c{i:02d}" for i in place],
            "lon": 85 + 0.1 * place,
            "lat": 25.0 + 0.05 * place,
            "district": np.array(list("abc"))[place // 4],
            "spent": rng.lognormal(0, 0.6, n) + 0.05 * place,
            "w": rng.uniform(0.5, 2, n).round(2),
            "members": rng.integers(1, 8, n),
        }
    )


def read(table, tmp_path, **options):
    path = tmp_path / "households.csv"
    table.to_csv(path, index=False)
    given = {"households": "cluster", "thresholds": {"spent": 1.0}, "group": "district"}
    return read_survey(path, "lon", "lat", {"spent": "spent"}, **(given | options))


@pytest.mark.parametrize("options", [{}, {"weight": "w"}, {"weight": "w", "household_size": "members"}])
def test_districts_are_those_of_the_households(households, tmp_path, options):
    made = read(households, tmp_path, **options)
    made = read_dataset(write_dataset(made, tmp_path / "dataset"))
    assert made.indicators == ["spent", "spent_below", "spent_gap"]
    assert len(made.clusters) == 12
    counts = households.groupby("cluster").size()
    assert (made.clusters.set_index("unique_cluster")["n_households"] == counts).all()
    # a share with weights is no count, and is estimated as a mean
    assert made.is_rate("spent_below") == (not options)
    assert not made.is_rate("spent_gap")
    expected = poverty_rates(
        households,
        "spent",
        1.0,
        "district",
        weight=options.get("weight"),
        size=options.get("household_size"),
        psu="cluster",
    )
    for name, column, cases in (("spent_below", "headcount", "spent_below_n"), ("spent_gap", "gap", "n_households")):
        places = made.clusters.assign(value=made.clusters[name], n_cases=made.clusters[cases])
        if "weight" in places:
            # of a place all households' together, and of a case that of one
            places["weight"] = places["weight"] / places["n_households"]
        direct = direct_of_places(places, made.is_rate(name))
        assert np.allclose(direct["direct"], expected[column])
        assert np.allclose(direct["variance"], expected[f"{column}_variance"])


def test_words_say_whose_share_it_is(households, tmp_path):
    made = read(households, tmp_path, household_size="members")
    assert dataset_indicator(made, "spent_below").title == "Share of people with spent below 1"
    assert dataset_indicator(made, "spent_gap").title == "Gap of spent below 1"
    assert dataset_indicator(read(households, tmp_path), "spent_below").unit == "share of households, 0 to 1"


def test_an_index_without_a_zero_has_no_gap(households, tmp_path):
    made = read(households.assign(spent=households["spent"] - 2), tmp_path, thresholds={"spent": -1.0})
    assert made.indicators == ["spent", "spent_below"]


def test_the_recorded_command_has_the_options(households, tmp_path):
    command = read(households, tmp_path, weight="w", household_size="members").command
    assert "--households cluster --household-size members --threshold spent=1" in command


def test_a_survey_of_places_has_shares_of_places(households, tmp_path):
    made = read(households, tmp_path, households=None)
    assert made.indicators == ["spent", "spent_below"]
    assert (made.clusters["spent_below"] == (made.clusters["spent"] < 1)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"thresholds": {"other": 1.0}},
            "a threshold is given for 'other', which is not an indicator; give one of: spent",
        ),
        ({"thresholds": {"spent": float("inf")}}, "thresholds: spent=inf: must be a number"),
        (
            {"households": None, "household_size": "members"},
            "household_size='members' needs rows that are households",
        ),
        ({"id": "cluster"}, "households='cluster' names the places already; leave id out"),
        ({"households": "village"}, "village"),
    ],
)
def test_options_that_cannot_be_are_one_line(households, tmp_path, change, words):
    with pytest.raises(InputError, match=words) as error:
        read(households, tmp_path, **change)
    assert "\n" not in str(error.value)


def test_a_place_at_several_positions_is_named(households, tmp_path):
    households.loc[1, "lon"] += 0.5
    with pytest.raises(InputError, match="households of place 'c00' lie at several positions"):
        read(households, tmp_path)


def test_a_size_that_is_no_number_of_members_is_named_by_its_line(households, tmp_path):
    households.loc[2, "members"] = 0
    with pytest.raises(InputError, match="line 4, column 'members': not a number of members above 0"):
        read(households, tmp_path, household_size="members")


def test_of_values_that_differ_within_a_place_the_most_frequent_is_taken(households, tmp_path):
    from geolive.cli.ingest_survey import remarks

    zone = np.where(households["cluster"].isin(["c00", "c01"]), "U", "R")
    table = households.assign(zone=zone, year=2015)
    # the first household of c00 and of c05 says otherwise than the others
    first = table.groupby("cluster").head(1).set_index("cluster")
    rows = [int(table.index[table["cluster"] == name][0]) for name in ("c00", "c05")]
    table.loc[rows, "district"] = "c"
    table.loc[rows[0], "zone"] = "R"
    made = read(table, tmp_path, urban="zone", year="year")
    places = made.clusters.set_index("unique_cluster")
    assert places["district_id"].tolist() == first["district"].tolist()
    assert places["urban"].tolist() == [name in ("c00", "c01") for name in places.index]
    assert (
        read_dataset(write_dataset(made, tmp_path / "dataset")).clusters["urban"].tolist() == places["urban"].tolist()
    )
    said = list(remarks(tmp_path / "households.csv", made))
    assert "in 2 clusters column 'district' is not constant; the most frequent value was taken" in said
    assert "in 1 cluster column 'zone' is not constant; the most frequent value was taken" in said
    assert not any("'year'" in words for words in said)
    assert "varying" not in read(households, tmp_path).extra.get("survey", {})
