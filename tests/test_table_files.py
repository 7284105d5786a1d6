"""Limits on tables: a small file may not take the memory, and a line may not be endless."""

import gzip
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geolive.boundary_files import read_polygons
from geolive.dataset_files import read_plain_table, read_table
from geolive.errors import InputError
from geolive.estimation.area_table import read_area_table
from geolive.estimation.proximity import read_proximity
from geolive.estimation.target_table import read_target_table
from geolive.sources.survey.reader import read_survey
from geolive.table_files import LONGEST_LINE, check_expansion, read_csv, read_parquet
from tests.commands import ROOT


def repeated_text():
    """Five terabytes: the same text in many rows."""
    rows = pa.array(np.zeros(50_000_000, np.int32))
    return pa.table({"area": pa.DictionaryArray.from_arrays(rows, pa.array(["x" * 100_000]))})


def many_rows():
    return pa.table({"area": pa.nulls(140_000_000, pa.float64())})


def many_texts():
    ends = np.arange(1101, dtype=np.int32) * 1_000_000
    return pa.table({"area": pa.StringArray.from_buffers(1100, pa.py_buffer(ends), pa.py_buffer(b"x" * ends[-1]))})


def lists():
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, np.int32)), pa.array(["x" * 10_000]))
    return pa.table({"area": pa.ListArray.from_arrays(pa.array([0, 2_000_000]), texts)})


@pytest.fixture(scope="module", params=[repeated_text, many_rows, many_texts, lists], ids=lambda make: make.__name__)
def bomb(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("bomb") / "areas.parquet"
    plain = request.param is many_texts
    pq.write_table(request.param(), path, compression="zstd", use_dictionary=not plain, write_statistics=not plain)
    assert path.stat().st_size < 2_000_000
    return path


READERS = {
    "target": lambda path: read_target_table(path),
    "areas": lambda path: read_area_table(path, "area"),
    "survey": lambda path: read_survey(path, values={"area": "area"}, lon="x", lat="y"),
    "boundaries": read_polygons,
    "dataset": read_table,
    "dataset's covariates": read_plain_table,
    "plain": read_parquet,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_small_file_that_would_take_the_memory_is_refused(bomb, reader):
    with pytest.raises(InputError, match=r"areas\.parquet: its table would take [\d,.]+ GB of memory") as error:
        READERS[reader](bomb)
    assert "\n" not in str(error.value)


def test_the_check_itself_takes_little_memory(bomb):
    code = (
        "import resource, sys; from geolive.table_files import read_parquet; from geolive.errors import InputError\n"
        "import pandas, pyarrow.parquet\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "try:\n    read_parquet(sys.argv[1])\nexcept InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(bomb)], capture_output=True, text=True, cwd=ROOT)
    assert "GB of memory" in done.stdout, done.stderr


def test_tables_of_the_usual_kind_pass(tmp_path):
    rows = 300_000
    table = pd.DataFrame(
        {
            "key": [f"{number:032x}" for number in range(rows)],
            "country": "ia",
            "path": [f"photos/of/a/long/name/{number % 7}.jpg" for number in range(rows)],
            "nothing": np.nan,
            "note": pd.Series([None] * (rows - 1) + ["a remark of some words " * 20], dtype=object),
        }
    )
    table.to_parquet(tmp_path / "a.parquet", compression="zstd", row_group_size=50_000)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), pd.read_parquet(tmp_path / "a.parquet"))
    table.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    check_expansion(tmp_path / "empty.parquet")


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_target_table(path),
        lambda path: read_area_table(path, "area"),
        read_proximity,
        lambda path: read_survey(path, values={"pov": "pov"}, lon="lon", lat="lat"),
    ],
    ids=["target", "areas", "proximity", "survey"],
)
def test_an_endless_line_is_refused_before_it_takes_memory(tmp_path, read):
    path = tmp_path / "areas.csv"
    path.write_bytes(b"area,estimate,lon,lat,pov\n" + b"9" * (3 * LONGEST_LINE) + b"\n")
    with pytest.raises(InputError, match=r"areas\.csv: line 2 has more than 1,048,576 characters"):
        read(path)


@pytest.mark.parametrize("text", ["id;y;v\n01;1.234,5;2\n02;-0,5;3\n", "id\ty\tv\n01\t1234.5\t2\n02\t-0.5\t3\n"])
def test_semicolons_tabs_and_decimal_commas(tmp_path, text):
    (tmp_path / "areas.csv").write_text(text)
    read = read_area_table(tmp_path / "areas.csv", "id")
    assert read.to_dict("list") == {"id": ["01", "02"], "y": [1234.5, -0.5], "v": [2, 3]}


def test_compressed_tables_are_not_expanded_by_their_names(tmp_path):
    path = tmp_path / "areas.csv.gz"
    path.write_bytes(gzip.compress(b"area,pov\n1,2\n"))
    with pytest.raises(InputError, match=r"cannot be read as a table"):
        read_area_table(path, "area")
    with pytest.raises(InputError, match="there is no such file"):
        read_csv("http://127.0.0.1:9/areas.csv")


def test_tables_of_users_are_read_through_one_door():
    allowed = {
        "geolive/table_files.py",
        "geolive/tables.py",  # the classes that are installed with geolive
        "geolive/official_statistics.py",  # the statistics that are installed with geolive
        "geolive/sources/paper/blocks.py",  # blocks of some megabytes
        "geolive/sources/paper/usual_blocks.py",  # the same
        "geolive/sources/image_tables/blocks.py",  # after check_expansion
        "geolive/sources/survey/tables.py",  # after check_expansion
        "geolive/mapping/vector_files.py",  # what geolive wrote itself
    }
    opens = re.compile(
        r"\b(?:pd|gpd|pandas|geopandas|parquet|pq|csv|arrow_csv)\.read_(?:csv|table|parquet|fwf)\(|ParquetFile\("
    )
    found = set()
    for path in (ROOT / "geolive").rglob("*.py"):
        lines = [line for line in path.read_text().split("\n") if not line.strip().startswith((">>>", "..."))]
        if any(opens.search(line) for line in lines):
            found.add(path.relative_to(ROOT).as_posix())
    assert found - allowed == set()


def test_one_comma_in_a_text_does_not_turn_decimal_points_into_thousands(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("name;rain;heat\n12,5;1.234;20.5\nb;2.345;21.25\n")
    table = read_csv(path)
    assert table["rain"].tolist() == [1.234, 2.345]
    assert table["name"].tolist() == ["12,5", "b"]
