"""Files for spreadsheets, slides and other programs: the same values as the GeoJSON, and no text from data that runs."""

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from PIL import Image

from geolive.errors import InputError
from geolive.extras import MissingExtraError
from geolive.indicators import class_colours
from geolive.mapping.exports import SUFFIXES, files_of_formats, main_files, write_files
from geolive.mapping.output_check import check_outputs_free
from tests.mapping.districtmaps import EVIL, fake_district_map

KINDS = ["xlsx", "parquet", "fgb", "pmtiles", "kml", "png", "svg", "pdf"]
KML = {"k": "http://www.opengis.net/kml/2.2"}
NAMES = {"Patna": "=1+1", "Gaya": EVIL, "Siwan": "@SUM(A1)", "Saran": 'a $x$ "b" ]]>'}


@pytest.fixture(scope="module")
def made():
    return fake_district_map(estimator="composite", rename=NAMES)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    write_files(made, [folder / "pov.geojson", *(folder / f"pov.{kind}" for kind in KINDS)])
    return folder


@pytest.fixture(scope="module")
def collection(folder):
    features = json.loads((folder / "pov.geojson").read_text(encoding="utf-8"))["features"]
    return pd.DataFrame([f["properties"] for f in features])


def same_values(table, collection):
    """Each column of the GeoJSON is there, and equal."""
    assert table["district"].tolist() == collection["district"].tolist()
    assert table["supported"].astype(bool).tolist() == collection["supported"].tolist()
    for column in collection.columns.drop(["district_id", "district", "state", "supported", "simulated"]):
        np.testing.assert_array_equal(table[column].astype(float), collection[column].astype(float), column)


def test_the_workbook_has_the_values_of_the_geojson(folder, collection, made):
    sheets = pd.read_excel(folder / "pov.xlsx", sheet_name=None, dtype={"district_id": str})
    assert list(sheets) == ["Districts", "Sites", "Columns", "Method"]
    same_values(sheets["Districts"], collection)
    assert sheets["Districts"]["district_id"].tolist() == collection["district_id"].tolist()
    np.testing.assert_allclose(sheets["Sites"]["pov"], made.sites["pov"])
    np.testing.assert_allclose(sheets["Sites"]["longitude"], made.sites.geometry.x, atol=1e-6)
    assert set(sheets["Districts"].columns) | set(sheets["Sites"].columns) == set(sheets["Columns"]["column"])
    assert sheets["Columns"]["meaning"].notna().all()
    method = dict(zip(sheets["Method"]["subject"], sheets["Method"]["text"], strict=True))
    assert method["Title"] == "Asset wealth in Bihar (SIMULATED)"
    assert "SIMULATED" in method
    assert method["Boundaries"] == made.provenance.boundaries


def test_texts_in_the_workbook_are_no_formulas_and_heads_stay_in_sight(folder):
    book = openpyxl.load_workbook(folder / "pov.xlsx")
    sheet = book["Districts"]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "b"}
    assert {cell.value for cell in cells} >= set(NAMES.values())
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref.startswith("A1:")
    value = sheet.cell(2, [cell.value for cell in sheet[1]].index("pov") + 1)
    assert value.number_format == "0.000"
    with zipfile.ZipFile(folder / "pov.xlsx") as archive:
        assert not any(b"<f>" in archive.read(name) for name in archive.namelist() if "sheet" in name)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice (soffice) is not installed")
def test_libreoffice_opens_workbook_and_csv_with_the_same_numbers(folder, collection, made, tmp_path):
    write_files(made, [tmp_path / "table.csv"])
    shutil.copy(folder / "pov.xlsx", tmp_path / "book.xlsx")
    for name in ("book.xlsx", "table.csv"):
        out = tmp_path / name.replace(".", "-")
        profile = f"-env:UserInstallation=file://{tmp_path}/profile"
        command = ["soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir", out, tmp_path / name]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        # the cells as LibreOffice read them
        table = pd.read_excel(next(out.glob("*.xlsx")))
        texts = [value for value in table["district"] if "1+1" in value]
        assert texts == ["=1+1" if name == "book.xlsx" else "'=1+1"]
        for column in ("pov", "pov_lower", "pov_upper", "pov_direct", "pov_gamma", "n_sites"):
            np.testing.assert_allclose(table[column].astype(float), collection[column].astype(float), atol=1e-9)


