"""A kept forest beside scikit-learn's: predictions, which must be equal to the last bit, and reading it in a new process.

    python -m benchmarks.forest [--clusters 1000] [--sites 20000]

geolive keeps a fitted forest as plain arrays, which a map reads and evaluates without scikit-learn. The peer is scikit-learn's
forest with the same trees, read by joblib, in a process that imports what its file needs. Prediction is of one thread in both, in
turns, and in processor time.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np

from benchmarks.growth import simulated_clusters
from benchmarks.measured import in_turns, of_command, ratios, record
from geolive.models.clusterwise import Forest
from geolive.models.forest_arrays import load_forest, save_forest

ROUNDS = 5
ARRAYS = "from pathlib import Path; from geolive.models.forest_arrays import load_forest; load_forest(Path({folder!r}), {inputs})"
SKLEARN = "import joblib; joblib.load({file!r})"


def processor_seconds(work: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    """Record the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--sites", type=int, default=20_000)
    given = parser.parse_args()
    forest = Forest().fit(*simulated_clusters(given.clusters))
    table = forest.table(simulated_clusters(given.sites)[0])
    peer = forest.estimator_.set_params(n_jobs=1)
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name) / "forest", Path(name) / "forest.joblib"
        folder.mkdir()
        save_forest(peer, folder)
        # the peer's own format is a pickle; this one was written here
        joblib.dump(peer, file)
        own = load_forest(folder, table.shape[1])
        if not np.array_equal(own.predict(table), peer.predict(table)):
            raise SystemExit("predictions differ from scikit-learn's")
        seconds = in_turns(
            ROUNDS,
            lambda: processor_seconds(lambda: own.predict(table)),
            lambda: processor_seconds(lambda: peer.predict(table)),
        )
        record(f"forest of arrays, prediction of {given.sites:,} sites against scikit-learn", ratios(*seconds))
        python = sys.executable
        commands = [ARRAYS.format(folder=str(folder), inputs=table.shape[1]), SKLEARN.format(file=str(file))]
        reading = in_turns(ROUNDS, *(lambda code=code: of_command(python, "-c", code).processor for code in commands))
        record("forest of arrays, read in a new process, against scikit-learn's by joblib", ratios(*reading))


if __name__ == "__main__":
    main()
