"""Which images are fetched from Mapillary: by quality and camera, around a point, and by keys."""

import dataclasses
import gzip

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.sources.imagery.area import area_of_circle, find_area
from geolive.sources.imagery.fetch import fetch_images, plan_fetch
from geolive.sources.imagery.keys import images_of_keys
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.imagery.tile_grid import tile_of
from geolive.sources.survey.reader import read_survey
from geolive.tables import lonlat
from tests.sources.mapillary.fetching import FAST, access_to, contents, fetch_box
from tests.sources.mapillary.server import FakeMapillary, fake_images

CAMERAS = ["perspective", "fisheye", "spherical", "perspective"]
QUALITIES = [0.9, 0.5, 0.1, None]
IMAGES = [
    dataclasses.replace(image, camera=CAMERAS[i % 4], quality=QUALITIES[i % 4])
    for i, image in enumerate(fake_images(12, spread=0.002))
]
V3_KEY = "Vj_-9Ab3kQ1LxYz0PqRsTu"


def test_quality_and_camera_are_columns(tmp_path):
    with FakeMapillary(IMAGES) as server:
        images = read_dataset(fetch_box(server, tmp_path / "patna")).images
    assert images["camera_type"].tolist() == CAMERAS * 3
    assert np.array_equal(images["quality_score"], np.array(QUALITIES * 3, float), equal_nan=True)


def test_a_quality_that_is_no_score_is_missing(tmp_path):
    images = [
        dataclasses.replace(IMAGES[0], quality=wrong, id=str(i + 1)) for i, wrong in enumerate([7, "high", True, 0])
    ]
    with FakeMapillary(images) as server:
        read = read_dataset(fetch_box(server, tmp_path / "patna")).images
    assert np.array_equal(read["quality_score"], [np.nan, np.nan, np.nan, 0], equal_nan=True)


@pytest.mark.parametrize(
    ("wanted", "kept", "reasons"),
    [
        ({"min_quality": 0.5}, [0, 1], {"it has no quality score": 3, "its quality score is below 0.5": 3}),
        (
            {"camera_types": ("perspective",)},
            [0, 3],
            {"its camera type is fisheye": 3, "its camera type is spherical": 3},
        ),
        ({"min_quality": 0.0, "camera_types": ("fisheye", "spherical")}, [1, 2], {"it has no quality score": 3}),
    ],
)
def test_images_of_low_quality_or_other_cameras_are_left_out(tmp_path, wanted, kept, reasons):
    with FakeMapillary(IMAGES) as server:
        dataset = read_dataset(fetch_box(server, tmp_path / "patna", Wanted(**wanted)))
        assert server.count("photo") == 6  # those left out are not downloaded
    assert dataset.images["key"].tolist() == [image.id for i, image in enumerate(IMAGES) if i % 4 in kept]
    told = dataset.rejects["reason"].value_counts().to_dict()
    assert {reason: told[reason] for reason in reasons} == reasons
    for name, value in wanted.items():
        assert dataset.extra["fetch"][name] == (list(value) if isinstance(value, tuple) else value)


def test_an_option_that_changes_is_another_fetch(tmp_path):
    with FakeMapillary(IMAGES) as server:
        server.fail("photo", "500", times=99, key=IMAGES[5].id)
        with pytest.raises(InputError, match="could not be fetched"):
            fetch_box(server, tmp_path / "patna", Wanted())
        with pytest.raises(InputError, match="an unfinished fetch with other options"):
            fetch_box(server, tmp_path / "patna", Wanted(min_quality=0.5))


@pytest.mark.parametrize(("radius", "by_search"), [(40, True), (50, True), (300, False)])
def test_around_a_point(tmp_path, radius, by_search):
    centre = (85.14, 25.6)
    images = [dataclasses.replace(image, computed=None) for image in fake_images(60, spread=0.001)]
    east, north = (np.array([getattr(i, a) for i in images]) - c for a, c in (("lon", 85.14), ("lat", 25.6)))
    metres = np.hypot(east * np.cos(np.radians(25.6)), north) * 111_195
    assert 0 < (metres < radius).sum() < 60
    with FakeMapillary(images) as server:
        area = area_of_circle(f"{centre[0]},{centre[1]}", radius)
        dataset = read_dataset(fetch_images(access_to(server), area, Wanted(), tmp_path / "patna", FAST))
        assert (server.count("search") > 0, server.count("tile") > 0) == (by_search, not by_search)
        # a search brings the facts, which are else requested for each image
        assert server.count("facts") == (0 if by_search else len(dataset.images))
        assert server.complaints == []
    assert dataset.images["key"].tolist() == [image.id for image, m in zip(images, metres, strict=True) if m < radius]
    assert dataset.images["creator"].notna().all()
    assert dataset.command.endswith(f"fetch images --around 85.14,25.6 --radius-m {radius} --out images")


