"""Draw command lines from each command's own options, valid values mixed with odd ones.

Only lines that the parser of options accepts count as tries; each of them runs, and so does one of ten others.
"""

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

from benchmarks.attacks.base import CANARY, Attack, Copy, content, load_libraries
from benchmarks.attacks.long_commands import libraries, prepare_parts

ODD = [
    "", " ", "-", "--", "0", "-1", "1e999", "nan", "None", "\x1b[2J", "\u202e", "💥", "a" * 5000, "/", ".", "..", "/dev/null",
    "/dev/full", "~", "*", "pov,pov", "random", "blocks:0km", "blocks:1e9km", "knn:0", "85,25,86,26", "no/such/file", "=1+1",
    "%s%n", "'; ls", "[red]", "http://127.0.0.1:9/a.geojson", "/vsicurl/http://127.0.0.1:9/a", "in/empty", "in/secret.txt/",
    "in/goa", "in/bundle", "in/survey.csv", "in/photos", "in/raster.tif", "in/goa/images.parquet", "in/bundle/model.skops",
]  # fmt: skip
# values that fit a parameter of this name, in all commands or in one; files are below the folder `in`
FITTING: dict[str, list[str]] = {
    "dataset": ["in/goa"], "bundle": ["in/bundle"], "region": ["goa", "73.6,14.8,74.4,15.9", "in/districts.geojson"],
    "indicator": ["pov", "pop", "bmi"], "indicators": ["pov", "bmi,pop", "all"], "task": ["regression", "classification"],
    "tasks": ["regression", "regression,classification"], "models": ["mean", "idw,mean", "random", "knn"],
    "split": ["random", "district", "blocks:50km", "rows", "knndm"], "lon": ["lon"], "lat": ["lat"], "device": ["cpu"],
    "precision": ["auto", "float32"], "dtype": ["float32", "float16"], "folds": ["2", "3"], "repeats": ["1"], "trees": ["5"],
    "epochs": ["1"], "width": ["4"], "batch_size": ["4"], "workers": ["0"], "devices": ["1"], "accumulate": ["1", "2"],
    "arch": ["gcn", "mean-pooling", "attention"], "inputs": ["objects", "obj"], "features": ["objects"], "size": ["32"],
    "edges": ["distance", "knn:8", "delaunay", "distance+knn:3"], "boundaries": ["in/districts.geojson"], "crs": ["EPSG:4326"],
    "encoding": ["utf-8", "latin-1"], "layer": ["districts"], "level": ["0.9", "0.5", "0.95"],
    "photos": ["in/photographed/photos"], "raster": ["rain=in/raster.tif", "rain=in/raster.tif:1"],
    "population": ["in/raster.tif"], "estimator": ["composite", "predicted"],
    "formats": ["csv", "geojson,png", "xlsx", "kml", "svg"], "diagnostics": ["out/diagnostics.html", "out/diagnostics.csv"],
    "map": ["out/overview.html"], "curves": ["out/curves.png"], "plot": ["out/plot.png", "out/plot.svg"], "logs": ["out/logs"],
    "title": ["A map", "[bold]x[/bold]"], "unit": ["index"], "label": ["Wealth"], "higher_is": ["better", "worse"],
    "buffer": ["2km", "5km"], "columns": ["rain"], "join": ["district_id"], "n_clusters": ["30", "60"], "most_images": ["2"],
    "min_sites": ["1"], "min_images": ["1"], "scenario": ["default"], "budget": ["1", "50%"], "thumb": ["256"],
    "since": ["2020-01-01"], "until": ["2021-01-01"], "bbox": ["85.1,25.5,85.2,25.6"], "tries": ["1"], "delay": ["0"],
    "rate": ["9999"], "timeout": ["1"], "country": ["KEN"], "api": ["http://127.0.0.1:9/"], "radius": ["5", "urban=2,rural=5"],
    "method": ["ampl", "reml", "ml", "fh"], "interval": ["normal", "bootstrap"], "transformation": ["arcsine", "logit"],
    "benchmark": ["ratio", "difference"], "model": ["idw", "mean", "neighbours", "kriging", "in/bundle"], "weights": ["none"],
    "ids": ["in"], "splits": ["in"], "folder": ["in/photos"], "table": ["in/areas.csv"], "file": ["in/survey.csv"],
    "name": ["two", "a_b"], "survey": ["in/goa"],
}  # fmt: skip
FITTING_OF: dict[tuple[str, str], list[str]] = {
    ("ingest paper", "file"): ["in/data.csv"], ("ingest features", "file"): ["in/features.csv"],
    ("target", "file"): ["in/areas.csv"], ("ingest survey", "value"): ["pov", "wealth=pov", "rate=pov/lat"],
    ("embed", "model"): ["timm:test_resnet"], ("ingest survey", "country"): ["ia", "IND"],
    ("ingest survey", "layer"): ["survey"], ("ingest survey", "missing"): ["-99"], ("detect", "model"): ["in/mask2former"],
    ("embed", "dataset"): ["in/photographed"], ("detect", "dataset"): ["in/photographed"],
    ("train imagewise", "dataset"): ["in/photographed"], ("train imagewise", "arch"): ["timm:test_resnet"],
    ("train imagewise", "pretrained"): ["--no-pretrained"], ("estimate areas", "population"): ["people"],
    ("estimate areas", "target"): ["3"], ("sample", "region"): ["goa"], ("sample", "raster"): ["out/truth.tif"],
    ("fetch images", "clusters"): ["in/goa"], ("train clusterwise", "estimator"): ["forest", "boosting", "knn"],
    ("covariates", "table"): ["in/areas.csv"], ("predict", "indicators"): ["in/indicators.csv"],
}  # fmt: skip
# columns of in/areas.csv, for options that name one
COLUMNS = ["area", "direct", "variance", "x", "people", "estimate", "mse"]
# these need seconds each, so they are drawn less often
RARE = {"train gcn", "train imagewise", "embed", "detect", "evaluate", "explain"}
# draws thousands of pictures
LONG = {("sample", "with_images")}
ALWAYS = {"train imagewise": ["--no-pretrained"], "fetch images": ["--tries", "1", "--delay", "0"]}


