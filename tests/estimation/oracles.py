"""Published worked examples, read from the folder beside the checkout; tests skip where it is absent."""

from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "oracles"


def read_oracle(name: str, **options) -> pd.DataFrame:
    """A table of a worked example, or skip the test."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is absent: the worked examples are not part of the project")
    return pd.read_csv(path, **options)