def test_a_search_that_may_be_cut_short_is_not_used(tmp_path):
    images = [dataclasses.replace(image, computed=None) for image in fake_images(120, spread=1e-5)]
    with FakeMapillary(images) as server:
        area = area_of_circle("85.14,25.6", 50)
        dataset = read_dataset(fetch_images(access_to(server), area, Wanted(thumb=None), tmp_path / "patna", FAST))
        assert server.count("tile") > 0
    assert len(dataset.images) == 120


def test_tiles_of_a_circle_cover_it():
    for centre, metres in (((85.14, 25.6), 5000.0), ((-179.999, -17.0), 3000.0), ((10.0, 84.0), 20_000.0)):
        area = area_of_circle(f"{centre[0]},{centre[1]}", metres)
        angle = np.linspace(0, 2 * np.pi, 60)
        north = metres * 0.999 / 111_195 * np.cos(angle)
        east = metres * 0.999 / 111_195 * np.sin(angle) / np.cos(np.radians(centre[1] + north))
        rim = np.column_stack([(centre[0] + east + 180) % 360 - 180, centre[1] + north])
        tiles = set(map(tuple, area.tiles.tolist()))
        assert set(map(tuple, tile_of(rim).tolist())) <= tiles


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"around": "85.14,25.6"}, "radius_m: is missing"),
        ({"around": "85.14,25.6", "radius_m": 0}, "radius_m: 0: must be above 0"),
        ({"around": "25.6", "radius_m": 5}, "around='25.6': is not a position"),
        ({"around": "185,25.6", "radius_m": 5}, "is not a position"),
        ({"around": "85.14,25.6", "radius_m": 1e7}, "radius of 10000 km is too large"),
        ({"radius_m": 5, "bbox": "85,25,86,26"}, "radius_m=5: needs a point"),
        ({"around": "85.14,25.6", "radius_m": 5, "region": "goa"}, "name one area"),
    ],
)
def test_circles_that_are_none(options, words):
    with pytest.raises(InputError, match=words):
        find_area(**options)


def test_keys_from_a_list_those_unknown_are_in_rejects(tmp_path):
    gone = "17"
    keys = [IMAGES[3].id, V3_KEY, gone, "", IMAGES[0].id, IMAGES[3].id, "no id"]
    (tmp_path / "keys.txt").write_text("\n".join(keys))
    area = images_of_keys(tmp_path / "keys.txt")
    with FakeMapillary(IMAGES) as server:
        listed, sampled, n_empty = plan_fetch(access_to(server), area, Wanted(), tmp_path / "some", FAST)
        assert (len(listed), len(sampled), n_empty, server.requests) == (5, 3, 0, [])
        dataset = read_dataset(fetch_images(access_to(server), area, Wanted(objects=True), tmp_path / "some", FAST))
        assert server.count("tile") == 0
    assert dataset.images["key"].tolist() == [IMAGES[0].id, IMAGES[3].id]
    assert np.allclose(lonlat(dataset.images.geometry)[1], IMAGES[3].computed or (IMAGES[3].lon, IMAGES[3].lat))
    assert dataset.images["img_path"].notna().all()
    assert dataset.features["objects"].sum() == len(IMAGES[0].detections) + len(IMAGES[3].detections)
    rejects = dataset.rejects.set_index("key")["reason"]
    assert rejects[gone] == "not known to Mapillary"
    assert rejects["no id"] == "no image id of Mapillary"
    assert "API v3" in rejects[V3_KEY]
    assert dataset.command.endswith(f"--keys {tmp_path / 'keys.txt'} --objects --out images")


