"""`train gcn` with the stacked network on the sample of Bihar: time with one process and with one for each core.

    python -m benchmarks.stacked_network

Ten folds of districts, ten of single places, and the model of all clusters: 21 fits of three networks and five ridge regressions
each. The results are compared to the bit.
"""

import argparse
import resource
import time

from benchmarks.measured import record
from geolive.models.stacked import StackedNetwork
from geolive.models.trained_model import TrainedModel
from geolive.models.training import train
from geolive.simulation.sample import make_sample
from geolive.worker_processes import usable_processes


def processor_seconds() -> float:
    """Return the processor time of this process and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    """Train once in each way."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--epochs", type=int, default=StackedNetwork().epochs)
    chosen = options.parse_args()
    dataset = make_sample("bihar", seed=0)
    trained: list[TrainedModel] = []
    for n_jobs in sorted({1, usable_processes()}, reverse=True):
        began, used = time.perf_counter(), processor_seconds()
        trained.append(train(dataset, StackedNetwork(epochs=chosen.epochs), "pov", n_jobs=n_jobs))
        limit = 15.0 if n_jobs > 1 else None
        record(f"stacked network, sample, {n_jobs} process(es)", time.perf_counter() - began, "s", at_most=limit)
        record(f"stacked network, sample, {n_jobs} process(es), processor time", processor_seconds() - used, "s")
    equal = all(one.residuals.equals(trained[0].residuals) for one in trained)
    print(f"R² {trained[0].card.metrics['r2'].value:.4f}; residuals equal to the bit: {equal}")


if __name__ == "__main__":
    main()
