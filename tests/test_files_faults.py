"""Places where a folder or file is asked for: mount points, links, full disks, read-only disks, races, killed processes."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.files import check_new_folder, new_folder, place_folder, replacing, replacing_together, work_folder
from geolive.npy_file import NpyFile
from tests.commands import ROOT
from tests.crash_points import Server
from tests.small_disk import small_disk


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_mount_point_is_filled_in_place(tmp_path):
    disk = tmp_path / "out"
    with small_disk(disk, "1m"):
        for attempt in ("stopped", "finished"):
            with contextlib.suppress(KeyboardInterrupt), new_folder(disk) as folder:
                assert folder.parent == disk
                (folder / "dataset.json").write_text("{}")
                (folder / "features").mkdir()
                if attempt == "stopped":
                    raise KeyboardInterrupt
        assert names(disk) == ["dataset.json", "features"]
        with pytest.raises(InputError, match="exists already"):
            check_new_folder(disk)


def test_the_current_folder_stays_the_folder_that_the_shell_stands_in(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    inode = here.stat().st_ino
    with new_folder(".") as folder:
        (folder / "a").touch()
    assert here.stat().st_ino == inode
    assert names(here) == ["a"]
    assert names(tmp_path) == ["here"]


def test_links_are_decided_before_the_work(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nothing")
    with new_folder(tmp_path / "link") as folder:
        (folder / "a").touch()
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "empty") == ["a"]
    with pytest.raises(InputError, match="is a link to nothing, which does not exist"):
        check_new_folder(tmp_path / "dangling")
    assert names(tmp_path) == ["dangling", "empty", "link"]


def test_a_read_only_disk_is_noticed_before_the_work(tmp_path):
    with small_disk(tmp_path / "disk", "1m", read_only=True) as disk:
        for out in (disk, disk / "new", disk / "deep" / "new"):
            with pytest.raises(InputError, match="is not writable"):
                check_new_folder(out)


def test_one_of_two_processes_wins_and_the_other_says_so(tmp_path):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from geolive.files import new_folder; from geolive.errors import InputError\n"
        "for i in range(60):\n"
        "    out = Path(sys.argv[1]) / str(i); out.mkdir(exist_ok=True) if i % 2 else None\n"
        "    try:\n"
        "        with new_folder(out) as folder:\n"
        "            (folder / 'a').write_text(sys.argv[2]); time.sleep(0.001)\n"
        "        print('won', i)\n"
        "    except InputError as error:\n"
        "        assert 'geolive overwrites nothing' in str(error), error\n"
        "        print('lost', i)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for who in "ab"
    ]
    said = [one.communicate(timeout=120)[0].split("\n") for one in running]
    assert [one.returncode for one in running] == [0, 0]
    won = [line for lines in said for line in lines if line.startswith("won")]
    assert sorted(won) == sorted({f"won {i}" for i in range(60)})
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_folder_that_another_made_in_the_meantime_is_not_replaced(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs").touch()
    with pytest.raises(InputError, match="exists already"):
        place_folder(tmp_path / "ours", tmp_path / "out")
    assert names(tmp_path / "out") == ["theirs"]


def test_what_a_killed_process_left_goes_with_the_next_run(tmp_path):
    code = (
        "import sys, time; from geolive.files import new_folder\n"
        "with new_folder(sys.argv[1]) as folder:\n"
        "    (folder / 'half').touch(); print('ready', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as killed,
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as alive,
    ):
        killed.stdout.readline(), alive.stdout.readline()
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(names(tmp_path)) == 2
        with new_folder(tmp_path / "other") as folder:
            (folder / "whole").touch()
        # that of the process that still runs stays
        assert len([name for name in names(tmp_path) if name.startswith(".")]) == 1
        alive.kill()


def test_old_temporary_files_go_and_new_and_foreign_ones_stay(tmp_path):
    old, new, foreign = (
        tmp_path / f".{name}" for name in ("geolive-0a1b2c-0123456789ab.html", "x", "cache-0123456789ab")
    )
    with replacing(tmp_path / "deep" / "page.html") as temporary:
        new = tmp_path / temporary.name
    for file in (old, new, foreign):
        file.touch()
    for file in (old, foreign):
        os.utime(file, (time.time() - 10**6,) * 2)
    with replacing(tmp_path / "page.html"):
        pass
    assert names(tmp_path) == sorted(["deep", "page.html", new.name, foreign.name])


def test_a_full_disk_is_named_with_the_bytes_needed(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        with pytest.raises(InputError, match=r"disk: the disk is full \(8,000,000 bytes are needed\)"):
            NpyFile(disk / "array.npy", (1000, 2000), np.float32)
        assert names(disk) == []
        with pytest.raises(InputError, match="disk: the disk is full"), new_folder(disk / "new") as folder:
            (folder / "large").write_bytes(bytes(2 << 20))
        with pytest.raises(InputError, match="disk: the disk is full"), replacing(disk / "large") as file:
            file.write_bytes(bytes(2 << 20))
        assert names(disk) == []


def test_files_of_one_run_appear_together_or_not_at_all(tmp_path, monkeypatch):
    page, surface = tmp_path / "pov.html", tmp_path / "pov.tif"
    page.write_text("old"), surface.write_text("old")
    replace, left = Path.replace, [0]

    def replace_until_full(self, target):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_until_full)
    for failing in range(1, 5):
        left[0] = failing
        with pytest.raises(InputError, match="the disk is full"), replacing_together([page, surface]) as files:
            for file in files.values():
                file.write_text("new")
        assert {page.read_text(), surface.read_text()} == {"old"}
        assert names(tmp_path) == ["pov.html", "pov.tif"]
    with replacing_together([page, surface]) as files:
        for file in files.values():
            file.write_text("new")
    assert {page.read_text(), surface.read_text()} == {"new"}
    assert names(tmp_path) == ["pov.html", "pov.tif"]


def write_three(folder):
    """Write the files of one run, new ones in the places of former ones."""
    with replacing_together([Path(folder) / f"pov.{suffix}" for suffix in ("html", "csv", "tif")]) as files:
        for file in files.values():
            file.write_text("new")


def test_killed_between_the_files_of_one_run_no_new_file_is_beside_a_former_one(tmp_path):
    own = tmp_path / "maps"
    words = ["tests.test_files_faults:write_three", own]

    def fresh():
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        for suffix in ("html", "csv", "tif"):
            (own / f"pov.{suffix}").write_text("former")

    with Server(own, ["tests.test_files_faults"]) as server:
        fresh()
        code, n_changes = server.run(*words)
        assert (code, n_changes > 9) == (0, True)
        seen = set()
        for moment in range(1, n_changes + 1):
            fresh()
            assert server.run(*words, step=moment)[0] == -9
            texts = {path.name: path.read_text() for path in own.iterdir() if not path.name.startswith(".")}
            assert len(set(texts.values())) <= 1, (moment, texts)
            seen.add((len(texts), *set(texts.values())))
            assert server.run(*words)[0] == 0
            texts = {path.name: path.read_text() for path in own.iterdir() if not path.name.startswith(".")}
            assert texts == {"pov.csv": "new", "pov.html": "new", "pov.tif": "new"}, moment
    assert {(3, "former"), (3, "new"), (1, "new")} <= seen


def test_work_folders_are_on_the_disk_of_the_result(tmp_path):
    with small_disk(tmp_path / "disk", "1m") as disk:
        assert work_folder(disk, "training").parent == disk
        work_folder(disk, "training").mkdir()
        check_new_folder(disk)
    assert work_folder(tmp_path / "out", "rows") == tmp_path / ".out.rows"
    shutil.rmtree(tmp_path / "disk")


def test_weights_have_the_usual_permissions(tmp_path):
    import torch

    from geolive.models.network_weights import write_tensors

    (tmp_path / "usual").touch()
    write_tensors({"a": torch.ones(2)}, tmp_path)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1
