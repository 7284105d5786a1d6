"""Feature sets under faults: several processes, a full disk, damaged unfinished work, files that the dataset does not list."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError, RestartWarning
from geolive.feature_sets import add_features
from geolive.simulation.sample import simulate
from geolive.vision.resumable_array import GrowingArray
from tests.commands import ROOT
from tests.small_disk import small_disk


@pytest.fixture
def folder(tmp_path):
    made = simulate("goa", seed=1, n_clusters=12, n_sites=3, most_images=2).dataset
    return write_dataset(made, tmp_path / "goa")


def test_processes_that_add_feature_sets_at_once_lose_none(folder):
    code = (
        "import sys, numpy as np; from geolive.feature_sets import add_features\n"
        "for i in range(8):\n"
        "    add_features(sys.argv[1], f'{sys.argv[2]}{i}', [(np.array([0]), np.ones((1, 2)))], {})\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(folder), who], cwd=ROOT) for who in "abc"]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    assert set(read_dataset(folder).features) == {"objects"} | {f"{who}{i}" for who in "abc" for i in range(8)}


def test_a_full_disk_is_an_error_and_no_signal(tmp_path):
    # a memory map of a file without space would end the process with SIGBUS
    code = (
        "import sys, numpy as np; from pathlib import Path; from geolive.errors import InputError\n"
        "from geolive.vision.resumable_array import GrowingArray\n"
        "try:\n"
        "    with GrowingArray(Path(sys.argv[1]) / '.work', (1000, 1000), 'float32', {}) as array:\n"
        "        array.add(np.ones((1000, 1000), np.float32), {})\n"
        "except InputError as error:\n"
        "    print(error)\n"
    )
    with small_disk(tmp_path / "disk", "1m") as disk:
        done = subprocess.run([sys.executable, "-c", code, str(disk)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done
    assert "disk/.work: the disk is full (4,000,000 bytes are needed)" in done.stdout


def test_adding_features_on_a_full_disk_leaves_the_dataset_as_it_was(tmp_path):
    made = simulate("goa", seed=1, n_clusters=12, n_sites=3, most_images=2).dataset
    with small_disk(tmp_path / "disk", "1m") as disk:
        folder = write_dataset(made, disk / "goa")
        before = sorted(folder.rglob("*"))
        blocks = [(np.arange(len(made.images)), np.ones((len(made.images), 40_000)))]
        with pytest.raises(InputError, match="the disk is full"):
            add_features(folder, "wide", blocks, {})
        assert sorted(folder.rglob("*")) == before
        assert list(read_dataset(folder).features) == ["objects"]


@pytest.mark.parametrize("file", ["array.npy", "progress.json"])
@pytest.mark.parametrize("damage", ["cut", "other", "flipped", "gone"])
def test_damaged_unfinished_work_is_done_again_with_a_note(tmp_path, file, damage):
    work = tmp_path / ".work"
    with GrowingArray(work, (4, 2), "float32", {"model": "a"}) as array:
        array.add(np.ones((2, 2)), {})
    if damage == "gone":
        (work / file).unlink()
    else:
        content = (work / file).read_bytes()
        # a digit of the checksum, or a byte of the first row
        at = content.index(b'"crc32": ') + len(b'"crc32": ') if file == "progress.json" else 130
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        (work / file).write_bytes({"cut": content[:-5], "other": b"x" * len(content), "flipped": flipped}[damage])
    if (file, damage) == ("progress.json", "gone"):  # as if nothing had been saved
        with GrowingArray(work, (4, 2), "float32", {"model": "a"}) as array:
            assert array.done == 0
        return
    with pytest.warns(RestartWarning, match="done again"):
        array = GrowingArray(work, (4, 2), "float32", {"model": "a"})
    with array:
        assert array.done == 0
        array.add(np.full((4, 2), 7), {})
    assert (np.load(work / "array.npy") == 7).all()


def test_files_that_a_dataset_does_not_list_are_not_read(folder):
    missing = add_features(folder, "two", [(np.arange(3), np.ones((3, 2)))], {})
    assert len(missing) > 0
    made = read_dataset(folder)
    pd.DataFrame({"key": made.images["key"]}).to_parquet(folder / "features" / "objects.missing.parquet")
    assert read_dataset(folder).has_features("objects").all()
    facts = (folder / "dataset.json").read_text()
    for name in ("images.parquet", "features/two.npy", "site_of_image.npy"):
        lines = [line for line in facts.splitlines() if f'"{name}":' not in line]
        assert len(lines) == len(facts.splitlines()) - 1
        text = "\n".join(lines).replace(",\n }", "\n }")
        (folder / "dataset.json").write_text(text)
        with pytest.raises(InputError, match=f"does not list the file {name}"):
            read_dataset(folder)
