"""Fay-Herriot estimates of simulated areas: errors, how well they are reported, and what the intervals hold.

    python -m benchmarks.area_intervals --samples 200

Areas have one covariate, area effects of the variance sigma2_u and sampling variances between 0.5 and 2. A row is the
mean over samples drawn anew: how often sigma2_u is estimated as 0, the mean squared error as a share of the direct
estimates', the reported one as a share of the real one, and the share of true values within 90 % intervals.
"""

import argparse

import numpy as np
import pandas as pd

from geolive.estimation.fay_herriot import METHODS, FayHerriot


def simulate(method: str, n_areas: int, sigma2_u: float, n_samples: int, interval: str, seed: int) -> dict[str, float]:
    """Means over samples for one method."""
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame({"predicted": rng.normal(size=n_areas)})
    variance = np.linspace(0.5, 2, n_areas)
    zero, errors, of_direct, reported, held = [], [], [], [], []
    for _ in range(n_samples):
        truth = covariates["predicted"] + rng.normal(size=n_areas) * np.sqrt(sigma2_u)
        direct = truth + rng.normal(size=n_areas) * np.sqrt(variance)
        model = FayHerriot(method, level=0.9, interval=interval, n_bootstrap=200).fit(covariates, direct, variance)
        result = model.predict(covariates, direct, variance)
        zero.append(model.sigma2_u_ == 0)
        errors.append(np.mean((result["estimate"] - truth) ** 2))
        of_direct.append(np.mean((direct - truth) ** 2))
        reported.append(result["mse"].mean())
        held.append(((result["lower"] <= truth) & (truth <= result["upper"])).mean())
    return {
        "zero": float(np.mean(zero)),
        "mse / direct": np.mean(errors) / np.mean(of_direct),
        "reported / real": np.mean(reported) / np.mean(errors),
        "held": float(np.mean(held)),
        "+-": float(np.std(held) / np.sqrt(n_samples)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--bootstrap-samples", type=int, default=0, help="rows of bootstrap intervals, which are slow")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for n_areas in (15, 40):
        for sigma2_u in (0.05, 0.3, 1.0):
            jobs = [(method, "normal", arguments.samples) for method in METHODS]
            if arguments.bootstrap_samples:
                jobs.append(("ampl", "bootstrap", arguments.bootstrap_samples))
            for method, interval, n_samples in jobs:
                found = simulate(method, n_areas, sigma2_u, n_samples, interval, arguments.seed)
                rows.append({"areas": n_areas, "sigma2_u": sigma2_u, "method": method, "interval": interval, **found})
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
