"""The commands that work for long, each on small data, and what a folder looks like before and after one of them.

Each works in a folder of the same name, since results record names; a command that is stopped and run again must end with the
same bytes as one that nothing disturbed.
"""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.attacks.base import ROOT, Attack, Copy, content, make_dataset, run_command
from tests.crash_points import kill_at

CPU = ["--device", "cpu"]
TINY = ["--arch", "timm:test_resnet", "--no-pretrained", "--size", "32"]
NETWORKS = ["torch", "lightning", "timm", "transformers"]

# all paths are relative to the folder in which the commands run
COMMANDS = {
    "sample": ["sample", "--region", "goa", "--seed", "3", "--out", "work/new"],
    "ingest paper": ["ingest", "paper", "work/data.csv", "--splits", "work", "--out", "work/new"],
    "ingest survey": ["ingest", "survey", "work/survey.csv", "--value", "pov", "--lon", "lon", "--lat", "lat",
                      "--out", "work/new"],
    "ingest photos": ["ingest", "photos", "work/photos", "--out", "work/new"],
    "ingest features": ["ingest", "features", "work/features.csv", "--dataset", "work/goa", "--name", "two"],
    "fetch images": ["fetch", "images", "--bbox", "85.0,25.5,85.3,25.7", "--objects", "--delay", "0.01", "--rate", "9999",
                     "--out", "work/new"],
    "embed": ["embed", "work/photographed", "--name", "tiny", "--model", "timm:test_resnet", "--weights", "none", *CPU,
              "--batch-size", "2", "--workers", "0"],
    "detect": ["detect", "work/photographed", "--model", "work/mask2former", "--name", "counted", *CPU, "--workers", "0"],
    "train clusterwise": ["train", "clusterwise", "work/goa", "--trees", "30", "--out", "work/new"],
    "train gcn": ["train", "gcn", "work/goa", "--arch", "gcn", "--epochs", "2", "--width", "4", *CPU, "--out", "work/new"],
    "train imagewise": ["train", "imagewise", "work/photographed", *TINY, *CPU, "--epochs", "2", "--batch-size", "16",
                        "--split", "random", "--out", "work/new"],
    "evaluate": ["evaluate", "work/goa", "--models", "mean,idw,kriging", "--split", "random", "--out", "work/new"],
    "explain": ["explain", "work/bundle", "work/goa", *CPU, "--out", "work/new"],
    "predict": ["predict", "--region", "goa", "--dataset", "work/goa", "--model", "idw", "--min-sites", "1",
                "--out", "work/map.html"],
}  # fmt: skip


@dataclass
class LongCommand:
    """A command, the files before it, and the files after it."""

    name: str
    words: list[str]
    prepared: Path
    before: dict[str, bytes] = field(default_factory=dict)
    after: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    changes: int = 0

    def begin(self, folder: Path) -> Path:
        """Put the files before the command into `folder/work`, and nothing else."""
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self.prepared, work)
        return work


def libraries(attack: Attack) -> list[str]:
    """Slow libraries of the commands that are attacked."""
    names = attack.commands or list(COMMANDS)
    return NETWORKS if {"embed", "detect", "train gcn", "train imagewise"} & set(names) else []


@contextlib.contextmanager
def long_commands(attack: Attack) -> Iterator[list[LongCommand]]:
    """Prepare the commands, and run each once without disturbance."""
    names = attack.commands or list(COMMANDS)
    prepared = attack.folder / "prepared"
    with _mapillary() if "fetch images" in names else contextlib.nullcontext():
        found = []
        for name in names:
            files = prepared / name.replace(" ", "-")
            with Copy(lambda name=name, files=files: _prepare(name, files), attack.folder) as copy:
                made = copy.end(["prepare", name])
            if made.code != 0:
                raise RuntimeError(f"{name}: cannot be prepared: {made.err}")
            command = LongCommand(name, COMMANDS[name], files)
            work = command.begin(attack.folder)
            command.before = whole_files(work)
            start = time.monotonic()
            with Copy(lambda command=command: _counted(command), attack.folder) as copy:
                ended = copy.end(command.words)
            attack.judge(ended, (0,))
            command.seconds, command.after = time.monotonic() - start, whole_files(work)
            command.changes = int(ended.err.splitlines()[-1])
            if command.after == command.before:
                raise RuntimeError(f"{name}: changes nothing: {attack.faults[-1:]}")
            found.append(command)
        yield found


def _counted(command: LongCommand) -> int:
    """Run a command, and print the number of its changes of files in the last line of standard error."""
    count = kill_at(0, "")
    code = run_command(command.words)
    print(count(), file=sys.stderr)
    return code


def whole_files(work: Path) -> dict[str, bytes]:
    """All files but hidden ones (unfinished work) and logs, which have times in them."""
    hidden = [name for name in content(work) if any(part.startswith(".") for part in Path(name).parts)]
    return {name: data for name, data in content(work).items() if name not in hidden and ".logs/" not in name}