def test_keys_from_a_column_dates_and_panoramas(tmp_path):
    table = pd.DataFrame({"n": range(len(IMAGES)), "key": [image.id for image in IMAGES]})
    table.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    expected = tuple(table["key"])
    assert (
        images_of_keys(tmp_path / "a.parquet", "key").keys
        == images_of_keys(tmp_path / "a.csv.gz", "key").keys
        == expected
    )
    # of an image the date and the camera are known only when it was requested
    wanted = Wanted(pano=False, since=pd.Timestamp("2020-01-03").date(), until=pd.Timestamp("2020-01-09").date())
    with FakeMapillary(IMAGES) as server:
        area = images_of_keys(tmp_path / "a.parquet", "key")
        dataset = read_dataset(fetch_images(access_to(server), area, wanted, tmp_path / "some", FAST))
    assert dataset.images["key"].tolist() == [IMAGES[i].id for i in (2, 3, 4, 6, 7, 8)]
    assert dataset.rejects["reason"].value_counts().to_dict() == {
        "taken after 2020-01-09": 2,
        "taken before 2020-01-03": 1,
        "a panorama": 3,
    }


def test_images_of_keys_are_joined_to_a_survey(tmp_path):
    near, far = IMAGES[0], dataclasses.replace(IMAGES[1], lon=86.0, computed=None)
    (tmp_path / "keys.txt").write_text(f"{near.id}\n{far.id}")
    (tmp_path / "survey.csv").write_text("lon,lat,wealth\n85.14,25.6,1.5\n")
    survey = read_survey(tmp_path / "survey.csv", "lon", "lat", {"pov": "wealth"})
    survey = read_dataset(write_dataset(survey, tmp_path / "survey"))
    with FakeMapillary([near, far]) as server:
        area = images_of_keys(tmp_path / "keys.txt", survey=survey)
        dataset = read_dataset(fetch_images(access_to(server), area, Wanted(), tmp_path / "some", FAST))
    assert dataset.images["unique_cluster"].notna().tolist() == [True, False]
    assert dataset.clusters[["n_images", "pov"]].to_numpy().tolist() == [[1, 1.5]]
    assert f"--clusters {tmp_path / 'survey'}" in dataset.command


def test_a_fetch_by_keys_continues_and_gives_the_same_bytes(tmp_path):
    (tmp_path / "keys.txt").write_text("\n".join([image.id for image in IMAGES] + [V3_KEY, "17"]))
    area = images_of_keys(tmp_path / "keys.txt")
    with FakeMapillary(IMAGES) as server:
        fetch_images(access_to(server), area, Wanted(objects=True), tmp_path / "whole", FAST)
        server.fail("photo", "500", times=99, key=IMAGES[7].id)
        with pytest.raises(InputError, match="1 of 14 images could not be fetched"):
            fetch_images(access_to(server), area, Wanted(objects=True), tmp_path / "broken", FAST)
        server.rules.clear()
        server.requests.clear()
        fetch_images(access_to(server), area, Wanted(objects=True), tmp_path / "broken", FAST)
        assert server.count("facts") == 0
        assert server.count("photo") == 1
    assert contents(tmp_path / "whole") == contents(tmp_path / "broken")


def test_files_of_keys_that_cannot_be_used(tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "table.csv").write_text("key,lon\n1,2\n")
    (tmp_path / "v3.txt").write_text(V3_KEY)
    for name, column, words in (
        ("empty.txt", None, "holds no keys"),
        ("table.csv", None, r"is a table, not a file with one key on each line; give keys_column='COLUMN'"),
        ("table.csv", "id", "no column 'id'"),
        ("none.txt", None, "no such file"),
    ):
        with pytest.raises(InputError, match=words):
            images_of_keys(tmp_path / name, column)
    area = images_of_keys(tmp_path / "v3.txt")
    with FakeMapillary(IMAGES) as server:
        with pytest.raises(
            InputError, match=r"none of 1 images can be used \(a key of Mapillary's API v3.*check the keys"
        ):
            fetch_images(access_to(server), area, Wanted(), tmp_path / "some", FAST)
        with pytest.raises(InputError, match="all images that the file names are fetched"):
            fetch_images(access_to(server), area, Wanted(max_per_site=3), tmp_path / "some", FAST)
