"""A folder of photos becomes images, sequences and a list of what was left out; with a survey, images of its points."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geolive.covariate_tables import CovariateTables
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.places import sequences_of
from geolive.sources.photos.position_table import read_positions
from geolive.sources.photos.reader import read_photos
from geolive.sources.survey.reader import read_survey
from geolive.sources.survey_join import join_survey
from geolive.tables import lonlat
from tests.sources.photos.photofiles import gps_of, rational, with_xmp, write_photo

LUND = Path(__file__).parents[3] / "shared" / "data" / "lund"
METRE = 1 / 111_195  # degrees of latitude


@pytest.mark.skipif(not LUND.is_dir(), reason="the real photos are not here (../shared/data/lund)")
def test_the_walk_in_lund():
    walk = read_photos(LUND)
    assert walk.images["key"].tolist() == [f"{i:02d}.jpg" for i in range(1, 30)]
    assert walk.images["sequence_id"].nunique() in (1, 2)
    assert lonlat(walk.images.geometry)[0] == pytest.approx([13 + 11 / 60 + 43.4 / 3600, 55 + 41 / 60 + 53.4 / 3600])
    assert walk.images["captured_at"].isna().all()
    assert walk.rejects.empty
    assert not walk.simulated


@pytest.fixture
def folder(tmp_path):
    write_photo(tmp_path / "b" / "IMG_10.JPG", 85.2, 25.6, "2020:01:02 03:04:05", _17=rational(90))
    write_photo(tmp_path / "b" / "IMG_2.jpg", 85.1, 25.6)
    write_photo(tmp_path / "a.png", -70.0, -33.0)
    write_photo(tmp_path / "c.webp")
    write_photo(tmp_path / "d.jpeg", 0.0, 0.0)
    (tmp_path / "e.jpg").write_text("<html>sign in</html>")
    (tmp_path / "f.jpg").touch()
    (tmp_path / "g.tif").write_bytes(b"II*\0")
    (tmp_path / "h.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "notes.txt").write_text("not a photo")
    (tmp_path / "._a.png").write_bytes(b"what macOS leaves behind")
    write_photo(tmp_path / ".thumbnails" / "a.png", 1.0, 1.0)
    return tmp_path


def test_rows_and_rejects_are_all_photos(folder):
    found = read_photos(folder)
    assert found.images["key"].tolist() == ["a.png", "b/IMG_2.jpg", "b/IMG_10.JPG"]
    assert found.images["img_path"].tolist() == found.images["key"].tolist()
    assert all((Path(found.extra["photos_folder"]) / path).is_file() for path in found.images["img_path"])
    assert found.images["compass_angle"].tolist()[2] == 90
    assert found.images["captured_at"].tolist()[2] == pd.Timestamp("2020-01-02 03:04:05", tz="UTC")
    assert found.images["captured_at_zone"].tolist()[2] == "unknown"
    assert found.images["captured_at"].isna().tolist() == [True, True, False]
    assert found.images["unique_cluster"].isna().all()
    reasons = dict(zip(found.rejects["path"], found.rejects["reason"], strict=True))
    assert list(reasons) == ["c.webp", "d.jpeg", "e.jpg", "f.jpg", "g.tif", "h.HEIC"]
    assert reasons["c.webp"] == "no position: no EXIF"
    assert reasons["d.jpeg"] == "no position: 0, 0"
    assert reasons["e.jpg"].startswith("not an image")
    assert reasons["f.jpg"] == "empty file"
    assert "convert it to JPEG" in reasons["h.HEIC"]
    assert sorted({*found.rejects["row"]} | {1, 2, 3, 9}) == list(range(1, 10))


def test_a_dataset_of_photos_is_written_and_read_again(folder, tmp_path_factory):
    found = read_photos(folder)
    again = read_dataset(write_dataset(found, tmp_path_factory.mktemp("new") / "photos"))
    assert again.images["key"].tolist() == found.images["key"].tolist()
    assert again.images["captured_at"].equals(found.images["captured_at"])
    assert again.rejects["path"].tolist() == found.rejects["path"].tolist()
    assert again.clusters.empty
    assert again.indicators == []
    assert again.extra == found.extra


def test_keys_do_not_depend_on_where_the_folder_is(folder, tmp_path_factory):
    moved = tmp_path_factory.mktemp("elsewhere") / "photos"
    folder.rename(moved)
    folder.symlink_to(moved)
    assert read_photos(folder).images["key"].equals(read_photos(moved).images["key"])


def test_links_and_pipes(folder, tmp_path_factory):
    outside = write_photo(tmp_path_factory.mktemp("outside") / "secret.jpg", 1.0, 1.0)
    (folder / "z1.jpg").symlink_to(outside)
    (folder / "z2").symlink_to(outside.parent)
    (folder / "z3.jpg").symlink_to("a.png")
    (folder / "z4.jpg").symlink_to("nothing")
    (folder / "z5.jpg").symlink_to("z5.jpg")
    (folder / "z6.jpg").symlink_to(".thumbnails/a.png")
    (folder / "z7").symlink_to(folder)
    os.mkfifo(folder / "z8.jpg")
    (folder / "z9.jpg").mkdir()
    found = read_photos(folder)
    assert found.images["key"].tolist() == ["a.png", "b/IMG_2.jpg", "b/IMG_10.JPG", "z6.jpg"]
    reasons = dict(zip(found.rejects["path"], found.rejects["reason"], strict=True))
    assert reasons["z1.jpg"] == "a link that leads out of the folder"
    assert reasons["z2"] == reasons["z7"] == "a link to a folder; links to folders are not followed"
    assert reasons["z3.jpg"] == "a link to another photo of the folder"
    assert reasons["z4.jpg"] == reasons["z5.jpg"] == "a link to nothing"
    assert reasons["z8.jpg"] == "not a plain file"
    assert "z9.jpg" not in reasons


def test_names_that_are_no_text(folder, tmp_path_factory):
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes((folder / "a.png").read_bytes())
    except OSError:
        pytest.skip("this file system allows only names in UTF-8")
    found = read_photos(folder)
    assert "its name is not UTF-8; rename it" in found.rejects["reason"].tolist()
    write_dataset(found, tmp_path_factory.mktemp("new") / "photos")


def test_folders_without_photos(tmp_path):
    with pytest.raises(InputError, match="holds no photos"):
        read_photos(tmp_path)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    write_photo(tmp_path / "c.jpg")
    with pytest.raises(
        InputError, match=r"none of its 3 photos can be used: empty file \(2\); no position: no EXIF \(1\)"
    ):
        read_photos(tmp_path)
    with pytest.raises(InputError, match="is a file, not a folder"):
        read_photos(tmp_path / "a.jpg")


def sequences(tmp_path, photos, **gaps):
    """Photos as (name, metres north, time or None), and the sequence of each."""
    for name, metres, time in photos:
        write_photo(tmp_path / name, 85.1, 25.6 + metres * METRE, time)
    found = read_photos(tmp_path, **gaps).images.set_index("key")["sequence_id"]
    return [found[name] for name, _, _ in photos]


def test_a_pause_ends_a_sequence(tmp_path):
    a, b, c, d = sequences(tmp_path, [
        ("4.jpg", 0, "2020:01:02 10:00:00"), ("3.jpg", 5, "2020:01:02 10:01:59"),
        ("2.jpg", 10, "2020:01:02 10:04:00"), ("1.jpg", 15, "2020:01:02 10:05:00"),
    ])  # fmt: skip
    assert a == b != c == d


def test_a_long_way_ends_a_sequence(tmp_path):
    a, b, c = sequences(tmp_path, [("1.jpg", 0, None), ("2.jpg", 290, None), ("10.jpg", 600, None)])
    assert a == b != c


def test_gaps_can_be_chosen(tmp_path):
    photos = [("1.jpg", 0, None), ("2.jpg", 290, None), ("10.jpg", 600, None)]
    assert len(set(sequences(tmp_path, photos, gap_metres=1000))) == 1


def test_folders_and_clocks_of_unknown_zone_are_kept_apart(tmp_path):
    found = sequences(tmp_path, [("a/1.jpg", 0, None), ("b/1.jpg", 1, None), ("b/2.jpg", 2, "2020:01:02 10:00:00")])
    assert len(set(found)) == 3


@pytest.fixture
def survey(tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    path.write_text("x,y,country,wealth\n85.1,25.63,ia,1\n85.2,25.63,ia,2\n80,20,ia,3\n80,,ia,3\n")
    return read_survey(path, "x", "y", {"wealth": "wealth"}, drop_invalid=True)


def test_photos_join_a_survey(folder, survey, tmp_path_factory):
    joined = join_survey(read_photos(folder), survey)
    ones = [pd.DataFrame({"one": np.ones(len(table))}) for table in (survey.clusters, survey.images)]
    with_covariates = survey.with_covariates(CovariateTables(*ones, {"one": {"kind": "table"}}))
    assert join_survey(read_photos(folder), with_covariates).covariates is None
    assert joined.images["unique_cluster"].tolist()[1:] == ["row-1", "row-2"]
    assert pd.isna(joined.images["unique_cluster"][0])
    assert joined.images["country"].tolist() == ["", "ia", "ia"]
    assert joined.clusters["n_images"].tolist() == [1, 1, 0]
    assert joined.indicators == ["wealth"]
    assert joined.thresholds == survey.thresholds
    assert joined.clusters["wealth_label"].equals(survey.clusters["wealth_label"])
    assert np.array_equal(lonlat(joined.clusters.geometry), lonlat(survey.clusters.geometry))
    assert len(joined.rejects) == 7
    assert joined.rejects["path"].tolist()[-1] == ""
    again = read_dataset(write_dataset(joined, tmp_path_factory.mktemp("new") / "joined"))
    assert again.clusters["n_images"].tolist() == [1, 1, 0]
    assert again.extra["join_radius_km"] == 5.0


def test_surveys_that_photos_cannot_join(folder, survey, small_sample):
    photos = read_photos(folder)
    with pytest.raises(InputError, match="already has images"):
        join_survey(photos, small_sample.dataset)
    with pytest.raises(InputError, match="has no survey points"):
        join_survey(photos, replace(photos, images=photos.images[:0]))
    with pytest.raises(InputError, match="does not say which points are urban"):
        join_survey(photos, survey, {"urban": 2.0, "rural": 5.0})


def test_panoramas_and_other_files(tmp_path):
    write_photo(tmp_path / "a.jpg", 85.1, 25.6)
    (tmp_path / "a.jpg").rename(tmp_path / "a.jfif")
    packet = 'GPano:ProjectionType="equirectangular"'
    for name, size in (("pano.jpg", (64, 32)), ("flat.jpg", (64, 48))):
        (tmp_path / name).write_bytes(with_xmp(".jpg", packet, size=size, gps=gps_of(85.1, 25.6)))
    for name in ("clip.MP4", "notes.txt", "track.mp4"):
        (tmp_path / name).write_text("x")
    found = read_photos(tmp_path)
    assert dict(zip(found.images["key"], found.images["is_pano"], strict=True)) == {
        "a.jfif": False, "flat.jpg": False, "pano.jpg": True,
    }  # fmt: skip
    assert found.extra["other_files"] == {".mp4": 2, ".txt": 1}
    without = read_photos(tmp_path, leave_out_panoramas=True)
    assert without.images["key"].tolist() == ["a.jfif", "flat.jpg"]
    assert without.rejects[["path", "reason"]].values.tolist() == [["pano.jpg", "a panorama"]]
    assert "--leave-out-panoramas" in without.command


def test_photos_of_one_second_stay_in_their_numeric_order(tmp_path):
    for i in (10, 2, 1):
        write_photo(tmp_path / f"IMG_{i}.jpg", 85.1 + i / 1e5, 25.6, "2020:01:02 03:04:05")
    images = read_photos(tmp_path).images
    assert images["key"].tolist() == ["IMG_1.jpg", "IMG_2.jpg", "IMG_10.jpg"]
    assert images["sequence_id"].nunique() == 1
    ranks = sequences_of(images.sample(frac=1, random_state=0))
    assert ranks[:, 1][np.argsort(images.sample(frac=1, random_state=0).index)].tolist() == [0, 1, 2]


def test_positions_from_a_table(tmp_path):
    folder = tmp_path / "photos"
    for name in ("a/1.jpg", "2.jpg", "3.jpg"):
        write_photo(folder / name, 1.0, 1.0)  # the table's positions count, not these
    path = tmp_path / "images.csv"
    rows = [
        "id,x,y,when,seq,by",
        "1,85.1,25.6,2020-01-02T03:04:05+01:00,s1,Ann",
        "2,85.2,25.6,1577934245000,s1,",
        "9,85,25,,,",
    ]
    path.write_text("\n".join([*rows, "8,0,0,,,"]))
    positions = read_positions(path, "id", "x", "y", captured_at="when", sequence="seq", creator="by")
    found = read_photos(folder, positions=positions)
    assert found.images["key"].tolist() == ["2.jpg", "a/1.jpg"]
    assert lonlat(found.images.geometry).tolist() == [[85.2, 25.6], [85.1, 25.6]]
    assert found.images["captured_at"].tolist() == [
        pd.Timestamp("2020-01-02 03:04:05", tz="UTC"), pd.Timestamp("2020-01-02 02:04:05", tz="UTC"),
    ]  # fmt: skip
    assert found.images["sequence_id"].tolist() == ["s1", "s1"]
    assert found.images["creator"].tolist()[1] == "Ann"
    rejects = set(map(tuple, found.rejects[["row", "path", "reason"]].values))
    assert rejects == {
        (2, "3.jpg", "not in the table of positions"),
        (4, "9", "without a photo in the folder"),
        (5, "8", "not located: the position is 0, 0"),
    }
    again = read_dataset(write_dataset(found, tmp_path / "dataset"))
    assert again.images["key"].tolist() == found.images["key"].tolist()
    path.write_text("id,x,y\n1,,\n")
    with pytest.raises(InputError, match="line 2, column 'x': missing coordinate, nor can any other row"):
        read_positions(path, "id", "x", "y")


def test_a_name_of_several_photos_places_none_of_them(tmp_path):
    folder, path = tmp_path / "photos", tmp_path / "images.csv"
    for name in ("1.jpg", "sub/1.jpg", "sub/2.jpg", "3.jpg", "3.png"):
        write_photo(folder / name, 1.0, 1.0)

    def found(*rows):
        path.write_text("\n".join(["id,x,y", *rows]))
        photos = read_photos(folder, positions=read_positions(path, "id", "x", "y"))
        at = dict(zip(photos.images["key"], photos.images.geometry.x, strict=True))
        return at, photos.rejects[photos.rejects["reason"].str.contains("give the path")]["path"].tolist()

    assert found("1.jpg,85,25", "2.jpg,86,25", "3,87,25") == (
        {"sub/2.jpg": 86.0},
        ["1.jpg", "3.jpg", "3.png", "sub/1.jpg"],
    )
    # paths tell them apart, also where not all photos are in the table
    assert found("1.jpg,85,25", "sub/1.jpg,86,25") == ({"1.jpg": 85.0, "sub/1.jpg": 86.0}, [])
    assert found("1.jpg,85,25", "sub/2.jpg,86,25") == ({"1.jpg": 85.0, "sub/2.jpg": 86.0}, ["sub/1.jpg"])


def test_each_photo_is_left_out_once_with_its_reason(tmp_path):
    folder, path = tmp_path / "photos", tmp_path / "images.csv"
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        write_photo(folder / name, 1.0, 1.0)
    (folder / "4.heic").write_bytes(b"")
    (folder / "5.jpg").write_bytes(b"no photo")
    path.write_text("id,x,y\n1,85,25\n2,500,25\n4,85,25\n5,85,25\n9,85,25\n8,85,99\n1,86,25")
    rejects = read_photos(folder, positions=read_positions(path, "id", "x", "y")).rejects
    of_photos = rejects[rejects["kind"] == "photo"].set_index("path")["reason"].to_dict()
    assert list(of_photos) == ["2.jpg", "3.jpg", "4.heic", "5.jpg"]
    assert "column 'x': out of range" in of_photos["2.jpg"]
    assert of_photos["3.jpg"] == "not in the table of positions"
    assert "a kind that is not read" in of_photos["4.heic"]
    assert "not an image" in of_photos["5.jpg"]
    of_table = rejects[rejects["kind"] == "table row"]
    assert of_table[["row", "path"]].values.tolist() == [[7, "8"], [8, "1"], [6, "9"]]
