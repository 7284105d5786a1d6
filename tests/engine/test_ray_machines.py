"""What was done is kept, and all else is done by others, where the process that gives the work or a whole machine is lost."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from geolive.engine.choosing import choose_engine
from geolive.engine.parts import PartFolder, run_parts
from tests.commands import ROOT

ray = pytest.importorskip("ray", reason="ray is not installed")
pytestmark = pytest.mark.slow
SLOW_PARTS = """
import sys, time
from pathlib import Path
import numpy as np
from geolive.engine.choosing import choose_engine
from geolive.engine.parts import PartFolder, run_parts
def make():
    def square(n):
        time.sleep(0.3)
        return {"square": np.array(n * n)}, {}
    return square
with PartFolder(Path(sys.argv[1]), {}) as parts, choose_engine("ray") as engine:
    print("begun", flush=True)
    print([int(a["square"]) for a, _ in run_parts(engine, make, list(range(20)), parts)])
"""


def test_a_killed_driver_continues(tmp_path):
    command = [sys.executable, "-c", SLOW_PARTS, str(tmp_path / "work")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    first = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    first.stdout.readline()
    while len(list((tmp_path / "work").glob("part-*.json"))) < 3 and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").glob("part-*.json")}
    assert 3 <= len(before) < 20
    second = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert second.returncode == 0, second.stderr
    assert second.stdout.splitlines()[-1] == str([n * n for n in range(20)])
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_a_lost_machine_is_replaced_by_the_others(tmp_path):
    """The second machine is lost when it has done a part; until then the first does only a few, however slow either is."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes(timeout=300)
    first, lost = cluster.head_node.node_id, tmp_path / "lost"

    def make():
        def square(n):
            node = ray.get_runtime_context().get_node_id()
            deadline = time.monotonic() + 600
            while node == first and n >= 4 and not lost.exists():
                assert time.monotonic() < deadline, "the second machine did nothing"
                time.sleep(0.05)
            return {"square": np.array(n * n)}, {"node": node}

        return square

    def lose(done):
        nodes = [json.loads(path.read_text())["about"]["node"] for path in (tmp_path / "work").glob("part-*.json")]
        if not lost.exists() and any(node != first for node in nodes):
            cluster.remove_node(other, allow_graceful=False)
            lost.touch()

    try:
        with (
            PartFolder(tmp_path / "work", {}) as parts,
            choose_engine("ray", cluster.address) as engine,
        ):
            found = list(run_parts(engine, make, list(range(16)), parts, progress=lose))
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost.exists()
    assert [int(arrays["square"]) for arrays, _ in found] == [n * n for n in range(16)]
    # both machines took part before one was lost
    assert len({about["node"] for _, about in found}) == 2
