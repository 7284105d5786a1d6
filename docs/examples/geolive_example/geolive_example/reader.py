"""A source of files: rounds of a monitoring system, as JSON."""

import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import geolive as gl


def read_round(path: Path, value: str = "safe_water") -> gl.Dataset:
    """Read a round of the monitoring system.

    Parameters
    ----------
    path : Path
        A JSON file with a list `places`, each with `name`, `lon`, `lat` (degrees) and measured values.
    value : str
        Which measured value becomes the indicator. On the command line: `--set value=NAME`.
    """
    try:
        places = json.loads(path.read_text(encoding="utf-8"))["places"]
        rows = [(place["name"], place["lon"], place["lat"], place[value]) for place in places]
    except (ValueError, KeyError, TypeError) as error:
        raise gl.InputError(f"{path}: is no round of the monitoring system ({error}); export it again") from None
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "round.csv"
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("name", "lon", "lat", value), *rows])
        # read_survey checks names, positions and numbers, and makes the tables
        dataset = gl.read_survey(table, "lon", "lat", {value: value}, id="name")
    command = f"geolive ingest plugin example-round {path.name} --set value={value}"
    return replace(dataset, source=f"monitoring system, {path.name}", command=command)
