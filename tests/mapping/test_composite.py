"""Composite values of districts: what the survey measured there, and what a model predicts at the district's sites."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geolive.boundary_files import read_boundaries
from geolive.errors import InputError
from geolive.estimation.direct import direct_estimates
from geolive.hexagons import hexagon_region
from geolive.labels import add_labels
from geolive.mapping.composite import estimate_districts
from geolive.mapping.cross_fitting import cross_fitted_sites
from geolive.mapping.district_survey import survey_districts
from geolive.mapping.estimate_words import estimate_sentences
from geolive.mapping.grid import grid_places
from geolive.mapping.map_region import map_region
from geolive.mapping.prediction import predict
from geolive.models.baselines import Mean, Neighbours
from geolive.models.bundle import load_model, save_model
from geolive.models.clusterwise import Forest
from geolive.models.kriging import Kriging
from geolive.models.training import train
from geolive.places import Places
from geolive.regions import assign_districts, find_region
from geolive.simulation.sample import simulate
from geolive.tables import lonlat, points


@pytest.fixture(scope="module")
def sample():
    return simulate("bihar", 1)


@pytest.fixture(scope="module")
def trained(sample):
    return train(sample.dataset, Forest(n_estimators=30), "pov")


@pytest.fixture(scope="module")
def drawn(sample, trained):
    return predict(sample.dataset, trained, "bihar")


@pytest.fixture(scope="module")
def without_photos(sample):
    return replace(sample.dataset, features={}, images=sample.dataset.images.iloc[:0])


def by_id(drawn):
    return drawn.districts.set_index("district_id")


def test_the_composite_is_what_is_shown_and_stands_beside_its_parts(drawn):
    table = by_id(drawn)
    assert drawn.estimator == "composite"
    shown = table[table["supported"]]
    assert shown[["pov", "pov_lower", "pov_upper", "pov_direct", "pov_predicted", "pov_gamma"]].notna().all(axis=None)
    assert shown["pov_gamma"].between(0, 1).all()
    parts = shown["pov_gamma"] * shown["pov_direct"] + (1 - shown["pov_gamma"]) * shown["pov_synthetic"]
    assert np.allclose(parts, shown["pov"])
    # it is none of its parts
    assert (shown["pov"] - shown["pov_direct"]).abs().min() > 1e-6
    assert (shown["pov"] - shown["pov_predicted"]).abs().min() > 1e-6


def test_the_composite_is_nearer_to_the_truth_than_its_parts(sample, drawn):
    table = by_id(drawn)
    truth = sample.districts.set_index("district_id")["pov"].reindex(table.index)
    shown = table["supported"]
    error = {name: ((table[name] - truth)[shown] ** 2).mean() for name in ("pov", "pov_direct", "pov_predicted")}
    assert error["pov"] < error["pov_direct"]
    assert error["pov"] < error["pov_predicted"]


def test_the_direct_value_is_the_surveys_own(sample, drawn):
    region = find_region("bihar")
    clusters = sample.dataset.clusters
    clusters = clusters.assign(district_id=assign_districts(clusters.geometry, region.districts).to_numpy())
    expected = direct_estimates(clusters, "pov")["direct"]
    table = by_id(drawn)
    pd.testing.assert_series_equal(
        table["pov_direct"].dropna().sort_index(), expected, check_names=False, check_index_type=False
    )
    assert table["n_clusters"].sum() == len(clusters)


@pytest.mark.parametrize("estimator", ["predicted", "direct"])
def test_another_estimator_shows_its_value(sample, trained, drawn, estimator):
    other = predict(sample.dataset, trained, "bihar", estimator=estimator)
    table = by_id(other)
    shown = table["supported"]
    assert shown.any()
    assert np.allclose(table.loc[shown, "pov"], by_id(drawn).loc[shown, f"pov_{estimator}"])


def test_a_districts_value_does_not_depend_on_the_frame(sample, trained, drawn):
    part, whole = by_id(predict(sample.dataset, trained, "84,25,86,26")), by_id(drawn)
    both = part.index.intersection(whole.index)
    assert len(both) > 15
    part, whole = part.loc[both], whole.loc[both]
    columns = ["pov", "pov_lower", "pov_upper", "pov_direct", "pov_predicted", "n_sites", "n_images"]
    pd.testing.assert_frame_equal(part[columns], whole[columns], check_dtype=False)


def test_a_hexagons_value_does_not_depend_on_the_frame(sample, trained):
    part, whole = (
        by_id(predict(sample.dataset, trained, region, boundaries="hex:60km")) for region in ("84,25,86,26", None)
    )
    assert 5 < len(part) < len(whole)
    columns = ["pov", "pov_lower", "pov_upper", "pov_direct", "pov_gamma", "n_clusters"]
    inside = part.index[part["n_sites"] == whole.loc[part.index, "n_sites"]]
    assert len(inside) > 5
    pd.testing.assert_frame_equal(part.loc[inside, columns], whole.loc[inside, columns], check_dtype=False)


def test_a_bundle_gives_the_same_composite(sample, trained, drawn, tmp_path):
    again = predict(sample.dataset, load_model(save_model(trained, tmp_path / "forest")), "bihar")
    pd.testing.assert_frame_equal(
        by_id(again).drop(columns="geometry"), by_id(drawn).drop(columns="geometry"), check_dtype=False
    )


def test_a_surveyed_value_moves_its_own_district_and_hardly_others(sample, trained, drawn):
    clusters = sample.dataset.clusters.copy()
    there = clusters["district_id"] == "230"
    clusters.loc[there, "pov"] += 1.0
    moved = by_id(predict(replace(sample.dataset, clusters=clusters), trained, "bihar"))["pov"] - by_id(drawn)["pov"]
    assert moved["230"] > 0.2
    assert moved.drop("230").abs().max() < 0.2


def test_weights_count(sample, trained, drawn):
    clusters = sample.dataset.clusters
    equal = replace(sample.dataset, clusters=clusters.assign(weight=1.0))
    first = clusters.groupby("district_id").cumcount() == 0
    unequal = replace(sample.dataset, clusters=clusters.assign(weight=np.where(first, 50.0, 1.0)))
    a, b = (by_id(predict(data, trained, "bihar")) for data in (equal, unequal))
    assert np.allclose(a["pov_direct"].dropna(), by_id(drawn)["pov_direct"].dropna())
    assert (a["pov_direct"] - b["pov_direct"]).abs().max() > 0.1
    assert (a["pov"] - b["pov"]).abs().max() > 0.05


def test_a_survey_without_photos_is_mapped_on_a_grid(sample, without_photos):
    drawn = predict(without_photos, train(without_photos, Kriging(), "pov"), "bihar")
    assert drawn.grid
    assert drawn.districts["supported"].all()
    truth = sample.districts.set_index("district_id")["pov"].reindex(by_id(drawn).index)
    held = (by_id(drawn)["pov_lower"] <= truth) & (truth <= by_id(drawn)["pov_upper"])
    assert held.mean() > 0.7


def test_hexagons_lie_around_the_datasets_places(sample, trained):
    region = map_region(sample.dataset, None, "hex:40km")
    drawn = predict(sample.dataset, trained, boundaries="hex:40km")
    assert set(drawn.districts["district_id"]) == set(region.districts["district_id"])
    assert drawn.districts["supported"].sum() > 20


def test_an_estimator_that_cannot_be_is_one_line(sample, trained):
    with pytest.raises(InputError, match=r"^estimator='mean': must be one of composite, spatial, predicted, direct"):
        predict(sample.dataset, trained, "bihar", estimator="mean")
    few = sample.dataset.select_clusters(np.arange(3))
    with pytest.raises(InputError, match=r"^estimator='composite': "):
        predict(few, trained, "bihar", estimator="composite")
    fallback = predict(few, trained, "bihar")
    assert fallback.estimator == "predicted"
    assert "A composite estimate was not possible: surveyed clusters lie in " in fallback.estimator_about
    assert "not possible" not in predict(few, trained, "bihar", estimator="predicted").estimator_about


def test_visits_of_one_place_count_once(without_photos):
    kriged = train(without_photos, Kriging(), "pov")
    clusters = without_photos.clusters
    # each place twice, with deviations that cancel
    visits = [
        clusters.assign(unique_cluster=clusters["unique_cluster"] + end, pov=clusters["pov"] + step)
        for end, step in (("", 0.1), ("-again", -0.1))
    ]
    twice = replace(without_photos, clusters=pd.concat(visits, ignore_index=True))
    once, again = (by_id(predict(data, kriged, "bihar")) for data in (without_photos, twice))
    columns = ["pov", "pov_lower", "pov_upper", "pov_direct", "pov_direct_error", "pov_gamma", "n_clusters"]
    pd.testing.assert_frame_equal(once[columns], again[columns])


def test_a_districts_own_clusters_do_not_move_what_a_model_of_positions_predicts_there(without_photos):
    region = find_region("bihar")
    clusters = without_photos.clusters.copy()
    there = clusters["district_id"] == "230"
    clusters.loc[there, "pov"] += 50.0
    moved = replace(without_photos, clusters=clusters)
    # the training's folds are blocks, which cut districts
    datasets = [replace(data, clusters=data.clusters.assign(district_id=None)) for data in (without_photos, moved)]
    tables = []
    for dataset in datasets:
        trained = train(dataset, Neighbours(), "pov")
        sites = predict(dataset, trained, "bihar").sites
        sites = sites[~sites["surveyed"]].reset_index(drop=True)
        places = Places.without_images(sites["site_id"].to_numpy(), lonlat(sites.geometry))
        tables.append(cross_fitted_sites(dataset, trained, region.districts, sites, places))
    one, other = tables
    own = (one["district_id"] == "230").to_numpy()
    assert own.sum() > 5
    assert np.allclose(one["prediction"][own], other["prediction"][own])
    assert not np.allclose(one["prediction"][~own], other["prediction"][~own])


def test_intervals_of_a_survey_without_photos_grow_with_the_distance_to_it(without_photos):
    rng = np.random.default_rng(0)
    # waves of some 300 km, measured everywhere but in a gap of 200 km
    lon, lat = rng.uniform(80, 86, 900), rng.uniform(23, 27, 900)
    gap = np.hypot(lon - 83, lat - 25) < 1
    lon, lat = lon[~gap], lat[~gap]
    clusters = gpd.GeoDataFrame(
        {
            "unique_cluster": [f"c{i}" for i in range(len(lon))],
            "pov": 3 * np.sin(2 * lon) * np.cos(2 * lat) + rng.normal(0, 0.1, len(lon)),
            "country": "ia",
            "state": None,
            "district_id": None,
            "urban": None,
            "n_images": 0,
            "split": None,
        },
        geometry=points(lon, lat),
    )
    clusters, thresholds = add_labels(clusters, ["pov"])
    dataset = replace(without_photos, clusters=clusters, indicators=["pov"], thresholds=thresholds)
    trained = train(dataset, Neighbours(), "pov")
    region = hexagon_region(clusters.geometry, 30.0, rings=8)
    places = grid_places(region.districts, 0.1)
    sites = gpd.GeoDataFrame({"site_id": places.ids}, geometry=points(*places.positions.T))
    sites["pov"] = trained.model.predict(places)
    fitted = cross_fitted_sites(dataset, trained, region.districts, sites, places)
    survey = survey_districts(dataset, trained.card, region.districts)
    table = estimate_districts(survey, region.districts, fitted, trained.residuals, 0.9, (-np.inf, np.inf)).table
    km = fitted.groupby("district_id")["nearest_km"].mean().reindex(table.index)
    inside = fitted["nearest_km"].groupby(fitted["district_id"]).max().reindex(table.index) < 110
    unsurveyed = (table["n_clusters"] == 0) & inside
    near, far = table["error"][unsurveyed & (km < 25)], table["error"][unsurveyed & (km > 60)]
    assert min(len(near), len(far)) > 5
    assert far.min() > 1.2 * near.max()
    assert np.allclose((table["upper"] - table["lower"]) / table["error"], 2 * 1.645, atol=0.001)


def test_a_model_that_predicts_one_value_adds_nothing_to_the_survey(sample):
    drawn = predict(sample.dataset, train(sample.dataset, Mean(), "pov"), "bihar")
    assert "predicts the same value everywhere in a district" in drawn.estimator_about


def as_rate(dataset, n=20, seed=0):
    """The dataset with a rate that falls with pov, of n cases at each cluster."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(1 + dataset.clusters["pov"].to_numpy(float)))
    cases = rng.integers(n // 2, 2 * n, len(chance)).astype(float)
    events = rng.binomial(cases.astype(int), chance)
    clusters = dataset.clusters.assign(stunted=events / cases, stunted_n=cases)
    clusters, thresholds = add_labels(clusters, ["stunted"])
    return replace(
        dataset,
        clusters=clusters,
        indicators=[*dataset.indicators, "stunted"],
        thresholds=dataset.thresholds | thresholds,
    )


def test_a_rate_has_binomial_variances_and_stays_a_rate(sample):
    dataset = as_rate(sample.dataset)
    assert dataset.is_rate("stunted")
    assert not dataset.is_rate("pov")
    drawn = predict(dataset, train(dataset, Forest(n_estimators=30), "stunted"), "bihar")
    assert drawn.estimator == "composite"
    assert "binomial variances" in drawn.estimator_about
    table = by_id(drawn)[by_id(drawn)["supported"]]
    assert table[["stunted", "stunted_lower", "stunted_upper"]].stack().between(0, 1).all()
    # direct: all events over all cases of a district
    clusters = dataset.clusters
    district = assign_districts(clusters.geometry, find_region("bihar").districts).to_numpy()
    sums = pd.DataFrame({"events": clusters["stunted"] * clusters["stunted_n"], "n": clusters["stunted_n"]})
    sums = sums.groupby(district).sum()
    rate = (sums["events"] / sums["n"]).reindex(table.index)
    assert np.allclose(table["stunted_direct"].dropna(), rate.dropna())
    # the sampling variance follows p (1 - p) / n of the synthetic rate, times one factor for all
    areas = drawn.areas[drawn.areas["n_clusters"] > 0]
    n = sums["n"].reindex(areas.index)
    p = (areas["synthetic"] * n + 1) / (n + 2)
    factor = areas["sampling_variance"] / (p * (1 - p) / n)
    assert factor.std() / factor.mean() < 0.02
    assert 0.7 < factor.mean() < 3


def test_a_rates_composite_is_nearer_to_the_truth_than_the_survey_alone(sample):
    dataset = as_rate(sample.dataset, n=8)
    drawn = predict(dataset, train(dataset, Forest(n_estimators=30), "stunted"), "bihar", min_sites=1)
    table = by_id(drawn)
    # nearly the district's rate: that of a cluster with the district's mean pov
    truth = 1 / (1 + np.exp(1 + sample.districts.set_index("district_id")["pov"].reindex(table.index)))
    shown = table["supported"]
    error = {name: ((table[name] - truth)[shown] ** 2).mean() for name in ("stunted", "stunted_direct")}
    assert error["stunted"] < 0.6 * error["stunted_direct"]


def test_direct_values_need_no_survey_that_is_large_enough_for_a_composite(sample, trained):
    clusters = sample.dataset.clusters
    two = clusters["district_id"].isin(clusters["district_id"].value_counts().index[:2])
    few = sample.dataset.select_clusters(two)
    with pytest.raises(InputError, match=r"^estimator='composite': surveyed clusters lie in 2 districts"):
        predict(few, trained, "bihar", estimator="composite")
    drawn = predict(few, trained, "bihar", estimator="direct")
    table = by_id(drawn)
    assert table["supported"].sum() == 2
    assert (table["pov"] == table["pov_direct"])[table["supported"]].all()
    assert "pov_gamma" not in table
    assert drawn.areas is None
    # the survey's own values stand beside the predicted ones, too
    other = by_id(predict(few, trained, "bihar"))
    assert other["pov_direct"].notna().sum() == 2


def test_a_spatial_composite_lets_neighbours_inform_each_other(sample, trained, drawn):
    other = predict(sample.dataset, trained, "bihar", estimator="spatial")
    assert other.estimator == "spatial"
    assert "spatial Fay-Herriot" in other.estimator_about
    table, plain = by_id(other), by_id(drawn)
    shown = plain["supported"]
    assert (table["supported"] == shown).all()
    assert table.loc[shown, ["pov", "pov_lower", "pov_upper"]].notna().all(axis=None)
    difference = (table["pov"] - plain["pov"])[shown]
    assert 0 < difference.abs().max() < 0.5
    assert np.corrcoef(table.loc[shown, "pov"], plain.loc[shown, "pov"])[0, 1] > 0.95
    truth = sample.districts.set_index("district_id")["pov"].reindex(table.index)
    assert ((table["pov"] - truth)[shown] ** 2).mean() < ((table["pov_direct"] - truth)[shown] ** 2).mean()


@pytest.fixture(scope="module")
def with_people(tmp_path_factory):
    districts = find_region("bihar").districts
    path = tmp_path_factory.mktemp("districts") / "bihar.geojson"
    districts.assign(census=np.arange(len(districts)) * 1000.0 + 500).to_file(path)
    return read_boundaries(path, people_column="census")


@pytest.mark.parametrize("method", ["difference", "bell-datta-ghosh"])
def test_benchmarked_values_add_up_to_the_surveys_own_estimate(sample, trained, with_people, method):
    plain = predict(sample.dataset, trained, boundaries=with_people)
    drawn = predict(sample.dataset, trained, boundaries=with_people, benchmark=method)
    table = by_id(drawn)
    shown = table[table["supported"]]
    clusters = sample.dataset.clusters
    district = assign_districts(clusters.geometry, drawn.districts).to_numpy()
    expected = clusters.loc[pd.Series(district).isin(shown.index).to_numpy(), "pov"].mean()
    assert np.average(shown["pov"], weights=shown["people"]) == pytest.approx(expected)
    assert np.allclose(shown["pov_unbenchmarked"], by_id(plain)["pov"].reindex(shown.index))
    widths = [(by_id(one)["pov_upper"] - by_id(one)["pov_lower"]).reindex(shown.index) for one in (drawn, plain)]
    assert (widths[0] > widths[1]).all()
    assert f"Values are benchmarked ({method})" in drawn.estimator_about
    assert "Before benchmarking, the value was" in estimate_sentences(drawn, shown.iloc[0].to_dict(), 2)[-1]
    # diagnostics are of the model, which benchmarking does not change
    pd.testing.assert_frame_equal(drawn.areas, plain.areas)


def test_a_benchmark_that_cannot_be_is_one_line(sample, trained, with_people):
    cases = [
        ({"benchmark": "mean"}, "bihar", r"^benchmark='mean': must be one of ratio, difference, bell-datta-ghosh"),
        ({"benchmark": "ratio"}, "bihar", r"^benchmark='ratio': needs the people of each district; give population="),
        ({"benchmark": "ratio", "estimator": "direct"}, "bihar", r"^benchmark='ratio': is for composite estimates"),
    ]
    for options, region, words in cases:
        with pytest.raises(InputError, match=words) as error:
            predict(sample.dataset, trained, region, **options)
        assert "\n" not in str(error.value)
    few = sample.dataset.select_clusters(np.arange(3))
    with pytest.raises(InputError, match=r"^benchmark='difference': "):
        predict(few, trained, boundaries=with_people, benchmark="difference")


@pytest.mark.parametrize("options", [{"estimator": "spatial"}, {"benchmark": "difference"}, {"estimator": "direct"}])
def test_every_file_of_a_map_holds_what_its_districts_show(sample, trained, with_people, options, tmp_path):
    drawn = predict(sample.dataset, trained, boundaries=with_people, **options)
    written = drawn.to_file(tmp_path / "pov.html")
    assert written
    page = (tmp_path / "pov.html").read_text()
    for ending in ("geojson", "gpkg", "csv"):
        drawn.to_file(tmp_path / f"pov.{ending}")
        table = gpd.read_file(tmp_path / f"pov.{ending}").set_index("district_id")
        expected = by_id(drawn)
        for column in (
            "pov",
            "pov_lower",
            "pov_direct",
            "people",
            *(["pov_unbenchmarked"] if "benchmark" in options else []),
        ):
            numbers = pd.to_numeric(table[column], errors="coerce").reindex(expected.index.astype(str))
            assert np.allclose(numbers, expected[column].astype(float), atol=1e-5, equal_nan=True), (ending, column)
    if "benchmark" in options:
        assert "Values are benchmarked (difference)" in page


def test_clusters_outside_all_districts_are_told(sample, trained):
    assert "outside all districts" not in predict(sample.dataset, trained, "bihar").estimator_about
    clusters = sample.dataset.clusters.copy()
    at_sea = np.arange(len(clusters)) < 2
    clusters.loc[at_sea, "geometry"] = points([60.0, 60.5], [10.0, 10.0]).to_numpy()
    drawn = predict(replace(sample.dataset, clusters=clusters), trained, "bihar")
    assert "2 surveyed clusters lie outside all districts of these boundaries and enter none." in drawn.estimator_about
    assert drawn.districts["n_clusters"].sum() == len(clusters) - 2


def test_a_place_counts_by_the_weight_of_its_households_and_a_case_by_that_of_one(sample):
    card = train(sample.dataset, Neighbours(), "pov").card
    districts = find_region("bihar").districts
    rate = as_rate(sample.dataset)
    rng = np.random.default_rng(0)
    households, own = rng.integers(5, 30, len(rate.clusters)).astype(float), rng.uniform(0.5, 2, len(rate.clusters))
    data = replace(rate, clusters=rate.clusters.assign(weight=own * households, n_households=households))
    clusters = data.clusters.assign(district_id=assign_districts(data.clusters.geometry, districts).to_numpy())
    survey = survey_districts(data, card, districts)
    expected = clusters.groupby("district_id").apply(lambda d: np.average(d["pov"], weights=d["weight"]))
    assert np.allclose(survey.direct["direct"], expected)
    assert np.allclose(survey.weights, clusters["weight"])
    survey = survey_districts(data, replace(card, indicator="stunted"), districts)
    assert survey.is_rate
    person = clusters.assign(total=own * clusters["stunted_n"])
    expected = person.groupby("district_id").apply(lambda d: np.average(d["stunted"], weights=d["total"]))
    assert np.allclose(survey.direct["direct"], expected)
    assert np.allclose(survey.weights, person["total"])


def test_few_districts_without_a_composite_say_so_in_plain_words(small_sample, tmp_path):
    for number in (3, 4):
        width = 4 / number
        boxes = [shapely.box(84 + width * i, 24.8, 84 + width * (i + 1), 27) for i in range(number)]
        path = tmp_path / f"{number}.geojson"
        gpd.GeoDataFrame({"name": list("ABCD")[:number]}, geometry=boxes, crs=4326).to_file(path)
        trained = train(small_sample.dataset, Neighbours(), "pov")
        drawn = predict(small_sample.dataset, trained, boundaries=path)
        assert drawn.estimator == "predicted"
        reason = f"{number} surveyed districts are too few to estimate how much districts differ from the model's predictions."
        assert drawn.estimator_about.endswith(f"A composite estimate was not possible: {reason}")


def test_few_places_without_a_composite_say_so_without_the_syntax_of_a_remedy(small_sample, tmp_path):
    boxes = [shapely.box(84 + i, 24.8, 85 + i, 27) for i in range(4)]
    path = tmp_path / "four.geojson"
    gpd.GeoDataFrame({"name": list("ABCD")}, geometry=boxes, crs=4326).to_file(path)
    clusters = small_sample.dataset.clusters
    column = np.floor(clusters.geometry.x).astype(int)
    chosen = pd.concat([clusters[column == x].head(2 if x == 84 else 1) for x in (84, 85, 86)])
    dataset = replace(small_sample.dataset, clusters=chosen.reset_index(drop=True), covariates=None)
    trained = train(dataset, Neighbours(), "pov")
    drawn = predict(dataset, trained, boundaries=path)
    assert drawn.estimator == "predicted"
    assert drawn.estimator_about.endswith(
        "A composite estimate was not possible: 4 surveyed places in 3 districts do not show the variance within districts, "
        "since the composite needs at least 2 more places than districts."
    )
    skill = drawn.passport.check("skill_regression")
    assert skill.remedy.endswith("add photos or covariates, collect more clusters, or map larger districts.")
    with pytest.raises(InputError, match=r"^estimator='composite': 4 surveyed .*; give estimator='predicted'$"):
        predict(dataset, trained, boundaries=path, estimator="composite")
