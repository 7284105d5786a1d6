"""Run commands on disks of every size, by a limit on the size of files: they end with 0 or 2 and leave nothing half-written."""

import shutil

from benchmarks.attacks.base import Attack, content, make_dataset


def run(attack: Attack) -> None:
    data = make_dataset(attack.folder / "data", 2)
    out = attack.folder / "out"
    commands = [
        ["sample", "--region", "goa", "--out", out / "new"],
        ["train", "clusterwise", data, "--trees", "20", "--out", out / "new"],
        ["evaluate", data, "--models", "mean", "--split", "random", "--out", out / "new"],
        *(["predict", "--region", "goa", "--dataset", data, "--model", "idw", "--out", out / f"map.{suffix}"]
          for suffix in ("html", "geojson", "gpkg", "tif", "csv")),
    ]  # fmt: skip
    while attack.more():
        shutil.rmtree(out, ignore_errors=True)
        words = attack.random.choice(commands)
        size = int(2 ** attack.random.uniform(9, 21))
        ended = attack.run(*words, limit_bytes=size)
        left = [name for name in content(out) if not name.startswith(".new.")] if out.exists() else []
        if ended.code == 2 and left and words[0] != "predict":
            attack.fault("half-written", f"{size} bytes: {' '.join(map(str, words))}: {left[:5]}")
