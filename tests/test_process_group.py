"""Processes that train together: where they find their place, that they agree, and what is said when one is lost."""

import json
import multiprocessing
import os
import signal
import socket
import time

import pytest

pytest.importorskip("torch", reason="needs the extra networks (torch)")

import torch

from geolive.collectives import add_gradients, all_agree, from_first, sum_of_all
from geolive.errors import InputError
from geolive.process_group import Launched, check_devices, joined, launched, once

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_PORT": "29500"}
SRUN = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "gpu-a[003-004,007]",
    "SLURM_JOB_ID": "812345",
}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch):
    monkeypatch.setenv("GEOLIVE_PEER_TIMEOUT", "2")


def in_two_processes(work, folder):
    """Run `work(rank)` in two processes that have joined; what each returned, or the error that it raised."""
    port, context = free_port(), multiprocessing.get_context("fork")

    def run(rank):
        torch.set_num_threads(1)
        try:
            with joined(Launched("torchrun", rank, 2, rank, 2, "127.0.0.1", port), "cpu"):
                told = work(rank)
        except InputError as error:
            told = f"InputError: {error}"
        (folder / f"{rank}.json").write_text(json.dumps(told))

    processes = [context.Process(target=run, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    files = [folder / f"{rank}.json" for rank in range(2)]
    return [json.loads(file.read_text()) if file.exists() else None for file in files]


def test_places_that_torchrun_and_srun_give():
    found = launched(TORCHRUN | {"MASTER_ADDR": "10.0.0.1"})
    assert (found.rank, found.size, found.local_rank, found.nodes, found.address) == (3, 4, 1, 2, "10.0.0.1")
    found = launched(SRUN)
    assert (found.starter, found.rank, found.nodes, found.address) == ("srun", 2, 2, "gpu-a003")
    assert found.port == launched(SRUN | {"SLURM_PROCID": "3"}).port
    assert launched(SRUN | {"MASTER_ADDR": "head", "MASTER_PORT": "7"}).address == "head"


def test_a_command_of_a_batch_script_is_one_process():
    assert launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_ID": "5"}) is None
    assert launched({"RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": "1"}) is None


@pytest.mark.parametrize(
    ("environment", "match"),
    [
        ({name: SRUN[name] for name in SRUN if name != "SLURM_LOCALID"}, "SLURM_LOCALID is missing"),
        (TORCHRUN | {"RANK": "first"}, "is not a number"),
    ],
)
def test_half_an_environment_is_refused(environment, match):
    with pytest.raises(InputError, match=match):
        launched(environment)


@pytest.mark.parametrize(
    ("devices", "nodes", "match"),
    [(4, None, "give torchrun --nproc-per-node 4, or devices=2"), (None, 3, "give torchrun --nnodes 3, or nodes=2")],
)
def test_numbers_that_are_not_those_started_are_refused(devices, nodes, match):
    with pytest.raises(InputError, match=match):
        check_devices(launched(TORCHRUN), devices, nodes)
    check_devices(launched(TORCHRUN), 2, 2)


def test_processes_add_up_and_agree(tmp_path):
    def work(rank):
        line = torch.nn.Linear(2, 1)
        with torch.no_grad():
            line.weight.fill_(1.0)
        own = torch.tensor([1.0 + rank, 5.0], requires_grad=True)
        total = sum_of_all(own)
        (total * (rank + 1)).sum().backward()
        line(torch.full((1, 2), float(rank + 1))).sum().backward()
        add_gradients(line.parameters())
        calls = []
        made = once("step", lambda: calls.append(1) or {"rank": rank})
        return {
            "total": total.tolist(),
            "gradient": own.grad.tolist(),
            "weights": line.weight.grad.tolist(),
            "first": from_first([rank + 0.5]),
            "agree": [all_agree(7), all_agree(rank)],
            "once": [made, len(calls)],
        }

    one, other = in_two_processes(work, tmp_path)
    assert one["total"] == other["total"] == [3, 10]
    assert one["gradient"] == other["gradient"] == [3, 3]
    assert one["weights"] == other["weights"] == [[3, 3]]
    assert one["first"] == other["first"] == [0.5]
    assert one["agree"] == other["agree"] == [True, False]
    assert (one["once"], other["once"]) == ([{"rank": 0}, 1], [{"rank": 0}, 0])


def test_a_killed_process_is_named_by_the_other(tmp_path):
    def work(rank):
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        sum_of_all(torch.ones(1))
        time.sleep(60)

    begun = time.monotonic()
    told, _ = in_two_processes(work, tmp_path)
    assert told.startswith(f"InputError: rank 1 on {socket.gethostname()} has not answered for 2 s; what was trained")
    assert "--resume" in told
    assert time.monotonic() - begun < 40


def test_an_error_of_one_process_ends_the_other_with_its_reason(tmp_path):
    def work(rank):
        if rank == 0:
            raise InputError("photos/1.jpg: cut short; fetch it again")
        once("decoding", lambda: None)
        once("decoding", lambda: None)

    one, other = in_two_processes(work, tmp_path)
    assert one == "InputError: photos/1.jpg: cut short; fetch it again"
    assert other.startswith(f"InputError: rank 0 on {socket.gethostname()} stopped (photos/1.jpg: cut short")
