"""Computations in several processes: results in order, errors and warnings as in one process, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.worker_processes import computed_ahead, is_worker_process, usable_processes

pytestmark = pytest.mark.skipif(usable_processes(2) < 2, reason="processes are not forked here")


def test_results_come_from_other_processes_and_in_order():
    with computed_ahead(
        [lambda number=number: (number, os.getpid(), is_worker_process()) for number in range(6)], 2
    ) as ahead:
        found = [ahead.result(number) for number in range(6)]
    assert [number for number, _, _ in found] == list(range(6))
    assert os.getpid() not in {process for _, process, _ in found}
    assert all(inside for _, _, inside in found)


def test_a_matrix_product_has_the_same_bits_in_one_process_and_in_two():
    x = np.random.default_rng(0).normal(size=(300, 300))
    found = {}
    for n_jobs in (1, 2):
        with computed_ahead([lambda: x @ x[0], lambda: x.sum()], n_jobs) as ahead:
            found[n_jobs] = ahead.result(0).tobytes(), ahead.result(1)
    assert found[1] == found[2]


def test_an_error_is_that_of_this_process():
    def fail():
        raise InputError(f"in {os.getpid()}", parameter="models")

    with computed_ahead([fail, lambda: 1], 2) as ahead:
        with pytest.raises(InputError, match=f"in {os.getpid()}") as error:
            ahead.result(0)
        assert error.value.parameter == "models"
        assert ahead.result(1) == 1


def test_warnings_are_passed_on():
    def warn():
        warnings.warn("few places", UserWarning, stacklevel=1)

    with computed_ahead([warn, warn], 2) as ahead, pytest.warns(UserWarning, match="few places"):
        ahead.result(0)


def test_where_a_process_is_killed_its_call_is_made_in_this_one():
    here = os.getpid()

    def once():
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    with computed_ahead([once, once], 2) as ahead:
        assert [ahead.result(0), ahead.result(1)] == ["done", "done"]


def test_an_error_outside_does_not_wait_for_the_others():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), computed_ahead([lambda: time.sleep(60), lambda: time.sleep(60)], 2):
        raise KeyboardInterrupt
    assert time.monotonic() - started < 30


def test_processes_end_with_a_parent_that_is_killed():
    script = (
        "import os, signal, time\n"
        "from geolive.worker_processes import computed_ahead\n"
        "def show():\n"
        "    os.write(1, f'{os.getpid()}\\n'.encode())\n"
        "    time.sleep(60)\n"
        "with computed_ahead([show, show], 2) as ahead:\n"
        "    ahead.result(0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline = time.monotonic() + 20
    while any(_is_running(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_is_running(worker) for worker in workers)


def _is_running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().split()[2]
    except FileNotFoundError:
        return False
    return state != "Z"
