import gc
import os
import signal

import hypothesis
import pytest

from tests import commands

# a busy machine is no fault of the code
hypothesis.settings.register_profile("geolive", deadline=None)
hypothesis.settings.load_profile("geolive")

# a shell lets a job in the background ignore these, and the commands that tests stop would inherit that
for stop, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(stop) == signal.SIG_IGN:
        signal.signal(stop, usual)

# tests run on all cores at once: threads beside them would only wait for each other
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
commands.begin()


def pytest_collection_finish():
    """Let the garbage collector pass over what lives until the end: modules and thousands of tests."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Samples and models that tests make are kept away from the user's cache; processes of one run share them."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEOLIVE_CACHE", str(folder))
        patch.setenv("SOURCE_DATE_EPOCH", "1800000000")
        yield


@pytest.fixture(scope="session")
def small_sample():
    """A simulated Bihar of 80 clusters and 120 further places."""
    from geolive.simulation.sample import simulate

    return simulate("bihar", seed=3, n_clusters=80, n_sites=120)


@pytest.fixture(scope="session")
def small_folder(small_sample, tmp_path_factory):
    """`small_sample` as a dataset folder."""
    from geolive.simulation.sample import write_sample

    return write_sample(small_sample, tmp_path_factory.mktemp("data") / "bihar")


@pytest.fixture(scope="session")
def main_job(tmp_path_factory):
    """Folder of the files that the main job writes, and how the command ended."""
    from tests.commands import run

    folder = tmp_path_factory.mktemp("maps")
    return folder, run("predict", "--region", "bihar", "--out", folder / "pov.html")
