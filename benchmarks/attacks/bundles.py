"""Tamper with bundles and datasets, as a stranger could: they are refused in one line, nothing runs, and nothing else is read."""

import hashlib
import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path

from benchmarks.attacks.base import CANARY, Attack, Copy, content, load_libraries, make_dataset

# commands that read a dataset or a bundle
READERS = [
    [
        "predict",
        "--region",
        "goa",
        "--dataset",
        "DATASET",
        "--model",
        "BUNDLE",
        "--min-sites",
        "1",
        "--out",
        "OUT/map.geojson",
    ],
    ["explain", "BUNDLE", "DATASET", "--device", "cpu", "--out", "OUT/why"],
    ["evaluate", "DATASET", "--models", "mean", "--split", "random", "--out", "OUT/report"],
    ["train", "clusterwise", "DATASET", "--trees", "5", "--out", "OUT/bundle"],
    ["info", "DATASET", "--map", "OUT/overview.html"],
]


def run(attack: Attack) -> None:
    load_libraries("torch")
    data, bundles = attack.folder / "data", [attack.folder / name for name in ("forest", "network")]
    with Copy(lambda: _prepare(data, bundles), attack.folder) as copy:
        made = copy.end(["prepare"])
    if made.code != 0:
        raise RuntimeError(made.err)
    secret, ran = attack.folder / "secret", attack.folder / "ran"
    secret.write_text(CANARY)
    while attack.more():
        for name in ("copy", "out"):
            shutil.rmtree(attack.folder / name, ignore_errors=True)
        original = attack.random.choice([data, *bundles])
        copied = Path(shutil.copytree(original, attack.folder / "copy"))
        kinds = [_tamper(attack, copied, secret, ran) for _ in range(attack.random.randrange(1, 3))]
        places = {"DATASET": copied, "BUNDLE": bundles[0]} if original is data else {"DATASET": data, "BUNDLE": copied}
        readers = READERS if original is data else READERS[:2]
        words = [str(places.get(word, word.replace("OUT", "out"))) for word in attack.random.choice(readers)]
        attack.counts["tries"] += 1
        attack.parts["datasets" if original is data else "bundles"] += 1
        ended = attack.run(*words)
        attack.parts["refused in one line" if ended.code == 2 else "of no consequence"] += 1
        if ran.exists():
            attack.fault("leaks", f"code ran: {kinds}: {words}")
            ran.unlink()
        out = attack.folder / "out"
        if out.exists() and any(CANARY.encode() in written for written in content(out).values()):
            attack.fault("leaks", f"another file's content is in the result: {kinds}: {words}")
        found = {path.name for path in attack.folder.iterdir()} - {
            "data",
            "forest",
            "network",
            "copy",
            "out",
            "cache",
            "secret",
        }
        if found:
            attack.fault("leaks", f"written elsewhere: {found}: {kinds}: {words}")


def _prepare(data: Path, bundles: list[Path]) -> int:
    from geolive.dataset_folder import read_dataset
    from geolive.models.attention import MeanPooling
    from geolive.models.bundle import save_model
    from geolive.models.clusterwise import Forest
    from geolive.models.training import train

    dataset = read_dataset(make_dataset(data, 3))
    for model, folder in zip((Forest(n_estimators=10), MeanPooling(epochs=1)), bundles, strict=True):
        save_model(train(dataset, model, "pov"), folder)
    return 0


class _Code:
    """What a pickle runs as it is read."""

    def __init__(self, ran: Path) -> None:
        self._ran = ran

    def __reduce__(self) -> tuple:
        return Path.touch, (self._ran,)


def _tamper(attack: Attack, folder: Path, secret: Path, ran: Path) -> str:
    """Change one file of a folder, and return what was done."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    if not files:
        return "nothing left"
    path = attack.random.choice(files)
    data = path.read_bytes()
    at = attack.random.randrange(len(data) + 1)
    kind = "json" if path.suffix == ".json" and attack.random.random() < 0.8 else attack.random.randrange(9)
    match kind:
        case "json":
            try:
                path.write_text(json.dumps(_changed(attack, json.loads(data))))
            except (ValueError, RecursionError):
                path.write_bytes(data[:at])
        case 0:
            path.write_bytes(data[:at])
        case 1:
            path.write_bytes(data[:at] + attack.random.randbytes(8) + data[at + 8 :])
        case 2:
            path.unlink()
        case 3:
            path.write_bytes(b"[" * 200_000 + b"]" * 200_000)
        case 4:
            path.unlink()
            path.symlink_to(attack.random.choice([secret, "/etc/hostname", "/dev/zero", folder, "/no/such/file"]))
        case 5:
            path.write_bytes(pickle.dumps(_Code(ran)))
        case 6:
            path.write_bytes(_changed_archive(attack, data, ran))
        case 7:
            path.write_bytes(attack.random.choice(files).read_bytes())
        case _:
            path.write_bytes(b"")
    if attack.random.random() < 0.7:
        _sum_again(folder, path)
    return f"{kind} of {path.name}"


def _changed_archive(attack: Attack, data: bytes, ran: Path) -> bytes:
    """A skops file or another archive with one member changed or added."""
    made = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as other:
            members = archive.namelist()
            chosen = attack.random.choice(members)
            for name in members:
                member = archive.read(name)
                if name == chosen and name.endswith(".json"):
                    member = json.dumps(_changed(attack, json.loads(member))).encode()
                    if attack.random.random() < 0.5:
                        member = member.replace(b"sklearn.tree._classes", b"os").replace(
                            b"DecisionTreeRegressor", b"system"
                        )
                elif name == chosen:
                    member = attack.random.choice([b"", bytes(1 << 26), pickle.dumps(_Code(ran)), member[:20]])
                other.writestr(name, member)
            if attack.random.random() < 0.3:
                other.writestr("../escaped", b"x")
    except (zipfile.BadZipFile, ValueError):
        return data[::-1]
    return made.getvalue()


def _sum_again(folder: Path, path: Path) -> None:
    """Put the checksum of a changed file into the list, as a stranger who knows the format would."""
    for name in ("card.json", "dataset.json"):
        listed = folder / name
        if listed.is_file() and path.is_file() and listed != path:
            try:
                facts = json.loads(listed.read_text())
            except (ValueError, RecursionError):
                return
            files = isinstance(facts, dict) and (facts.get("checksums") or facts.get("files"))
            key = str(path.relative_to(folder))
            # a device has no end
            if isinstance(files, dict) and key in files and path.resolve().is_file():
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