def run(attack: Attack) -> None:
    slow = libraries(attack)
    load_libraries(*slow)
    prepared = attack.folder / "prepared"
    with Copy(lambda: _prepare(prepared, bool(slow)), attack.folder) as copy:
        made = copy.end(["prepare"])
    if made.code != 0:
        raise RuntimeError(made.err)
    commands = [leaf for leaf in _leaves() if not attack.commands or " ".join(leaf[0]) in attack.commands]
    changed = True
    while attack.more():
        names, command = attack.random.choice(commands)
        name = " ".join(names)
        if name in RARE and attack.random.random() < 0.7:
            continue
        words = [*names, *ALWAYS.get(name, [])]
        share = attack.random.choice([0.03, 0.1, 0.3])
        for parameter in command.params:
            words += _words(attack, name, parameter, share)
        accepted = _is_accepted(command, words[len(names) :])
        if accepted:
            attack.counts["tries"] += 1
        else:
            attack.parts["refused by the parser (no tries)"] += 1
            if attack.random.random() < 0.9:
                continue
        shutil.rmtree(attack.folder / "out", ignore_errors=True)
        if changed:
            shutil.rmtree(attack.folder / "in", ignore_errors=True)
            shutil.copytree(prepared, attack.folder / "in", symlinks=True)
        ended = attack.run(*words)
        changed = _sizes(attack.folder / "in") != _sizes(prepared)
        if accepted:
            attack.parts["done" if ended.code == 0 else "refused in one line"] += 1
        out = attack.folder / "out"
        if out.exists() and any(CANARY.encode() in data for data in content(out).values()):
            attack.fault("leaks", f"a secret in a file: {' '.join(words)!r}")


def _sizes(folder: Path) -> dict[str, int]:
    """Sizes of all files below a folder, by which a change of them shows."""
    return {str(path.relative_to(folder)): path.lstat().st_size for path in folder.rglob("*")}


