"""Districts as means over people: constants stay constant, weights are people, and people without a prediction are counted."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio import Affine

from geolive.covariates.adding import add_covariates
from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.mapping.csv_table import csv_bytes
from geolive.mapping.export_table import district_columns
from geolive.mapping.page_data import page_data
from geolive.mapping.prediction import predict
from geolive.mapping.qgis_metadata import abstract
from geolive.mapping.qgis_styles import district_style
from geolive.models.clusterwise import Forest
from geolive.models.interface import Model
from geolive.models.kriging import Kriging
from geolive.models.training import train
from geolive.regions import Region, assign_districts
from geolive.sources.survey.reader import read_survey
from geolive.tables import lonlat
from tests.rasters import write_raster

# 40 x 30 cells of a tenth of a degree; districts of 10 x 10 cells
GRID = Affine(0.1, 0, 10.0, 0, -0.1, 8.0)
SHAPE = (30, 40)
ROW, COLUMN = np.indices(SHAPE)
DISTRICT = ROW // 10 * 4 + COLUMN // 10


class TheCovariate(Model):
    """The one covariate as it is."""

    needs_images = False
    inputs = "covariates"

    def __init__(self, task="regression", *, random_state=0):
        self.task, self.random_state = task, random_state

    def fit(self, places, values, weights=None):
        self.covariate_names_ = places.covariate_names
        return self

    def predict(self, places):
        return places.covariate_columns(self.covariate_names_)[:, 0]


@pytest.fixture(scope="module")
def region():
    row, column = np.indices((3, 4)).reshape(2, -1)
    west, north = 10 + column * 1.0, 8 - row * 1.0
    columns = {"district_id": [str(i) for i in range(12)], "district": [f"D{i}" for i in range(12)], "state": ""}
    districts = gpd.GeoDataFrame(columns, geometry=shapely.box(west, north - 1, west + 1, north), crs=4326)
    districts = districts.set_geometry(shapely.multipolygons([[g] for g in districts.geometry]), crs=4326)
    return Region("Squares", shapely.box(10, 5, 14, 8), districts, "squares")


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """150 clusters whose value is a plane with noise."""
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(10.05, 13.95, 150), rng.uniform(5.05, 7.95, 150)
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    value = lon - 12 + 0.3 * (lat - 6) + rng.normal(0, 0.3, 150)
    pd.DataFrame({"lon": lon, "lat": lat, "wealth": value}).to_csv(path, index=False)
    return read_survey(path, "lon", "lat", {"wealth": "wealth"})


def people_of(seed=1):
    return np.random.default_rng(seed).integers(1, 500, SHAPE).astype(np.float32)


def mapped(survey, region, folder, covariate, people, **options):
    """Map a covariate itself."""
    raster = write_raster(folder / "x.tif", np.asarray(covariate, np.float64), GRID, nodata=-9)
    population = write_raster(folder / "people.tif", np.asarray(people, np.float32), GRID)
    dataset = add_covariates(survey, {"x": raster}, buffer_km=0)
    trained = train(dataset, TheCovariate(), "wealth")
    # the area of applicability is another subject
    trained = replace(trained, residuals=trained.residuals.drop(columns="predictors"))
    options = {"estimator": "predicted", "rasters": {"x": raster}, "population": population} | options
    return predict(dataset, trained, region, **options)


def test_constants_stay_constant_and_equal_the_plain_mean(survey, region, tmp_path):
    constant = mapped(survey, region, tmp_path, np.full(SHAPE, 1.7), np.full(SHAPE, 30))
    np.testing.assert_allclose(constant.districts["wealth"], 1.7, rtol=1e-12)
    assert (constant.districts["people"] == 3000).all()
    noise = np.random.default_rng(2).normal(size=SHAPE)
    plain = [noise[i == DISTRICT].mean() for i in range(12)]
    alike = mapped(survey, region, tmp_path, noise, np.full(SHAPE, 30))
    np.testing.assert_allclose(alike.districts["wealth"], plain, rtol=1e-9)


def test_a_raster_of_the_districts_number_gives_that_number(survey, region, tmp_path):
    drawn = mapped(survey, region, tmp_path, DISTRICT.astype(float), people_of())
    assert drawn.districts["wealth"].tolist() == pytest.approx(list(range(12)), abs=1e-12)


def test_people_are_the_weights(survey, region, tmp_path):
    noise, people = np.random.default_rng(2).normal(size=SHAPE), people_of()
    drawn = mapped(survey, region, tmp_path, noise, people)
    weighted = [np.average(noise[i == DISTRICT], weights=people[i == DISTRICT]) for i in range(12)]
    np.testing.assert_allclose(drawn.districts["wealth"], weighted, rtol=1e-9)
    np.testing.assert_allclose(drawn.districts["people"], [people[i == DISTRICT].sum() for i in range(12)])
    # nobody lives there, so it does not count
    people[noise < 0] = 0
    drawn = mapped(survey, region, tmp_path, noise, people)
    assert (drawn.districts["wealth"] > 0).all()


def test_people_without_a_prediction_are_counted_and_decide_on_support(survey, region, tmp_path):
    covariate, people = np.full(SHAPE, 2.0), people_of()
    covariate[(DISTRICT == 5) & (COLUMN % 10 < 7)] = -9
    options = {"estimator": "predicted"}
    drawn = mapped(survey, region, tmp_path, covariate, people, **options)
    share = people[(DISTRICT == 5) & (COLUMN % 10 >= 7)].sum() / people[DISTRICT == 5].sum()
    table = drawn.districts.set_index("district_id")
    assert table.loc["5", "people_supported"] == pytest.approx(share)
    assert table.drop("5")["people_supported"].tolist() == [1.0] * 11
    assert table.index[~table["supported"]].tolist() == ["5"]
    assert np.isnan(table.loc["5", "wealth"])
    assert "less than 50 % of its people" in drawn.support
    lenient = mapped(survey, region, tmp_path, covariate, people, min_people_share=0.2, **options)
    assert lenient.districts.set_index("district_id").loc["5", "wealth"] == pytest.approx(2.0)


def test_tables_page_and_qgis_have_the_people(survey, region, tmp_path):
    drawn = mapped(survey, region, tmp_path, DISTRICT, people_of())
    columns = district_columns(drawn)
    assert columns["people"] == [round(float(people_of()[i == DISTRICT].sum())) for i in range(12)]
    assert columns["people_supported"] == [1.0] * 12
    assert b"people,people_supported" in csv_bytes(drawn).splitlines()[0]
    page = page_data(drawn)
    facts = dict(zip(page["facts"], page["districts"][0]["facts"], strict=True))
    assert facts["People"] == f"{columns['people'][0]:,}"
    assert facts["People with a supported prediction"] == "100 %"
    assert facts["Images"] is None
    how = dict(page["how"])
    assert how["Weights"].startswith("Predictions are weighted by people: people.tif (1,200 inhabited cells)")
    assert how["Covariates"] == "Covariates: x (x.tif, value of the cell)."
    assert "weighted by people" in abstract(drawn)
    assert b'"people_supported"' in district_style(drawn)


def test_without_people_the_page_says_that_sites_count_alike(survey, region):
    drawn = predict(survey, train(survey, Kriging(), "wealth"), region)
    assert "All sites of a district have the same weight" in dict(page_data(drawn)["how"])["Weights"]
    assert "people" not in district_columns(drawn)


def test_another_raster_than_the_datasets_is_told(survey, region, tmp_path):
    drawn = mapped(survey, region, tmp_path, DISTRICT, people_of())
    assert "not the file" not in drawn.covariates_about
    other = write_raster(tmp_path / "x.tif", DISTRICT + 1.0, GRID)
    dataset = add_covariates(survey, {"x": write_raster(tmp_path / "y.tif", DISTRICT * 1.0, GRID)}, buffer_km=0)
    trained = train(dataset, TheCovariate(), "wealth")
    population = str(tmp_path / "people.tif")
    drawn = predict(dataset, trained, region, rasters={"x": other}, population=population, estimator="predicted")
    assert "x (x.tif, value of the cell, not the file that the model was trained on)" in drawn.covariates_about
    with pytest.raises(InputError, match=r"uses covariates that are not known .*rasters={'x': 'FILE'}$"):
        predict(dataset, trained, region, population=population)
    with pytest.raises(InputError, match="uses no covariate 'z'; it uses x"):
        predict(dataset, trained, region, population=population, rasters={"x": other, "z": other})
    with pytest.raises(InputError, match="kriging uses no covariates; leave the rasters out"):
        predict(dataset, train(dataset, Kriging(), "wealth"), region, rasters={"x": other})


def test_the_geotiff_holds_the_predictions_and_the_people(survey, region, tmp_path):
    noise, people = np.random.default_rng(2).normal(size=SHAPE), people_of()
    people[0, :5] = 0
    drawn = mapped(survey, region, tmp_path, noise, people)
    drawn.to_file(tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as raster:
        value, lower, upper, there = raster.read()
        assert raster.descriptions == ("value", "lower", "upper", "people")
        assert raster.transform.almost_equals(GRID)
        assert np.isnan(raster.nodata)
        assert raster.tags()["SIMULATED"] == "no"
        assert "weighted by people" in raster.tags()["DESCRIPTION"]
    lived = people > 0
    np.testing.assert_allclose(value[lived], noise[lived], rtol=1e-6)
    np.testing.assert_allclose(there[lived], people[lived])
    assert (lower[lived] < value[lived]).all()
    assert (value[lived] < upper[lived]).all()
    assert np.isnan(value[~lived]).all()


def test_a_population_in_metres_makes_a_geotiff_in_metres(survey, region, tmp_path):
    at = Affine(12_000, 0, 600_000, 0, -12_000, 900_000)
    population = write_raster(tmp_path / "people.tif", np.full((32, 40), 9, np.float32), at, "EPSG:32632")
    drawn = predict(survey, train(survey, Kriging(), "wealth"), region, population=population)
    drawn.to_file(tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as raster:
        assert raster.crs.to_epsg() == 32632
        assert raster.transform.a == 12_000
    about = (tmp_path / "map.qmd").read_text()
    assert "<authid>EPSG:32632</authid>" in about
    assert 'minx="9.' in about


def test_the_composite_learns_from_means_over_people(survey, region, tmp_path):
    noise, people = np.random.default_rng(2).normal(size=SHAPE), people_of()
    drawn = mapped(survey, region, tmp_path, noise, people, estimator="composite")
    means = drawn.districts.set_index("district_id")["wealth_predicted"]
    # the synthetic value is linear in the means over people, so these are known without error
    synthetic = drawn.districts.set_index("district_id")["wealth_synthetic"]
    slope, intercept = np.polyfit(means, synthetic, 1)
    np.testing.assert_allclose(synthetic, intercept + slope * means, atol=1e-9)


def test_kriging_of_a_district_does_not_learn_from_it(survey, region, tmp_path):
    """The composite must not count the survey twice."""
    population = write_raster(tmp_path / "people.tif", people_of(), GRID)
    drawn = predict(survey, train(survey, Kriging(), "wealth"), region, population=population)
    assert drawn.estimator == "composite"
    own = assign_districts(survey.clusters.geometry, region.districts).to_numpy() == "5"
    moved = survey.clusters.assign(wealth=survey.clusters["wealth"] + np.where(own, 5.0, 0.0))
    other = replace(survey, clusters=moved)
    again = predict(other, train(other, Kriging(), "wealth"), region, population=population)
    change = (again.districts["wealth_direct"] - drawn.districts["wealth_direct"]).to_numpy()
    np.testing.assert_allclose(change, np.where(np.arange(12) == 5, 5.0, 0.0), atol=1e-9)


def test_a_model_of_photos_serves_people_near_its_sites(small_sample, tmp_path):
    dataset = small_sample.dataset
    trained = train(dataset, Forest(n_estimators=10), "pov")
    at = Affine(0.05, 0, 83.2, 0, -0.05, 27.6)
    people = np.random.default_rng(0).integers(0, 900, (70, 105)).astype(np.float32)
    population = write_raster(tmp_path / "people.tif", people, at)
    options = {"estimator": "predicted", "min_sites": 1, "min_images": 1, "min_people_share": 0.0}
    drawn = predict(dataset, trained, "bihar", population=population, reach_km=8, **options)
    sites = drawn.sites[drawn.sites["applicable"]]
    cells = drawn.cells.table
    km = np.linalg.norm(
        unit_sphere(cells[["lon", "lat"]].to_numpy())[:, None] - unit_sphere(lonlat(sites.geometry))[None], axis=2
    )
    near = km.argmin(axis=1)
    reached = chord_to_km(km.min(axis=1)) <= 8
    np.testing.assert_allclose(cells["pov"][reached], sites["pov"].to_numpy()[near[reached]])
    assert cells["pov"][~reached].isna().all()
    assert 0.05 < reached.mean() < 0.95
    assert "the nearest site, up to 8 km away" in drawn.weights_about
    share = (drawn.districts["people"] * drawn.districts["people_supported"]).sum() / drawn.districts["people"].sum()
    assert share == pytest.approx(np.average(reached, weights=cells["people"]), abs=1e-9)
    composite = predict(dataset, trained, "bihar", population=population, reach_km=8)
    assert composite.estimator == "composite"
    assert "less than 50 % of its people" in composite.support


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_people_share": 50}, "min_people_share=50: must be a share of 0 to 1"),
        ({"reach_km": 0}, "reach_km=0: must be above 0"),
        ({"reach_km": "far"}, "reach_km='far': must be a number"),
    ],
)
def test_parameters_out_of_range(survey, region, options, said):
    with pytest.raises(InputError, match=said):
        predict(survey, train(survey, Kriging(), "wealth"), region, **options)


def test_a_model_of_covariates_makes_a_geotiff_of_predictions_without_people(survey, region, tmp_path):
    raster = write_raster(tmp_path / "x.tif", np.where(DISTRICT == 3, -9.0, DISTRICT), GRID, nodata=-9)
    dataset = add_covariates(survey, {"x": raster}, buffer_km=0)
    trained = train(dataset, TheCovariate(), "wealth")
    trained = replace(trained, residuals=trained.residuals.drop(columns="predictors"))
    drawn = predict(dataset, trained, region, rasters={"x": raster}, estimator="predicted")
    assert drawn.districts["district_id"][~drawn.districts["supported"]].tolist() == ["3"]
    drawn.to_file(tmp_path / "map.tif")
    with rasterio.open(tmp_path / "map.tif") as written:
        assert written.descriptions == ("value", "lower", "upper")
        at = [(10.51, 7.51), (11.49, 6.51), (13.51, 5.49), (13.51, 7.51)]
        values = [value[0] for value in written.sample(at)]
    assert values[:3] == [0.0, 5.0, 11.0]
    assert np.isnan(values[3])


def test_districts_far_from_the_survey_have_wider_intervals(survey, region, tmp_path):
    """The district in the south-east has no cluster, though many people."""
    where = lonlat(survey.clusters.geometry)
    near = np.flatnonzero((where[:, 0] < 13) | (where[:, 1] > 6))
    half = survey.select_clusters(near)
    population = write_raster(tmp_path / "people.tif", people_of(), GRID)
    drawn = predict(half, train(half, Kriging(), "wealth"), region, population=population, estimator="predicted")
    width = (drawn.districts["wealth_upper"] - drawn.districts["wealth_lower"]).to_numpy()
    assert width[11] > width[[0, 1, 4, 5]].max()


def test_a_model_of_photos_and_covariates_takes_the_covariates_of_the_cell(small_sample, tmp_path):
    at = Affine(0.05, 0, 83.2, 0, -0.05, 27.6)
    people = np.random.default_rng(0).integers(1, 900, (70, 105)).astype(np.float32)
    population = write_raster(tmp_path / "people.tif", people, at)
    noise = np.random.default_rng(1).normal(size=people.shape)
    noise[:, :50] = -9
    raster = write_raster(tmp_path / "x.tif", noise, at, nodata=-9)
    whole = write_raster(tmp_path / "whole.tif", np.where(noise == -9, 0.0, noise), at)
    dataset = add_covariates(small_sample.dataset, {"x": whole}, buffer_km=0)

    class Both(TheCovariate):
        """The covariate, and a hundredth of the number of images."""

        needs_images = True
        inputs = "objects,covariates"

        def predict(self, places):
            return super().predict(places) + places.n_images / 100

    trained = train(dataset, Both(), "pov")
    trained = replace(trained, residuals=trained.residuals.drop(columns="predictors"))
    options = {"estimator": "predicted", "min_sites": 1, "min_images": 1, "min_people_share": 0.0, "reach_km": 8}
    drawn = predict(dataset, trained, "bihar", population=population, rasters={"x": raster}, **options)
    cells, sites = drawn.cells.table, drawn.sites
    chord = np.linalg.norm(
        unit_sphere(cells[["lon", "lat"]].to_numpy())[:, None] - unit_sphere(lonlat(sites.geometry))[None], axis=2
    )
    near, reached = chord.argmin(axis=1), chord_to_km(chord.min(axis=1)) <= 8
    column, row = np.floor((cells["lon"] - at.c) / at.a).astype(int), np.floor((at.f - cells["lat"]) / at.a).astype(int)
    there = np.where(noise == -9, np.nan, noise)[row, column]
    surveyed = sites["surveyed"].to_numpy()[near]
    expected = np.where(surveyed, sites["pov"].to_numpy()[near], there + sites["n_images"].to_numpy()[near] / 100)
    np.testing.assert_allclose(cells["pov"], np.where(reached, expected, np.nan), rtol=1e-6)
    assert (reached & ~surveyed & np.isfinite(there)).sum() > 50
    table = drawn.districts[drawn.districts["supported"]]
    assert (table["people_supported"] < 1).any()
    district = assign_districts(
        gpd.GeoSeries(gpd.points_from_xy(cells["lon"], cells["lat"]), crs=4326), drawn.districts
    )
    plain = cells[cells["pov"].notna()].groupby(district)[["pov"]].mean()["pov"].reindex(table["district_id"])
    assert np.corrcoef(plain, table["pov"])[0, 1] > 0.9
