"""Training by several processes, as users start it: on one machine, and on two hosts of which one fails.

The hosts are network namespaces with names of their own, joined by a cable. One is cut off and killed, as in a power failure.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
pytest.importorskip("timm", reason="needs the extra vision (timm)")

from geolive.dataset_folder import write_dataset
from geolive.simulation.sample import make_sample
from tests.commands import ROOT
from tests.models.imagewise.helpers import SIDE, TINY, write_coloured_survey

pytestmark = pytest.mark.slow
IMAGEWISE = ["--arch", TINY, "--no-pretrained", "--size", SIDE, "--batch-size", 32, "--device", "cpu", "--lr", 0.01]
IMAGEWISE += ["--patience", 90, "--precision", "float32"]
GCN = ["--arch", "gcn", "--edges", "knn:3", "--epochs", 40, "--device", "cpu"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos") / "survey"
    write_coloured_survey(folder)
    return folder


@pytest.fixture(scope="module")
def goa(tmp_path_factory):
    return write_dataset(make_sample("goa", 1, most_images=12), tmp_path_factory.mktemp("d") / "goa")


@pytest.fixture
def hosts():
    """Start a command on host 0 or 1, and `cut` host 1 off."""
    names = [f"geolive-{os.getpid()}-{i}" for i in range(2)]
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need root, ip and unshare")
    if subprocess.run(["ip", "netns", "add", names[0]], capture_output=True).returncode:
        pytest.skip("this system gives no network namespaces")

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    started = []
    try:
        ip("netns", "add", names[1])
        ip("link", "add", "cable0", "netns", names[0], "type", "veth", "peer", "name", "cable1", "netns", names[1])
        for i, name in enumerate(names):
            ip("-n", name, "address", "add", f"10.77.0.{i + 1}/24", "dev", f"cable{i}")
            for link in ("lo", f"cable{i}"):
                ip("-n", name, "link", "set", link, "up")

        def start(i, *words):
            own = {"RANK": i, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "10.77.0.1"}
            own |= {"MASTER_PORT": 29_511, "GLOO_SOCKET_IFNAME": f"cable{i}", "GEOLIVE_PEER_TIMEOUT": 8}
            environment = os.environ | {"OMP_NUM_THREADS": "1"} | {name: str(value) for name, value in own.items()}
            named = ["unshare", "--uts", "sh", "-c", f'hostname host-{i} && exec "$@"', "sh"]
            command = ["ip", "netns", "exec", names[i], *named, sys.executable, "-m", "geolive", *map(str, words)]
            started.append(
                subprocess.Popen(
                    command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            return started[-1]

        start.cut = lambda: ip("-n", names[1], "link", "set", "cable1", "down")
        yield start
    finally:
        for process in started:
            process.kill()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def run(*words):
    done = subprocess.run(
        [sys.executable, "-m", "geolive", *map(str, words)],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def history(bundle):
    epochs = json.loads((bundle / "card.json").read_text())["history"]
    return np.array([[epoch["train_loss"], epoch["val_loss"]] for epoch in epochs])


def one_fails(hosts, words, begun, seconds=180):
    """Start the command on both hosts, cut host 1 off once `begun()`, and return how the command on host 0 ended."""
    first, second = (hosts(i, *words) for i in range(2))
    deadline = time.monotonic() + seconds
    while not begun():
        assert first.poll() is None, first.stderr.read()
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)
    hosts.cut()
    second.send_signal(signal.SIGKILL)
    _, errors = first.communicate(timeout=90)
    lines = [line for line in errors.splitlines() if line.startswith("error:")]
    assert (first.returncode, len(lines)) == (2, 1), errors
    assert "rank 1 on host-1" in lines[0]
    assert "--resume" in lines[0]
    assert "Traceback" not in errors


def test_imagewise_goes_on_after_a_host_failed(hosts, photos, tmp_path):
    words = ["train", "imagewise", photos, *IMAGEWISE, "--epochs", 30, "--out", tmp_path / "failed"]
    work = tmp_path / ".failed.training"
    one_fails(hosts, words, lambda: (work / "model" / "last.ckpt").is_file())
    assert not (tmp_path / "failed").exists()
    code, _, errors = run(*words, "--resume")
    assert code == 0, errors
    code, _, errors = run(*words[:-1], tmp_path / "whole")
    assert code == 0, errors
    failed, whole = history(tmp_path / "failed"), history(tmp_path / "whole")
    assert len(failed) == len(whole) == 30
    np.testing.assert_allclose(failed[:3], whole[:3], rtol=2e-3)
    assert not work.exists()
    code, _, errors = run(*words[:-1], tmp_path / "none", "--resume")
    assert code == 2
    assert "no unfinished training" in errors


def test_a_graph_network_goes_on_after_a_host_failed(hosts, goa, tmp_path):
    words = ["train", "gcn", goa, *GCN, "--out", tmp_path / "failed"]
    work = tmp_path / ".failed.training"
    one_fails(hosts, words, lambda: len(list(work.glob("*.safetensors"))) >= 2)
    code, _, errors = run(*words, "--resume")
    assert code == 0, errors
    assert (tmp_path / "failed" / "model.safetensors").is_file()


def test_two_devices_of_one_machine(goa, tmp_path):
    words = ["train", "gcn", goa, *GCN[:-4], "--epochs", 3, "--device", "cpu"]
    code, said, errors = run(*words, "--devices", 2, "--out", tmp_path / "two")
    assert code == 0, errors
    assert said.count("SIMULATED") == 1
    code, _, errors = run(*words, "--out", tmp_path / "one")
    assert code == 0, errors
    one, two = (pd.read_parquet(tmp_path / name / "residuals.parquet")["prediction"] for name in ("one", "two"))
    np.testing.assert_allclose(two, one, atol=0.05)