def test_geoparquet_and_flatgeobuf_hold_the_table(folder, collection):
    parquet = gpd.read_parquet(folder / "pov.parquet")
    flat = gpd.read_file(folder / "pov.fgb").set_index("district_id").loc[collection["district_id"]].reset_index()
    for table in (parquet, flat):
        same_values(table, collection)
        assert table.crs.to_epsg() == 4326
        assert (table.geometry.geom_type == "MultiPolygon").all()
    facts = pq.read_schema(folder / "pov.parquet").metadata
    assert json.loads(facts[b"geo"])["version"] == "1.1.0"
    assert json.loads(facts[b"geolive"])["simulated"] is True
    assert b"SIMULATED" in (folder / "pov.fgb").read_bytes()[:4000]


def test_tiles_hold_every_district_with_its_columns(folder, collection):
    """Read as QGIS reads them, by GDAL; a district is in several tiles."""
    facts = pyogrio.read_info(folder / "pov.pmtiles", layer="districts")["dataset_metadata"]
    assert facts["name"] == "Asset wealth in Bihar (SIMULATED)"
    assert "means of areas, not of households" in facts["description"]
    for zoom in ("0", facts["maxzoom"]):
        tiles = pyogrio.read_dataframe(folder / "pov.pmtiles", layer="districts", ZOOM_LEVEL=zoom)
        one = (
            tiles.drop_duplicates("district_id")
            .set_index("district_id")
            .reindex(collection["district_id"])
            .reset_index()
        )
        assert one["district"].tolist() == collection["district"].tolist(), f"names are texts at zoom {zoom}"
        np.testing.assert_allclose(one["pov"].astype(float), collection["pov"].astype(float))
    # the outlines of the nearest zoom, which lie within a few metres of the exact ones
    merged = tiles.dissolve("district_id").to_crs("EPSG:7755").area / 1e6
    exact = gpd.read_file(folder / "pov.geojson").set_index("district_id").to_crs("EPSG:7755").area / 1e6
    np.testing.assert_allclose(merged, exact.reindex(merged.index), rtol=0.01)


def test_tiles_across_the_antimeridian_are_as_fine_as_elsewhere(made, folder, tmp_path):
    """Bihar, moved to both sides of it."""
    east = shapely.transform(made.districts.geometry.to_numpy(), lambda at: at + np.array([95, 0]))
    halves = (
        shapely.intersection(east, shapely.box(90, -90, 180, 90)),
        shapely.transform(
            shapely.intersection(east, shapely.box(180, -90, 270, 90)), lambda at: at - np.array([360, 0])
        ),
    )
    parts = [[p for half in pair for p in shapely.get_parts(half) if p.area] for pair in zip(*halves, strict=True)]
    moved = made.districts.set_geometry([shapely.MultiPolygon(each) for each in parts], crs="EPSG:4326")
    write_files(replace(made, districts=moved), [tmp_path / "pov.pmtiles"])
    found, expected = (
        pyogrio.read_info(path / "pov.pmtiles", layer="districts")["dataset_metadata"]["maxzoom"]
        for path in (tmp_path, folder)
    )
    assert found == expected


def test_tiles_of_others_are_not_overwritten(made, folder, tmp_path):
    check_outputs_free([folder / "pov.pmtiles"], [])
    for content in (b"", b"PMTiles\x03 and no more", (folder / "pov.pmtiles").read_bytes()[:140], b"another file"):
        (tmp_path / "pov.pmtiles").write_bytes(content)
        with pytest.raises(InputError, match="was not written by geolive"):
            check_outputs_free([tmp_path / "pov.pmtiles"], [])


def test_kml_has_the_classes_of_the_page_and_names_as_text(folder, collection, made):
    document = ET.parse(folder / "pov.kml").getroot().find("k:Document", KML)
    assert "SIMULATED" in document.findtext("k:name", namespaces=KML)
    marks = document.findall("k:Placemark", KML)
    assert [mark.findtext("k:name", namespaces=KML) for mark in marks] == collection["district"].tolist()
    styles = {
        style.get("id"): style.findtext("k:PolyStyle/k:color", namespaces=KML)
        for style in document.findall("k:Style", KML)
    }
    colours = class_colours(made.indicator.colours, len(made.breaks) - 1)
    expected = {f"class-{i}": f"cc{c[5:7]}{c[3:5]}{c[1:3]}" for i, c in enumerate(colours)}
    assert {name: colour for name, colour in styles.items() if name != "not-supported"} == expected
    used = {mark.findtext("k:styleUrl", namespaces=KML).removeprefix("#") for mark in marks}
    assert used == set(styles)
    values = marks[0].findall("k:ExtendedData/k:Data", KML)
    assert {v.get("name"): v.findtext("k:value", namespaces=KML) for v in values}["pov"] == str(collection["pov"][0])
    read = pyogrio.read_dataframe(folder / "pov.kml")
    expected_area = made.districts.to_crs(7755).area.sum()
    assert read.to_crs(7755).area.sum() == pytest.approx(expected_area, rel=1e-4)


