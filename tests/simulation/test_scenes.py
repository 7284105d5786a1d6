"""Simulated scenes: what their files say, that they show what was counted, and that equal seeds give equal files.

How well a model learns from them is measured by training it: see docs/method.md.
"""

import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from geolive.dataset_folder import read_dataset
from geolive.simulation.sample import simulate
from geolive.simulation.scene_drawing import PARTS
from geolive.simulation.scenes import LABEL, Scene, draw_scene, scene_bytes
from geolive.sources.photos.exif import read_facts
from geolive.sources.photos.image_files import open_image
from geolive.tables import lonlat, vistas_classes
from tests.commands import run

NAMES = [*vistas_classes()["name"], "void"]
# drawn as part of ground, sky and foreground, not as things of their own
STUFF = {"Sky", "Road", "Sidewalk", "Curb", "Ego Vehicle", "Car Mount", "void"}


def scene(key="sim0-0000001", **counts):
    objects = np.zeros(66, int)
    for name, number in counts.items():
        objects[NAMES.index(name.replace("_", " "))] = number
    return Scene(key, "walk-000001", tuple(objects.tolist()), 85.1234567, 25.6543219, datetime(2018, 3, 4, 5, 6, 7))


def difference(name, number=3):
    """Mean difference that things of a class make, of 0 to 255, over a few pictures."""
    found = []
    for i in range(4):
        with_it, without = (
            np.asarray(draw_scene(scene(f"k{i}", **counts)), float) for counts in ({name.replace(" ", "_"): number}, {})
        )
        found.append(np.abs(with_it - without).mean())
    return np.mean(found)


def test_every_class_is_drawn_in_one_way():
    assert set(PARTS) | STUFF == set(NAMES)
    assert set(PARTS) & STUFF == set()


@pytest.mark.parametrize("name", NAMES)
def test_each_class_shows(name):
    assert difference(name, 0) == 0
    assert difference(name) > 0.1


def test_more_vegetation_is_more_green():
    def greenness(picture):
        red, green, blue = np.asarray(picture, float).reshape(-1, 3).T
        return (2 * green - red - blue).mean()

    found = [np.mean([greenness(draw_scene(scene(f"k{i}", Vegetation=n))) for i in range(6)]) for n in (0, 2, 5, 9)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 3


def test_a_picture_says_that_it_is_simulated_where_and_when():
    data = scene_bytes(scene(Car=2))
    facts = read_facts(open_image(io.BytesIO(data)).exif)
    assert (facts.lon, facts.lat) == pytest.approx((85.1234567, 25.6543219), abs=1e-7)
    assert facts.time == datetime(2018, 3, 4, 5, 6, 7)
    assert facts.zone == "UTC"
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (224, 224)
        assert picture.getexif()[0x010E] == LABEL
        assert "SIMULATED" in LABEL


def test_seed_and_key_decide_all_that_is_left_to_chance():
    one = scene(Car=2, Vegetation=3)
    assert scene_bytes(one) == scene_bytes(one)
    assert len({scene_bytes(s) for s in (one, replace(one, key="other"), replace(one, seed=1))}) == 3


@pytest.mark.slow
def test_sample_with_images_on_the_command_line(tmp_path):
    done = run(
        "sample", "--region", "goa", "--with-images", "--max-per-place", "1", "--seed", "5", "--out", tmp_path / "goa"
    )
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    dataset = read_dataset(tmp_path / "goa")
    images = dataset.images
    assert len(list((tmp_path / "goa" / "photos").iterdir())) == len(images)
    for row in images.iloc[::9].itertuples():
        data = (tmp_path / "goa" / row.img_path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256
        facts = read_facts(open_image(io.BytesIO(data)).exif)
        assert (facts.lon, facts.lat) == pytest.approx((row.geometry.x, row.geometry.y), abs=1e-7)
        assert facts.time.replace(tzinfo=UTC) == row.captured_at
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.getexif()[0x010E] == LABEL
    assert "--with-images" in dataset.command
    assert "--max-per-place 1" in dataset.command


def test_fewer_images_are_some_of_all():
    every, few = simulate("goa", seed=2), simulate("goa", seed=2, most_images=5)
    whole = every.dataset.images.set_index("key")
    assert set(few.dataset.images["key"]) < set(whole.index)
    assert few.dataset.images["unique_cluster"].value_counts().max() == 5
    rows = whole.index.get_indexer(few.dataset.images["key"])
    assert np.array_equal(few.dataset.features["objects"], every.dataset.features["objects"][rows])
    assert np.array_equal(lonlat(few.dataset.images.geometry), lonlat(whole.iloc[rows].geometry))
    expected = np.minimum(every.dataset.clusters["n_images"], 5)
    assert (few.dataset.clusters["n_images"] == expected).all()
    assert np.array_equal(few.dataset.clusters["pov"], every.dataset.clusters["pov"])
