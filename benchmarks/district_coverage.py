"""How often the intervals of district means hold the simulated truth.

    python benchmarks/district_coverage.py --seeds 10

Every seed is another simulated countryside: survey, imagery and truth. For each, the forest is trained as `predict` does and
every supported district's interval is held against the district's true mean. The Monte-Carlo error is that of the mean over
countrysides, since the errors within one countryside go together.
"""

import argparse
from functools import partial

import numpy as np
import pandas as pd

from geolive.mapping.prediction import predict_map
from geolive.models.registry import model_maker
from geolive.models.training import train
from geolive.regions import find_region
from geolive.sources.sample import make_sample

LEVELS = (0.5, 0.8, 0.9, 0.95)


def coverage_of(seed: int, indicator: str, model: str) -> dict:
    """Share of supported districts whose interval holds the truth, at each level, and how wide the 90 % interval is."""
    sample = make_sample("bihar", seed)
    make = partial(model_maker(model), task="regression", seed=seed)
    trained = train(sample.dataset, make, indicator, seed=seed, needs_images=model in ("forest", "gcn"))
    region, row = find_region("bihar"), {"seed": seed, "indicator": indicator}
    for level in LEVELS:
        drawn = predict_map(sample.dataset, trained, region, level=level).districts
        truth = sample.districts.set_index("district_id")[indicator].reindex(drawn["district_id"]).to_numpy()
        inside = (drawn[f"{indicator}_lower"] <= truth) & (truth <= drawn[f"{indicator}_upper"])
        row[level] = inside[drawn["supported"]].mean()
        if level == 0.9:
            error = (drawn[indicator] - truth)[drawn["supported"]]
            row |= {
                "districts": int(drawn["supported"].sum()),
                "width": (drawn[f"{indicator}_upper"] - drawn[f"{indicator}_lower"]).mean(),
                "rmse": float(np.sqrt((error**2).mean())),
                "truth_spread": float(truth[drawn["supported"]].std()),
            }
    return row


def main() -> None:
    """Print the coverage of each countryside, then its mean with the Monte-Carlo error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--indicators", default="pov,pop,bmi")
    parser.add_argument("--model", default="forest")
    given = parser.parse_args()
    for indicator in given.indicators.split(","):
        rows = []
        for seed in range(given.seeds):
            rows.append(coverage_of(seed, indicator, given.model))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
        table = pd.DataFrame(rows)
        for level in LEVELS:
            error = table[level].std(ddof=1) / np.sqrt(len(table))
            print(
                f"{indicator}: {level:.0%} intervals hold the truth in {table[level].mean():.1%} ± {error:.1%} (simulated)"
            )


if __name__ == "__main__":
    main()
