import csv
import stat

import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.files import cache_folder, checksum, new_folder, replacing, today, write_csv


class Broken(Exception):
    pass


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with pytest.raises(Broken), replacing(target) as temporary:
        temporary.write_text("half")
        raise Broken
    assert list(target.parent.iterdir()) == []
    with replacing(target) as temporary:
        temporary.write_text("old")
    with pytest.raises(Broken), replacing(target) as temporary:
        temporary.write_text("half")
        raise Broken
    assert target.read_text() == "old"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_written_files_and_folders_have_the_users_usual_permissions(tmp_path, monkeypatch):
    def changed(mask):
        raise AssertionError("the umask belongs to all threads of the process")

    monkeypatch.setattr("os.umask", changed)
    (tmp_path / "usual").touch()
    (tmp_path / "usual_folder").mkdir()
    with replacing(tmp_path / "ours") as temporary:
        temporary.touch()
    with new_folder(tmp_path / "our_folder") as temporary:
        (temporary / "a").touch()

    def mode(name):
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert mode("ours") == mode("our_folder/a") == mode("usual")
    assert mode("our_folder") == mode("usual_folder")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"), new_folder(tmp_path):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new"
    with pytest.raises(Broken), new_folder(target) as temporary:
        (temporary / "half").touch()
        raise Broken
    assert list(tmp_path.iterdir()) == []
    target.mkdir()
    with new_folder(target) as temporary:
        (temporary / "whole").touch()
    assert [p.name for p in target.iterdir()] == ["whole"]


def test_a_place_that_cannot_hold_files_is_named(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="cannot be written"),
        replacing(tmp_path / "file" / "a.txt"),
    ):
        pass
    with pytest.raises(InputError, match="is a folder"), replacing(tmp_path):
        pass


def test_dates_follow_source_date_epoch(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert today().isoformat() == "2023-11-14"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(InputError, match="whole number of seconds"):
        today()


def test_checksum_and_cache_folder(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum(tmp_path / "a").startswith("ba7816bf")
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_no_cell_of_a_csv_runs_in_a_spreadsheet(tmp_path):
    names = ["=cmd()", "+1", "-1", "@a", "\tb", "Patna", None]
    table = pd.DataFrame({"district": names, "=head": pd.array(names, "str"), "pov": [-0.5] * 7, "kept": [True] * 7})
    write_csv(table.set_index(pd.Index(names, name="=id")), tmp_path / "a.csv", index=True)
    rows = list(csv.reader((tmp_path / "a.csv").open(newline="")))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@", "\t", "-1"))]
    assert rows[1][-2:] == ["-0.5", "True"]
    assert rows[6][:2] == ["Patna", "Patna"]
    assert table["district"].tolist()[:6] == names[:6]
