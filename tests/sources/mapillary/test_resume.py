"""Killed (SIGKILL) at any moment and started again, a fetch ends with the same files as one that nothing disturbed."""

import multiprocessing
import os
import signal
import sys

import numpy as np
import pytest

from geolive.sources.imagery.fetch import fetch_folder
from tests.sources.mapillary.fetching import contents, fetch_box
from tests.sources.mapillary.server import FakeMapillary, fake_images

IMAGES = fake_images(30, seed=1)
# a process that has imported all there is, from which others are forked in no time
START = multiprocessing.get_context("forkserver")
START.set_forkserver_preload(["tests.sources.mapillary.fetching", "geolive.sources.imagery.fetch", "PIL.Image"])
# what changes files, as the interpreter reports it
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp"}


class Address:
    """The server's addresses, for another process."""

    def __init__(self, server):
        self.graph, self.tiles = server.graph, server.tiles


def run(address, out, pipe, die_at_write):
    """Fetch; with `die_at_write`, kill this process before that change of files."""
    writes, last_photo = 0, 0

    def watch(event, arguments):
        nonlocal writes, last_photo
        if event in WRITES or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
            writes += 1
            if writes == die_at_write:
                os.kill(os.getpid(), signal.SIGKILL)
            if event == "os.rename" and str(arguments[1]).endswith(".jpg"):
                last_photo = writes

    sys.addaudithook(watch)
    fetch_box(address, out)
    pipe.send((writes, last_photo))


def fetch_in_a_process(server, out, die_at_request=None, die_at_write=None):
    """Exit code (−9: killed), and number of writes and of that of the last photo (None if killed)."""
    here, there = START.Pipe()
    child = START.Process(target=run, args=(Address(server), out, there, die_at_write))
    begun = len(server.requests)

    def strike(kind, key):
        if len(server.requests) - begun == die_at_request:
            os.kill(child.pid, signal.SIGKILL)

    server.before_each = strike
    child.start()
    there.close()
    child.join(60)
    return child.exitcode, here.recv() if child.exitcode == 0 else None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The files of a fetch that nothing disturbed, how many requests it took, how many writes, and which was the last photo's."""
    out = tmp_path_factory.mktemp("undisturbed") / "patna"
    with FakeMapillary(IMAGES) as server:
        code, writes = fetch_in_a_process(server, out)
        assert code == 0
        return contents(out), len(server.requests), *writes


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(tmp_path, undisturbed, seed):
    expected, n_requests, n_writes, _ = undisturbed
    rng = np.random.default_rng(seed)
    killed = 0
    with FakeMapillary(IMAGES) as server:
        server.fail("any", "500", times=1)
        for _ in range(6):
            moment = {
                "die_at_request": int(rng.integers(1, n_requests // 3)),
                "die_at_write": int(rng.integers(1, n_writes // 3)),
            }
            moment.pop(str(rng.choice(list(moment))))
            code, _ = fetch_in_a_process(server, tmp_path / "patna", **moment)
            assert code in (0, -signal.SIGKILL)
            if code == 0:
                break
            killed += 1
        else:
            assert fetch_in_a_process(server, tmp_path / "patna")[0] == 0
        photos = [key for kind, key in server.requests if kind == "photo"]
    assert killed >= 3
    assert contents(tmp_path / "patna") == expected
    assert not fetch_folder(tmp_path / "patna").exists()
    # each image's photo once, and once more for the 500; a kill costs no more than what was under way
    assert len(photos) <= 2 * len(IMAGES) + 4 * killed


def test_killed_at_moments_of_the_last_steps(tmp_path, undisturbed):
    expected, _, n_writes, last_photo = undisturbed
    assert n_writes - last_photo > 15
    with FakeMapillary(IMAGES) as server:
        for moment in range(last_photo + 1, n_writes + 1, 4):
            out = tmp_path / f"patna-{moment}"
            code, _ = fetch_in_a_process(server, out, die_at_write=moment)
            assert code == -signal.SIGKILL
            assert fetch_in_a_process(server, out)[0] == 0
            assert contents(out) == expected
            assert not fetch_folder(out).exists()
            assert server.complaints == []
    assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]
