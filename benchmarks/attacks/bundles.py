"""Tamper with a bundle and a dataset, as a stranger could: they are refused in one line, and nothing runs."""

import hashlib
import json
import shutil
from pathlib import Path

from benchmarks.attacks.base import Attack, make_dataset


def run(attack: Attack) -> None:
    data = make_dataset(attack.folder / "data", 3)
    bundle = attack.folder / "bundle"
    attack.run("train", "clusterwise", data, "--trees", "10", "--out", bundle, expected=(0,))
    attack.counts["tries"] = 0
    while attack.more():
        shutil.rmtree(attack.folder / "copy", ignore_errors=True)
        original = attack.random.choice([data, bundle])
        copy = Path(shutil.copytree(original, attack.folder / "copy"))
        for _ in range(attack.random.randrange(1, 3)):
            _tamper(attack, copy)
        out = attack.folder / "map.geojson"
        out.unlink(missing_ok=True)
        dataset, model = (copy, "idw") if original is data else (data, copy)
        attack.run("predict", "--region", "goa", "--dataset", dataset, "--model", model, "--out", out)


def _tamper(attack: Attack, folder: Path) -> None:
    path = attack.random.choice([p for p in sorted(folder.rglob("*")) if p.is_file()])
    content = path.read_bytes()
    at = attack.random.randrange(len(content) + 1)
    if path.suffix == ".json" and attack.random.random() < 0.8:
        try:
            path.write_text(json.dumps(_changed(attack, json.loads(content))))
        except (ValueError, RecursionError):
            path.write_bytes(content[:at])
        return
    match attack.random.randrange(6):
        case 0:
            path.write_bytes(content[:at])
        case 1:
            path.write_bytes(content[:at] + attack.random.randbytes(8) + content[at + 8 :])
        case 2:
            path.unlink()
        case 3:
            path.write_bytes(b"[" * 200_000 + b"]" * 200_000)
        case 4:
            path.unlink()
            path.symlink_to("/etc/hostname")
        case _:
            path.write_bytes(b"")
    if attack.random.random() < 0.7:
        _sum_again(folder, path)


def _sum_again(folder: Path, path: Path) -> None:
    """Put the checksum of a changed file into the list, as a stranger who knows the format would."""
    for name in ("card.json", "dataset.json"):
        listed = folder / name
        if listed.is_file() and path.is_file() and listed != path:
            try:
                facts = json.loads(listed.read_text())
            except (ValueError, RecursionError):
                return
            files = facts.get("checksums") or facts.get("files")
            key = str(path.relative_to(folder))
            if isinstance(files, dict) and key in files:
                files[key] = hashlib.sha256(path.read_bytes()).hexdigest()
                listed.write_text(json.dumps(facts))


def _changed(attack: Attack, value: object) -> object:
    """A JSON value with one part, anywhere in it, replaced."""
    if isinstance(value, dict) and value and attack.random.random() < 0.85:
        key = attack.random.choice(list(value))
        if attack.random.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: _changed(attack, value[key])}
    if isinstance(value, list) and value and attack.random.random() < 0.7:
        at = attack.random.randrange(len(value))
        return [*value[:at], _changed(attack, value[at]), *value[at + 1 :]]
    return attack.random.choice(
        [
            None,
            True,
            -1,
            10**12,
            1e308,
            float("nan"),
            "",
            "../../etc/passwd",
            "\x1b[2J\u202e",
            [],
            {},
            [[[]]],
            "a" * 10_000,
        ]
    )
