"""QGIS itself opens the project: styled as the page, with a page for each district (qgis_project_check.py runs in its Python)."""

import json
from pathlib import Path

import pytest

from geolive.errors import InputError
from geolive.indicators import class_colours, class_of
from geolive.mapping.exports import write_files
from geolive.mapping.output_check import check_outputs_free
from tests.mapping.districtmaps import EVIL, fake_district_map, with_provenance
from tests.mapping.test_qgis import NASTY, PYTHON, has_qgis, run

needs_qgis = [
    pytest.mark.qgis,
    pytest.mark.skipif(not has_qgis(), reason=f"{PYTHON} has no qgis.core (install python3-qgis)"),
]


@pytest.fixture(scope="module")
def made():
    return with_provenance(fake_district_map(estimator="composite", rename={"Patna": NASTY}), dataset=NASTY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, made):
    folder = tmp_path_factory.mktemp("project")
    assert write_files(made, [folder / "pov.qgz"]) == [folder / "pov.qgz", folder / "pov.gpkg"]
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    script = Path(__file__).with_name("qgis_project_check.py")
    done = run(str(script), str(folder / "pov.qgz"), str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_equal_maps_give_equal_bytes_and_ours_may_be_replaced(made, folder, tmp_path):
    again = made.to_file(tmp_path / "pov.qgz")
    assert [path.read_bytes() for path in again] == [(folder / path.name).read_bytes() for path in again]
    assert check_outputs_free([tmp_path / "pov.qgz"], []) == again
    (tmp_path / "mine.qgz").write_bytes(b"my own project")
    with pytest.raises(InputError, match=r"mine\.qgz: exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / "mine.qgz"], [])


class TestInQgis:
    pytestmark = needs_qgis

    def test_the_project_opens_with_both_layers(self, seen):
        assert seen["read"]
        assert (seen["title"], seen["crs"]) == ("Asset wealth in Bihar (SIMULATED)", "EPSG:4326")
        assert seen["layers"] == {"Districts": [True, "EPSG:4326", 38, True], "Sites": [True, "EPSG:4326", 120, False]}
        assert seen["order"] == [["Sites", False], ["Districts", True]]

    def test_each_district_has_the_colour_of_the_page(self, made, seen):
        colours = class_colours(made.indicator.colours, len(made.breaks) - 1)
        classes = class_of(made.districts["pov"], made.breaks)
        for district, number in zip(made.districts["district"], classes, strict=True):
            if number >= 0:
                assert seen["colours"][district] == colours[number], district

    def test_the_atlas_has_a_page_for_each_district_in_the_order_of_names(self, made, seen):
        assert seen["pages"] == sorted(made.districts["district"])
        assert seen["saved"] == 0
        assert seen["shown"], "the whole district is on its page"
        assert seen["colours_drawn"] > 20

    def test_texts_of_a_page_are_the_values_and_no_expression_of_the_data(self, made, seen):
        gaya = made.districts.set_index("district").loc["Gaya"]
        said = "\n".join(seen["texts"])
        assert "Gaya" in seen["texts"]
        assert "SIMULATED survey and imagery. Asset wealth in Bihar. Values are means of areas" in said
        assert f"Value: {gaya['pov']:.2f}" in said
        assert f"90 % interval: {gaya['pov_lower']:.2f} to {gaya['pov_upper']:.2f}" in said
        assert f"Survey alone: {gaya['pov_direct']:.2f} ± {gaya['pov_direct_error']:.2f}" in said
        assert EVIL in said
        assert "1 + 1" in said, "what looks like an expression in the data's words is not evaluated"

    def test_a_project_that_its_user_saved_is_never_overwritten(self, folder, seen):
        assert seen["written"]
        with pytest.raises(InputError, match=r"saved\.qgz: exists and was changed, or was not written by geolive"):
            check_outputs_free([folder / "saved.qgz"], [])