def test_pictures_have_words_and_fonts_in_them(folder, made):
    with Image.open(folder / "pov.png") as picture:
        assert picture.info["Software"] == f"geolive {made.provenance.version}"
        assert picture.info["dpi"][0] == pytest.approx(300, abs=1)
        assert picture.width > 2000
    svg = (folder / "pov.svg").read_text(encoding="utf-8")
    assert "<text" not in svg, "letters are outlines, which look alike without the font"
    assert "SIMULATED" in svg
    assert "<script" not in svg
    assert not re.search(r"<img[^-]", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))
    assert ET.fromstring(svg).tag.endswith("svg")
    assert (folder / "pov.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(shutil.which("pdffonts") is None, reason="pdffonts (poppler-utils) is not installed")
def test_fonts_of_the_pdf_are_embedded(folder):
    printed = subprocess.run(["pdffonts", folder / "pov.pdf"], capture_output=True, text=True, check=True).stdout
    fonts = printed.splitlines()[2:]
    assert fonts
    for line in fonts:
        assert re.search(r"\b(yes|no) (yes|no) (yes|no)\b", line)[1] == "yes", line


@pytest.mark.parametrize("kind", KINDS)
def test_equal_maps_give_equal_bytes_and_our_files_are_free(folder, tmp_path, kind):
    again = fake_district_map(estimator="composite", rename=NAMES).to_file(tmp_path / f"pov.{kind}")
    assert [p.name for p in again] == [f"pov.{kind}"] + ["pov_tiles.html"] * (kind == "pmtiles")
    assert again[0].read_bytes() == (folder / f"pov.{kind}").read_bytes()
    assert check_outputs_free(again[:1], []) == again
    (tmp_path / f"mine.{kind}").write_bytes(b"my own work of many years, made by geolive and me")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / f"mine.{kind}"], [])


def test_a_workbook_that_its_user_saved_is_never_overwritten(folder, tmp_path):
    book = openpyxl.load_workbook(folder / "pov.xlsx")
    book["Districts"]["C2"] = "my note"
    book.properties.lastModifiedBy = "An officer"
    book.save(tmp_path / "pov.xlsx")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / "pov.xlsx"], [])


def test_a_map_without_any_value_is_written_as_every_kind(tmp_path):
    made = fake_district_map(unsupported=tuple(fake_district_map().districts["district"]))
    written = write_files(made, [tmp_path / f"pov.{kind}" for kind in KINDS])
    assert len(written) == len(KINDS) + 1, "tiles bring their page"
    assert pd.read_excel(tmp_path / "pov.xlsx")["pov"].isna().all()


def test_formats_are_files_beside_the_first(tmp_path):
    path = tmp_path / "pov.html"
    assert [p.name for p in files_of_formats(path, "xlsx, .PNG")] == ["pov.xlsx", "pov.png"]
    everything = files_of_formats(path, "all")
    assert {p.suffix for p in everything} | {".html"} == set(SUFFIXES)
    check_outputs_free([path, *everything], [])
    assert files_of_formats(path, None) == []
    with pytest.raises(InputError, match="formats: there is no kind 'doc'; give some of: html,geojson"):
        files_of_formats(path, "csv,doc")


def test_a_shapefile_is_refused_with_the_reason():
    with pytest.raises(
        InputError, match=r"pov\.shp: cannot write a Shapefile, which cuts .* give pov\.gpkg, which every GIS"
    ):
        main_files(["pov.shp"], exports=False)


def test_without_its_package_a_kind_names_the_command(monkeypatch):
    monkeypatch.setattr("geolive.extras.importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        MissingExtraError, match="workbooks need xlsxwriter, which is not installed; run: pip install xlsxwriter"
    ):
        main_files(["pov.xlsx"], exports=False)
