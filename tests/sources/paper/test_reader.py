"""The paper's table from file to dataset. test_rows.py has the single lines."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.regions import assign_districts, read_districts
from geolive.sources.paper import lines as paper_lines
from geolive.sources.paper import table as paper_table
from geolive.sources.paper.reader import read_paper
from geolive.tables import points
from tests.sources.paper.papertable import row, text, write


def read(path, **options):
    return read_paper(path, path.parent, **options)[0]


def rejects(dataset):
    return list(dataset.rejects.itertuples(index=False, name=None))


def test_rows_become_images_and_clusters(tmp_path):
    rows = [row("a"), row("b", ilon=85.3, objects=(10, 10)), row("c", "ia_330002", lon=80.0, pov=1.5, pov_label=1)]
    path = write(tmp_path, rows, train=["ia_50001"], val=["ia_330002"])
    dataset = read_dataset(write_dataset(read(path), tmp_path / "out"))
    assert dataset.images[["key", "country", "unique_cluster"]].values.tolist() == [
        ["a", "ia", "ia_50001"],
        ["b", "ia", "ia_50001"],
        ["c", "ia", "ia_330002"],
    ]
    assert dataset.images.geometry.x.tolist() == [85.1, 85.3, 85.1]
    clusters = dataset.clusters.set_index("unique_cluster")
    assert clusters["state"].to_dict() == {"ia_50001": "Bihar", "ia_330002": "Uttar Pradesh"}
    assert clusters["n_images"].tolist() == [2, 1]
    assert clusters["split"].tolist() == ["train", "val"]
    assert clusters[["pov", "pov_label", "bmi"]].values.tolist() == [[-0.5, 0, 20.25], [1.5, 1, 20.25]]
    assert clusters.geometry.x.tolist() == [85.0, 80.0]
    objects = dataset.features["objects"]
    assert (objects.dtype, objects.shape) == (np.uint16, (3, 66))
    assert {int(i): int(objects[0, i]) for i in np.flatnonzero(objects[0])} == {2: 1, 10: 1, 65: 1}
    assert objects[1, 10] == 2
    assert dataset.extra["class_names"] == {"2": "Guard Rail", "10": "Road", "255": "Void"}
    assert not dataset.simulated


def test_without_the_optional_columns_and_with_an_index_column(tmp_path):
    columns = ["", *[name for name in row() if name not in ("country", "lon", "lat")]]
    rows = [row("a") | {"": 0}, row("b", ilon=85.3) | {"": 1}]
    dataset = read(write(tmp_path, rows, columns=columns))
    assert dataset.clusters.geometry.x.tolist() == [pytest.approx(85.2)]
    assert dataset.images["country"].tolist() == ["ia", "ia"]


def test_indian_clusters_know_their_district(tmp_path):
    rows = [row("a"), row("b", "ia_50002", lon=84.5, lat=27.45), row("c", "ia_50003", lon=70.0, lat=10.0)]
    rows.append(row("d", "ke_1", bmi=0, bmi_label=0))
    districts = read(write(tmp_path, rows)).clusters.set_index("unique_cluster")["district_id"]
    # in Bihar; north of the border by less than a survey displaces its points; at sea; another country
    assert districts["ia_50001"] == assign_districts(points([85.0], [25.5]), read_districts())[0]
    assert districts["ia_50002"] == "203"
    assert districts[["ia_50003", "ke_1"]].isna().all()


def test_a_repeated_key_is_found(tmp_path):
    assert rejects(read(write(tmp_path / "same", [row("a"), row("b"), row("a")]))) == [(4, "key: repeated")]
    assert rejects(read(write(tmp_path / "different", [row("a"), row("b"), row("c")]))) == []


def test_image_paths_are_kept(tmp_path):
    rows = [
        row("a") | {"img_path": "x/a.jpg", "img_path_224x224": "y"},
        row("b") | {"img_path": "", "img_path_224x224": ""},
    ]
    images = read(write(tmp_path, rows)).images
    assert images["img_path"].tolist() == ["x/a.jpg", ""]
    assert "img_path_224x224" not in images


def test_every_row_is_kept_or_rejected_with_its_line(tmp_path):
    path = write(tmp_path, [row("a"), row("b", ilon=999), row("c", features="[1,"), row("a"), row("d")])
    path.write_bytes(path.read_bytes() + b"\n\xff\xfe,oops\r\n" + b'"half a row')
    dataset = read(path)
    assert rejects(dataset) == [
        (3, "ilon, ilat: out of range"),
        (4, "features: bad JSON"),
        (5, "key: repeated"),
        (8, "line: not UTF-8"),
        (9, "line: quotes do not match, or a field is too long"),
    ]
    assert dataset.images["key"].tolist() == ["a", "d"]
    assert dataset.extra["rows"]["read"] == 7 == dataset.extra["rows"]["kept"] + len(dataset.rejects)
    with pytest.raises(InputError, match=r"5 of 7 rows cannot be used, the first in line 3: .*leave out strict=True"):
        read(path, strict=True)


def test_a_line_break_in_quotes_spoils_its_own_row_only(tmp_path):
    dataset = read(write(tmp_path, [row("a"), row("b", confidence="[0.1,\n0.2, 0.3]"), row("c")]))
    assert dataset.images["key"].tolist() == ["a", "c"]
    assert [line for line, _ in rejects(dataset)] == [3, 4]


def test_what_most_rows_say_of_a_cluster_holds(tmp_path):
    rows = [row("a", pov=9), row("b"), row("c"), row("d", "ia_50002", pov=1), row("e", "ia_50002", pov=2)]
    dataset = read(write(tmp_path, rows))
    assert rejects(dataset) == [(line, "unique_cluster: two values for one cluster") for line in (2, 6)]
    assert dataset.clusters["pov"].tolist() == [-0.5, 1]
    assert dataset.images["key"].tolist() == ["b", "c", "d"]


def test_the_same_value_written_differently_is_the_same(tmp_path):
    assert rejects(read(write(tmp_path, [row("a", pov=-0.5), row("b", pov="-0.50")]))) == []


def test_kenya_alone_has_no_bmi_and_both_countries_have_it_for_india(tmp_path):
    kenya = row("k", "ke_12", bmi=0, bmi_label=0, ilon=36.8, ilat=-1.3, lon=36.8, lat=-1.3)
    alone = read(write(tmp_path / "ke", [kenya]))
    assert alone.indicators == ["pov", "pop"]
    assert "bmi" not in alone.clusters
    both = read(write(tmp_path / "both", [row("a"), kenya]))
    assert both.clusters["bmi"].isna().tolist() == [False, True]
    assert both.clusters["bmi_label"].isna().tolist() == [False, True]
    assert both.thresholds["bmi"] == 20.25


def test_labels_are_as_delivered_and_checked_against_the_median(tmp_path):
    rows = [
        row(key, f"ia_5000{i}", pov=i, pov_label=label)
        for i, (key, label) in enumerate(zip("abcd", (0, 1, 0, ""), strict=True))
    ]
    dataset = read(write(tmp_path, rows))
    assert dataset.clusters["pov_label"].tolist() == [0, 1, 0, 1]
    assert dataset.thresholds["pov"] == 1.5
    assert dataset.extra["labels_off_median"]["pov"] == 2


def test_split_lists_are_matched_by_country_and_both_sides_listed(tmp_path):
    path = write(tmp_path, [row("a"), row("b", "ia_50009")], train=["ia_50001", "", " ia_50001 "], val=["ia_50003"])
    (tmp_path / "train_clusters_ke.txt").write_text("ke_1\r\n")
    dataset, unmatched = read_paper(path, tmp_path)
    assert dataset.clusters["split"].tolist() == ["train", None]
    assert sorted(unmatched[["unique_cluster", "where"]].itertuples(index=False, name=None)) == [
        ("ia_50003", "only in a list"),
        ("ia_50009", "only in the table"),
        ("ke_1", "only in a list"),
    ]
    assert dataset.extra["split_lists"] == {"matched": 1, "only in a list": 2, "only in the table": 1}


def test_a_cluster_in_two_lists_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"'ia_50001' is also in train_clusters_ia\.txt"):
        read(write(tmp_path, [row()], val=["ia_50001"]))


def test_a_keys_prefix_says_simulated_after_any_cut(tmp_path):
    assert read(write(tmp_path, [row("simulated-1")])).simulated


def compressed(path, how):
    if how == "gz":
        data = path.read_bytes()
        path.with_suffix(".gz").write_bytes(gzip.compress(data[:100]) + gzip.compress(data[100:]))
    else:
        with pa.CompressedOutputStream(str(path.with_suffix(".zst")), "zstd") as file:
            file.write(path.read_bytes())
    return path.with_suffix({"gz": ".gz", "zst": ".zst"}[how])


@pytest.mark.parametrize("how", ["gz", "zst"])
def test_compressed_tables_are_the_same(tmp_path, how):
    path = write(tmp_path, [row(f"k{i}") for i in range(300)])
    small = compressed(path, how)
    assert read(small).images.equals(read(path).images)
    small.write_bytes(small.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"damaged or cut short|cannot be read"):
        read(small)


def test_many_blocks_are_as_one(tmp_path, monkeypatch):
    rows = [row(f"k{i}", f"ia_5{i // 9:04d}", objects=(2, 10)[: i % 3], ilon=80 + i / 50) for i in range(400)]
    path = write(tmp_path, rows)
    path.write_bytes(path.read_bytes().replace(b"k7,", b"k7;"))
    whole = read(path)
    monkeypatch.setattr(paper_lines, "BLOCK", 3000)
    parted = read(path)
    assert len(whole.images) == 399
    assert parted.images.equals(whole.images)
    assert parted.clusters.equals(whole.clusters)
    assert np.array_equal(parted.features["objects"], whole.features["objects"])
    assert rejects(parted) == rejects(whole) == [(9, "line: wrong number of fields")]


@pytest.mark.parametrize("damaged", [0, 50, 199])
def test_a_damaged_name_of_a_class_costs_its_row_only(tmp_path, monkeypatch, damaged):
    rows = [
        row(f"k{i}", features_name=["Guard Rail", "Ro\x1bad" if i == damaged else "Road", "Void"]) for i in range(200)
    ]
    path = write(tmp_path, rows)
    monkeypatch.setattr(paper_lines, "BLOCK", 3000)
    dataset = read(path)
    assert rejects(dataset) == [(damaged + 2, "features_name: a class has another name than in most rows")]
    assert len(dataset.images) == len(dataset.features["objects"]) == 199
    assert f"k{damaged}" not in set(dataset.images["key"])
    assert dataset.extra["class_names"]["10"] == "Road"
    with pytest.raises(InputError, match="1 of 200 rows cannot be used"):
        read(path, strict=True)


def test_a_small_file_that_expands_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(paper_lines, "ANY_EXPANSION", 1 << 20)
    path = write(tmp_path, [row("a")])
    header = path.read_bytes().splitlines()[0] + b"\n"
    for name, compress in (
        ("a.csv.gz", gzip.compress),
        ("a.csv.zst", lambda data: pa.compress(data, "zstd", asbytes=True)),
    ):
        bomb = path.with_name(name)
        bomb.write_bytes(compress(header + b"nonsense\n" * 10**6))
        with pytest.raises(InputError, match="expands more than 100 times, so it is not a table"):
            read(bomb)


def test_rows_that_cannot_be_used_take_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(paper_table, "MOST_REJECTS", 1000)
    path = write(tmp_path, [row(f"k{i}") for i in range(10)])
    with path.open("a") as file:
        file.writelines(f"nonsense {i}\n" for i in range(500_000))
    with pytest.raises(
        InputError, match=r"of the first [\d,]+ rows cannot be used, the first in line 12 \(line: wrong"
    ):
        read(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"key,ilon\n", "no column 'unique_cluster'"),
        (b"\x00\x01\x02", "is not a text file"),
        (text([row()]).splitlines()[0].encode(), "has a header but no row"),
        (text([row(ilat=99)]).encode(), "1 of 1 rows cannot be used"),
    ],
)
def test_a_file_that_is_no_table_is_an_error(tmp_path, content, words):
    path = write(tmp_path, [row()])
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read(path)


def test_a_byte_order_mark_windows_line_ends_and_quotes_everywhere(tmp_path):
    rows = [row("a"), row("b")]
    plain = read(write(tmp_path, rows))
    path = write(tmp_path / "other", rows, quoting=csv.QUOTE_ALL)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    other = read(path)
    assert other.rejects.empty
    assert other.images.equals(plain.images)


def test_lines_too_long_to_hold_are_rejected(tmp_path, monkeypatch):
    path = write(tmp_path, [row("a"), row("b")])
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + b"x" * 5_000_000 + b"\n" + rest)
    monkeypatch.setattr(paper_lines, "BLOCK", 100_000)
    dataset = read(path)
    assert rejects(dataset) == [(2, "line: too long")]
    assert isinstance(dataset.rejects, pd.DataFrame)
    assert dataset.images["key"].tolist() == ["a", "b"]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero here")
def test_a_file_without_an_end_is_refused(tmp_path):
    (tmp_path / "train_clusters_ia.txt").write_text("ia_50001")
    with pytest.raises(InputError, match="has a line of more than 1 GB, so it is not a table"):
        read_paper("/dev/zero", tmp_path)