def half_written(command: LongCommand, work: Path) -> list[str]:
    """Files of a stopped command that are neither as before it nor as after it, or that lack others of their folder."""
    found = whole_files(work)
    wrong = [name for name, data in found.items() if data not in (command.before.get(name), command.after.get(name))]
    if command.name != "predict":  # which sets the files of an earlier map aside first
        wrong += [name for name in command.before if name not in found and name in command.after]
    new = {name for name in found if name.startswith("new/")}
    if new and new != {name for name in command.after if name.startswith("new/")}:
        wrong += sorted(new)
    if command.name == "predict":
        # the files of one map are all of this run or all of an earlier one
        kinds = {
            data == command.after[name]
            for name, data in found.items()
            if command.before.get(name) != command.after[name]
        }
        wrong += ["files of two runs"] if len(kinds) == 2 else []
    return wrong


def differences(command: LongCommand, work: Path) -> list[str]:
    """Names of files that are not as a run that nothing disturbed left them."""
    found = whole_files(work)
    return sorted(name for name in found.keys() | command.after.keys() if found.get(name) != command.after.get(name))


def _prepare(name: str, folder: Path) -> int:
    folder.mkdir(parents=True)
    for part in PARTS.get(name, ()):
        part(folder)
    return 0


def prepare_parts(folder: Path, photographed: bool) -> None:
    """Make what all commands need in one folder; what only networks of photos need, if they are attacked."""
    folder.mkdir(parents=True)
    for part in (_goa, _bundle, _table, _survey, _photos, _features):
        part(folder)
    for part in (_few_photographed, _mask2former) if photographed else ():
        part(folder)


def _goa(folder: Path) -> None:
    make_dataset(folder / "goa", 1)


def _bundle(folder: Path) -> None:
    from geolive.dataset_folder import read_dataset
    from geolive.models.bundle import save_model
    from geolive.models.clusterwise import Forest
    from geolive.models.training import train

    save_model(train(read_dataset(folder / "goa"), Forest(n_estimators=5), "pov"), folder / "bundle")


def _former_map(folder: Path) -> None:
    """The files of an earlier map under the same names."""
    from geolive.dataset_folder import read_dataset
    from geolive.mapping.exports import write_files
    from geolive.mapping.prediction import predict
    from geolive.models.baselines import Mean
    from geolive.models.training import train

    dataset = read_dataset(folder / "goa")
    write_files(predict(dataset, train(dataset, Mean(), "pov"), "goa"), [folder / "map.html"], exports=True)


def _table(folder: Path) -> None:
    from tests.sources.paper.papertable import row, write

    rows = [row(f"k{i}", f"ia_5000{i % 9}", ilon=85 + i / 1000) for i in range(2000)]
    write(folder, rows, train=[f"ia_5000{i}" for i in range(5)], val=[f"ia_5000{i}" for i in range(5, 9)])


def _survey(folder: Path) -> None:
    rows = "".join(f"{73.8 + i * 0.001},{15.3 + i * 0.0005},{i % 17}\n" for i in range(300))
    (folder / "survey.csv").write_text(f"lon,lat,pov\n{rows}")


def _photos(folder: Path) -> None:
    from tests.sources.photos.photofiles import write_photo

    for i in range(30):
        write_photo(folder / "photos" / f"{i:03d}.jpg", 85.1 + i / 1000, 25.6, f"2020:01:02 03:{i:02d}:05")


def _features(folder: Path) -> None:
    from geolive.dataset_folder import read_dataset

    keys = read_dataset(folder / "goa").images["key"]
    (folder / "features.csv").write_text("key,f0,f1\n" + "".join(f"{key},{i},{i / 7}\n" for i, key in enumerate(keys)))


def _photographed(folder: Path, n_clusters: int = 16) -> None:
    import numpy as np
    from PIL import Image

    from geolive.dataset_folder import write_dataset
    from geolive.simulation.sample import make_sample

    made = make_sample("goa", seed=1, n_clusters=n_clusters, n_sites=4, most_images=2)
    images = made.images.assign(img_path="photos/" + made.images["key"] + ".png")
    write_dataset(replace(made, images=images), folder / "photographed")
    (folder / "photographed" / "photos").mkdir()
    chance = np.random.default_rng(0)
    for path in images["img_path"]:
        pixels = chance.integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photographed" / path)


def _few_photographed(folder: Path) -> None:
    _photographed(folder, 4)


def _mask2former(folder: Path) -> None:
    from tests.vision.networks import save_mask2former

    save_mask2former(folder / "mask2former")


PARTS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "ingest paper": (_table,),
    "ingest survey": (_survey,),
    "ingest photos": (_photos,),
    "ingest features": (_goa, _features),
    "embed": (_few_photographed,),
    "detect": (_few_photographed, _mask2former),
    "train clusterwise": (_goa,),
    "train gcn": (_goa,),
    "train imagewise": (_photographed,),
    "evaluate": (_goa,),
    "explain": (_goa, _bundle),
    "predict": (_goa, _former_map),
}


@contextlib.contextmanager
def _mapillary() -> Iterator[None]:
    """A local server in Mapillary's place, in a process of its own, which the environment names."""
    import subprocess

    code = (
        "import json, sys; from tests.sources.mapillary.server import FakeMapillary, fake_images\n"
        "with FakeMapillary(fake_images(40, spread=0.03)) as server:\n"
        "    print(json.dumps(server.environment), flush=True); sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        before = dict(os.environ)
        os.environ.update(json.loads(server.stdout.readline()))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
            server.stdin.close()
