"""Items of any shape give facts that can be kept, or none."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.sources.panoramax.parsing import is_image_id, listed_image, n_matched, next_page
from tests.sources.panoramax.server import recorded_items

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
NAMES = ["id", "geometry", "properties", "providers", "assets", "collection"]
ABOUT = [
    "datetime",
    "view:azimuth",
    "license",
    "semantics",
    "annotations",
    "pers:interior_orientation",
    "geovisio:producer",
]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSON), st.dictionaries(st.sampled_from(ABOUT), JSON))
def test_any_item_gives_facts_that_can_be_kept(item, about):
    item = item | {"geometry": {"type": "Point", "coordinates": [1.5, 2.5]}, "properties": about}
    image = listed_image(item)
    assert (image.lon, image.lat) == (1.5, 2.5)
    for value in json.loads(json.dumps(image.facts, allow_nan=False)).values():
        assert not isinstance(value, str) or value.isprintable()
    assert image.captured_at is None or 0 <= image.captured_at < 2**53


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_anything_else_is_no_image(item):
    assert listed_image(item) is None
    reply = item if isinstance(item, dict) else {"links": item, "context": item, "numberMatched": item}
    assert next_page(reply) is None or isinstance(next_page(reply), str)
    assert n_matched(reply) is None or n_matched(reply) >= 0


def with_properties(**values):
    item = recorded_items()[0]
    return listed_image(item | {"properties": item["properties"] | values}).facts


def test_positions_and_values_out_of_range():
    item = recorded_items()[0]
    for at in ([200, 0], [0, 0], ["13", "55"], [math.nan, 1], [13]):
        assert listed_image(item | {"geometry": {"type": "Point", "coordinates": at}}) is None
    assert with_properties(**{"view:azimuth": 370})["compass_angle"] == 10
    assert with_properties(**{"view:azimuth": 1e9})["compass_angle"] is None
    for time in ("yesterday", "1900-01-01T00:00:00Z", "9999-12-31T23:59:59+99:00", 7, "2021" * 50):
        assert with_properties(datetime=time)["captured_at"] is None
    assert with_properties(datetime="2021-05-04T10:00:00.5+02:00")["captured_at"] == 1_620_115_200_500


def test_tags_of_areas_in_the_picture_are_kept_too():
    sign = {"shape": {}, "semantics": [{"key": "osm|traffic_sign", "value": "FR:B1"}]}
    tags = json.loads(
        with_properties(semantics=[{"key": "surface", "value": "asphalt"}], annotations=[sign])["semantics"]
    )
    assert tags == [{"key": "osm|traffic_sign", "value": "FR:B1"}, {"key": "surface", "value": "asphalt"}]
    many = with_properties(semantics=[{"key": f"k{i}", "value": "v" * 1000} for i in range(10_000)])["semantics"]
    assert len(json.loads(many)) == 100
    assert len(many) < 30_000


def test_a_part_of_a_circle_is_no_panorama():
    for field, is_pano in ((360, True), (180, False), (56, False), (None, False)):
        orientation = {"pers:interior_orientation": {"field_of_view": field}}
        assert with_properties(**orientation)["is_pano"] is is_pano


def test_the_producer_is_found_among_the_providers():
    item = recorded_items()[0]
    item["properties"].pop("geovisio:producer")
    item["providers"] = [{"name": "host", "roles": ["host"]}, {"name": "Ada", "id": "7", "roles": ["producer"]}]
    facts = listed_image(item).facts
    assert (facts["creator"], facts["creator_id"]) == ("Ada", "7")


def test_ids_are_uuids_in_small_letters():
    good = recorded_items()[0]["id"]
    assert is_image_id(good)
    for id in (good.replace("-", ""), good.upper().replace("0", "A"), f"{good}\n", f" {good}", "../" + good, 7, None):
        assert not is_image_id(id)