def _prepare(folder: Path, photographed: bool) -> int:
    import geopandas as gpd
    import numpy as np
    import rasterio
    import shapely

    prepare_parts(folder, photographed)
    (folder / "empty").mkdir()
    (folder / "secret.txt").write_text(CANARY)
    rows = [f"a{i},{i / 3},{0.1 + i / 50},{i},{1000 + i},{i / 2},{0.2 + i / 90}" for i in range(20)]
    (folder / "areas.csv").write_text("\n".join([",".join(COLUMNS), *rows]))
    (folder / "indicators.csv").write_text("name,label,unit\npov,Wealth,index\n")
    squares = [shapely.box(73.6 + i / 2, 14.8, 74.1 + i / 2, 15.9) for i in range(2)]
    gpd.GeoDataFrame({"district": ["A", "B"]}, geometry=squares, crs=4326).to_file(folder / "districts.geojson")
    profile = {"driver": "GTiff", "width": 60, "height": 60, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    transform = rasterio.Affine(0.02, 0, 73.4, 0, -0.02, 16.0)
    with rasterio.open(folder / "raster.tif", "w", **profile, transform=transform) as raster:
        raster.write(np.arange(3600, dtype="float32").reshape(1, 60, 60))
    return 0


def _leaves() -> list[tuple[list[str], Any]]:
    """Each command with its names."""
    import typer

    from geolive.cli import app

    found, waiting = [], [([], typer.main.get_command(app))]
    while waiting:
        names, command = waiting.pop()
        below = getattr(command, "commands", None)
        if below is None:
            found.append((names, command))
        else:
            waiting += [([*names, name], one) for name, one in sorted(below.items())]
    return found


def _is_accepted(command: Any, words: list[str]) -> bool:
    """Whether the parser of options takes the words."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            command.make_context(command.name, list(words))
        except (Exception, SystemExit):
            return False
    return True


def _words(attack: Attack, command: str, parameter: Any, share: float) -> list[str]:
    """The words that give a parameter, most of them fitting; of options that are not needed, this share is given."""
    if (
        parameter.name == "help"
        or (command, parameter.name) in LONG
        or not (parameter.required or attack.random.random() < share)
    ):
        return []
    if getattr(parameter, "is_flag", False):
        return [attack.random.choice([*parameter.opts, *parameter.secondary_opts])]
    value = _fitting(attack, command, parameter) if attack.random.random() < 0.93 else attack.random.choice(ODD)
    if parameter.param_type_name == "argument":
        return [value]
    return [parameter.opts[0], value]


def _fitting(attack: Attack, command: str, parameter: Any) -> str:
    fitting = FITTING_OF.get((command, parameter.name)) or FITTING.get(parameter.name)
    if parameter.opts[0] == "--out":
        suffixes = [
            "",
            "",
            ".html",
            ".csv",
            ".geojson",
            ".gpkg",
            ".tif",
            ".xlsx",
            ".kml",
            ".png",
            ".pdf",
            ".fgb",
            ".parquet",
        ]
        return f"out/new{attack.random.choice(suffixes)}"
    if fitting:
        return attack.random.choice(fitting)
    if (parameter.metavar or "").startswith("COLUMN") or parameter.name in (
        "group",
        "weight",
        "psu",
        "strata",
        "year",
        "id",
    ):
        return attack.random.choice(
            COLUMNS if command in ("estimate areas", "target", "covariates") else ["lon", "lat", "pov"]
        )
    kind = parameter.type_descriptor.annotation
    low, high = parameter.min, parameter.max
    if "int" in str(kind):
        return str(attack.random.randint(int(low or 0), int(high if high is not None else (low or 0) + 5)))
    if "float" in str(kind):
        return f"{attack.random.uniform(low or 0.0, high if high is not None else (low or 0.0) + 2):.3f}"
    if parameter.default not in (None, (), []) and not callable(parameter.default):
        return str(parameter.default)
    return attack.random.choice(ODD)
