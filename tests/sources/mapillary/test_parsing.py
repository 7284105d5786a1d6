"""Replies are checked: whatever the network says, only facts of the right kind are kept, and ids are digits."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.sources.imagery.failures import Gone, Trouble
from geolive.sources.mapillary.classes import class_of, count_objects
from geolive.sources.mapillary.errors import check_reply
from geolive.sources.mapillary.parsing import detected_values, image_facts, is_image_id
from geolive.tables import VOID, vistas_classes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "geometry",
    "computed_geometry",
    "captured_at",
    "sequence",
    "compass_angle",
    "is_pano",
    "creator",
    "camera_type",
]


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_reply_gives_facts_that_can_be_kept(reply):
    facts = image_facts(reply)
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["lon"] is None) == (facts["lat"] is None)
    assert isinstance(facts["is_pano"], bool)
    assert facts["compass_angle"] is None or 0 <= facts["compass_angle"] < 360


@pytest.mark.parametrize("at", [[0, 0], [181, 5], [math.nan, 5], ["85", "25"], [85], "85,25", None, [True, 5]])
def test_impossible_positions_are_none(at):
    good = {"type": "Point", "coordinates": [85.1, 25.6]}
    facts = image_facts({"geometry": good, "computed_geometry": {"type": "Point", "coordinates": at}})
    assert (facts["lon"], facts["lat"]) == (85.1, 25.6)


def test_the_computed_position_is_preferred_and_the_original_kept():
    def point(lon, lat):
        return {"type": "Point", "coordinates": [lon, lat]}

    facts = image_facts({"geometry": point(1, 2), "computed_geometry": point(3, 4)})
    assert [facts[name] for name in ("lon", "lat", "lon_original", "lat_original")] == [3, 4, 1, 2]


def test_control_characters_do_not_reach_the_terminal():
    assert image_facts({"creator": {"username": "a\x1b[31m\nb\ud800", "id": 12}})["creator"] == "a[31mb"


@pytest.mark.parametrize(
    "id", ["../../x", "1/2", "", "0", "-1", "1.5", "1e5", " 1", "1\n", "１", "9" * 19, "9" * 30, None, 7, "id"]
)
def test_what_is_no_image_id(id):
    assert not is_image_id(id)


@given(JSON)
def test_any_detections(data):
    values = detected_values({"data": data})
    assert values is None or (sum(values.values()) == len(data) and all(isinstance(v, str) for v in values))


@given(st.dictionaries(st.sampled_from(["error", "id"]), JSON), st.sampled_from([200, 400, 404, 418, 429, 500]))
def test_any_reply_has_a_meaning(reply, status):
    try:
        check_reply(status, {}, json.dumps(reply).encode())
        assert status == 200
    except (Trouble, Gone):
        pass


def test_every_class_has_its_own_value():
    table = vistas_classes()
    assert [class_of(value) for value in table["api_value"]] == table["paper_index"].tolist()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("object--traffic-sign--warning--curve-left--g2", "Traffic Sign (Front)"),
        ("object--traffic-sign--back", "Traffic Sign (Back)"),
        ("human--person--individual", "Person"),
        ("human--rider--skater", "Other Rider"),
        ("construction--flat--driveway", "Road"),
        ("construction--flat--crosswalk-plain--worn", "Crosswalk - Plain"),
        ("construction--barrier--road-median", "Barrier"),
        ("marking--discrete--crosswalk-zebra", "Lane Marking - Crosswalk"),
        ("marking--discrete--arrow--left", "Lane Marking - General"),
        ("object--vehicle--hovercraft", "Other Vehicle"),
        ("object--support--pole-group", "Pole"),
    ],
)
def test_finer_names_fold_into_the_nearest_parent(value, name):
    table = vistas_classes().set_index("paper_index")["name"]
    assert table[class_of(value)] == name


def test_unknown_values_are_void_and_reported():
    counts, unmatched = count_objects({"object--spaceship": 3, "": 1, "void--static": 2, "nature--sky": 70_000})
    assert (counts[VOID], counts.max()) == (6, 65_535)
    assert unmatched == {"object--spaceship": 3, "": 1}
