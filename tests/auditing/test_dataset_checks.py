"""The passport of a dataset: each check passes, warns and fails on data that is made to."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import geolive as gl
from geolive.tables import points


@pytest.fixture(scope="module")
def sample():
    return gl.make_sample("goa")


def status(dataset, id):
    return gl.audit(dataset).check(id).status


def of_urban(sample, **columns):
    """The sample with half of its clusters urban."""
    urban = pd.array(np.arange(len(sample.clusters)) % 2 == 0, dtype="boolean")
    return replace(sample, clusters=sample.clusters.assign(urban=urban, **columns))


def test_simulated_data_fails_loudly(sample):
    check = gl.audit(sample).check("simulation")
    assert check.status == "FAIL"
    assert check.says.startswith("SIMULATED")
    assert status(replace(sample, simulated=False), "simulation") == "PASS"


@pytest.mark.parametrize(
    ("radius", "expected"),
    [({"urban": 2.0, "rural": 5.0}, "PASS"), (5.0, "WARN"), (1.0, "FAIL"), ({"urban": 10.0, "rural": 5.0}, "FAIL")],
)
def test_radius_against_the_displacement_of_a_dhs(sample, radius, expected):
    dataset = of_urban(replace(sample, extra={"dhs": {}, "join_radius_km": radius}))
    assert status(dataset, "displacement") == expected


def test_displacement_is_not_known_where_nobody_states_it(sample):
    check = gl.audit(replace(sample, extra={"join_radius_km": 5.0})).check("displacement")
    assert check.status == "NOT KNOWN"
    assert "within 5 km of a survey point" in check.says


def test_distance_of_the_farthest_photo_stands_in_for_an_unstated_radius(sample):
    images = sample.images.copy()
    cluster = sample.clusters.iloc[0]
    row = np.flatnonzero(images["unique_cluster"] == cluster["unique_cluster"])[0]
    # 0.07 degrees of latitude are 7.78 km on the sphere of radius 6371 km
    images.loc[images.index[row], "geometry"] = points([cluster.geometry.x], [cluster.geometry.y + 0.07]).iloc[0]
    says = gl.audit(replace(sample, images=images)).check("displacement").says
    assert "The farthest photos are within 7.78 km of a survey point" in says


@pytest.mark.parametrize(("year", "expected"), [(2019, "PASS"), (2012, "WARN"), (2005, "FAIL")])
def test_age_of_the_imagery(sample, year, expected):
    taken = pd.to_datetime(pd.Series(["2020-06-01"] * len(sample.images)))
    dataset = replace(
        sample, clusters=sample.clusters.assign(year=year), images=sample.images.assign(captured_at=taken)
    )
    check = gl.audit(dataset).check("imagery_age")
    assert (check.status, check.figure) == (expected, 2020 - year)


def test_photos_from_before_the_survey_count_by_their_distance_in_years(sample):
    taken = pd.to_datetime(pd.Series(["2001-06-01"] * len(sample.images)))
    dataset = replace(
        sample, clusters=sample.clusters.assign(year=2015), images=sample.images.assign(captured_at=taken)
    )
    check = gl.audit(dataset).check("imagery_age")
    assert (check.status, check.figure) == ("FAIL", 14)
    assert "the median is −14" in check.says


def test_urban_and_rural_coverage(sample):
    rural = np.arange(len(sample.clusters)) % 2 == 1
    dataset = of_urban(sample)
    assert status(dataset, "urban_rural_coverage") == "PASS"
    fewer = dataset.clusters.assign(n_images=np.where(rural, 0, dataset.clusters["n_images"]))
    passport = gl.audit(replace(dataset, clusters=fewer))
    check = passport.check("urban_rural_coverage")
    assert (check.status, check.figure) == ("FAIL", 1.0)
    assert check.says == "Photos exist for 100 % of 7 urban clusters and 0 % of 7 rural clusters."
    assert passport.check("image_coverage").figure == 0.5
    assert status(sample, "urban_rural_coverage") == "NOT KNOWN"


def test_clusters_and_photos_that_are_there_twice(sample):
    again = sample.clusters.iloc[:1].assign(unique_cluster="again", n_images=0)
    dataset = replace(sample, clusters=pd.concat([sample.clusters, again], ignore_index=True))
    check = gl.audit(dataset).check("duplicate_clusters")
    assert (check.status, check.says) == (
        "FAIL",
        "1 of 15 clusters repeat another one in place, year and all values.",
    )
    n = len(sample.images)
    images = sample.images.copy()
    images.loc[images.index[: n // 2], ["geometry", "captured_at"]] = images.loc[
        images.index[n // 2 : 2 * (n // 2)], ["geometry", "captured_at"]
    ].to_numpy()
    assert status(replace(sample, images=images), "duplicate_images") == "FAIL"
    assert status(sample, "duplicate_images") == "PASS"


def test_a_split_that_leaks(sample):
    n = len(sample.clusters)
    split = np.where(np.arange(n) % 2, "train", "test").astype(object)
    apart = replace(sample, clusters=sample.clusters.assign(split=split))
    assert status(apart, "split_leaks") == "PASS"
    geometry = sample.clusters.geometry.to_numpy().copy()
    geometry[0] = geometry[1]
    moved = replace(sample, clusters=sample.clusters.assign(split=split).set_geometry(geometry, crs="EPSG:4326"))
    check = gl.audit(moved).check("split_leaks")
    assert check.status == "FAIL"
    assert "1 of 7 tested clusters is at a training cluster's place" in check.says


def test_labels_without_one_threshold_fail(sample):
    assert status(sample, "labels") == "PASS"
    flipped = sample.clusters.assign(pov_label=1 - sample.clusters["pov_label"])
    assert status(replace(sample, clusters=flipped), "labels") == "FAIL"
    assert status(replace(sample, thresholds={}), "labels") == "NOT KNOWN"


def test_licences_and_faces(sample):
    photos = replace(sample, simulated=False, images=sample.images.assign(img_path="a.jpg"))
    assert status(photos, "photo_licence") == "NOT KNOWN"
    assert status(photos, "faces") == "NOT KNOWN"
    stated = {"attribution": "Mapillary, images CC BY-SA 4.0 by their creators", "licence": "https://example.org"}
    mapillary = replace(photos, extra=stated)
    assert status(mapillary, "photo_licence") == "PASS"
    assert "Mapillary blurs" in gl.audit(mapillary).check("faces").says
    some = mapillary.images.assign(licence=["CC-BY-SA-4.0"] * (len(photos.images) - 2) + [None, None])
    check = gl.audit(replace(mapillary, images=some)).check("photo_licence")
    assert (check.status, check.says[:4]) == ("WARN", "2 of")
    assert (
        status(replace(photos, extra={"attribution": "Panoramax", "licence": "no licence stated"}), "photo_licence")
        == "NOT KNOWN"
    )
    # an own photo's licence does not say that faces are blurred
    own = replace(photos, extra={"licence": "CC BY 4.0"})
    assert (status(own, "photo_licence"), status(own, "faces")) == ("PASS", "NOT KNOWN")


def test_a_survey_without_photos_has_no_checks_of_photos(sample):
    survey = replace(sample, images=sample.images.iloc[:0], features={})
    ids = {check.id for check in gl.audit(survey).checks}
    assert ids == {"simulation", "displacement", "duplicate_clusters", "labels"}
    assert status(survey, "displacement") == "NOT KNOWN"
    assert status(replace(survey, extra={"dhs": {}}), "displacement") == "PASS"


def test_every_check_that_does_not_pass_says_what_to_do(sample):
    for check in gl.audit(of_urban(sample)).checks:
        if check.status in ("FAIL", "WARN"):
            assert check.remedy, check.id
        assert check.says.endswith("."), check.id
        assert check.threshold, check.id
