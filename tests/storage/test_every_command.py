"""Every command with all inputs and outputs in object storage, in an empty working folder, against the same on a local disk.

Run it with `python -m pytest -n 0 -m slow tests/storage/test_every_command.py`; that every command has a case is checked always.
"""

import json
import tempfile
import threading
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import geopandas as gpd
import pytest
import rasterio
import typer

from geolive.cli import app
from geolive.dataset_facts import FACTS
from tests.sources.mapillary.server import FakeMapillary, fake_images
from tests.sources.test_boundaries import DISTRICTS
from tests.sources.test_boundaries import Server as BoundaryServer
from tests.storage.conftest import SECRET
from tests.storage.inputs import write_inputs
from tests.test_plugins import EXAMPLE, install

CPU = "--device cpu"
TINY = "--model timm:test_resnet --weights none"
IMAGEWISE = "--arch timm:test_resnet --no-pretrained --size 32 --epochs 1 --batch-size 16 --split random"
WHERE = "--lon lon --lat lat"
MAP = "--region goa --min-images 1 --min-sites 1"
# IN and OUT stand for the place of inputs and outputs; a command reads what those before it have written
CASES = f"""
plugins
sample --region goa --with-images --with-features --max-per-place 1 --raster OUT/wealth.tif --out OUT/goa
ingest survey IN/survey.csv --value wealth {WHERE} --out OUT/survey
ingest dhs IN/dhs/IAGE7AFL.shp --recode IN/dhs/IAHR7EFL.DTA --recode IN/dhs/IAIR7EFL.DTA --out OUT/dhs
ingest images IN/images.csv --key id {WHERE} --counts --classes IN/classes.csv --survey OUT/survey --out OUT/tabled
ingest photos IN/photos --table IN/positions.csv --key photo {WHERE} --survey OUT/survey --out OUT/walked
ingest objects IN/counts.csv --dataset OUT/walked --key photo --classes IN/classes.csv
ingest features IN/features.csv --dataset OUT/walked --name given
ingest paper IN/paper/data.csv --splits IN/paper --out OUT/paper
ingest plugin example-round IN/round.json --out OUT/round
fetch boundaries --country KEN --survey OUT/survey --out OUT/kenya.geojson
fetch images --bbox 73.9,15.2,74.3,15.6 --objects --rate 10000 --out OUT/fetched
fetch images --keys IN/keys.txt --no-images --rate 10000 --out OUT/chosen
fetch images --clusters OUT/survey --no-images --rate 10000 --leave-out-failed --out OUT/around
detect OUT/goa --model IN/mask2former --name counted --photos OUT/goa --workers 0 {CPU}
embed OUT/goa --name tiny {TINY} --workers 0 {CPU}
embed OUT/walked --name tiny {TINY} --photos IN/photos --workers 0 {CPU}
covariates OUT/goa --raster wealth=OUT/wealth.tif:1
covariates OUT/walked --table IN/districts.csv --join district_id --boundaries IN/goa.geojson
partition OUT/goa --by quadkey:9 --out OUT/parts
info OUT/parts --indicator pov --map OUT/maps/info.png --boundaries IN/goa.geojson --join-report OUT/maps/names.csv
train clusterwise OUT/parts --indicator pov --inputs objects,covariates --trees 5 --estimator forest --out OUT/forest
train gcn OUT/parts --indicator pov --arch mean-pooling --inputs features --features tiny --epochs 2 {CPU} \
  --curves OUT/maps/curves.png --out OUT/graph
train imagewise OUT/goa --indicator pov {IMAGEWISE} {CPU} --workers 0 --logs OUT/logs --out OUT/network
evaluate OUT/parts --models mean,idw --features tiny --split random --out OUT/evaluated
explain OUT/forest OUT/parts --out OUT/why
explain OUT/network OUT/goa --gallery {CPU} --out OUT/shown
predict {MAP} --dataset OUT/parts --model OUT/forest --raster wealth=OUT/wealth.tif --formats csv,xlsx,gpkg,png \
  --out OUT/maps/forest.html
predict {MAP} --dataset OUT/parts --model OUT/graph --boundaries IN/goa.geojson --no-exports --out OUT/maps/graph.geojson {CPU}
predict {MAP} --dataset OUT/goa --model OUT/network --population IN/people.tif --no-exports {CPU} --out OUT/maps/network.csv
predict --dataset OUT/parts --model OUT/forest --raster wealth=OUT/wealth.tif --boundaries hex:15km --min-images 1 --min-sites 1 \
  --no-exports --diagnostics OUT/maps/checks.csv --out OUT/maps/hexagons.csv
predict {MAP} --dataset OUT/walked --indicator wealth --model idw --indicators IN/words.toml --no-exports --out OUT/maps/words.csv
audit OUT/forest --dataset OUT/parts --out OUT/maps/audit.json
audit OUT/maps/forest.html
estimate areas IN/areas.csv --direct y --variance v --covariates photos --area id --proximity IN/proximity.csv --out OUT/areas.csv
target OUT/areas.csv --budget 5 --id area --truth IN/truth.csv --plot OUT/maps/target.png --out OUT/target.csv
report --region goa --dataset OUT/parts --model OUT/forest --raster wealth=OUT/wealth.tif --out OUT/brief.html --out OUT/brief.pdf
""".replace("\\\n", "").strip()  # fmt: skip


def cases(inputs, outputs):
    """The words of each case."""
    for line in CASES.splitlines():
        yield [word.replace("IN/", f"{inputs}/").replace("OUT/", f"{outputs}/") for word in line.split()]


def commands(group=None, names=()):
    """The names of all commands that geolive itself has."""
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*names, name))
        else:
            yield " ".join((*names, name))


def test_every_command_has_a_case():
    tried = list(cases("in", "out"))
    assert [
        name for name in commands() if not any(words[: name.count(" ") + 1] == name.split() for words in tried)
    ] == []


@pytest.fixture
def servers(tmp_path, monkeypatch):
    """Servers of imagery and boundaries, which the environment names."""
    images = fake_images(8, centre=(74.1, 15.4), spread=0.02)
    with BoundaryServer() as boundaries, FakeMapillary(images) as imagery:
        boundaries.answer()
        boundaries.pages["/full.geojson"] = json.dumps(DISTRICTS).encode()
        threading.Thread(target=boundaries.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        for name, value in imagery.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GEOLIVE_BOUNDARIES_API", f"{boundaries.address}/api")
        yield images
        boundaries.shutdown()


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The example of the documentation, installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    install(EXAMPLE / "geolive_example", project, tmp_path / "plugin")
    monkeypatch.syspath_prepend(tmp_path / "plugin")


@pytest.fixture
def inputs(tmp_path, servers):
    folder = tmp_path / "in"
    folder.mkdir()
    write_inputs(folder)
    (folder / "keys.txt").write_text("\n".join(image.id for image in servers[:3]))
    return folder


def contents(files, inputs, outputs):
    """The bytes of each file by its name, with the place of inputs and outputs as IN and OUT, and checksums that depend on them.

    TensorBoard's files, which are named by time and process, are left out.
    """
    files = {name: content for name, content in files.items() if "tfevents" not in name}
    # models record the checksum of the dataset that they were trained on, and a dataset the folder of its photos
    checksums = {sha256(content).hexdigest(): name for name, content in files.items() if name.endswith(FACTS)}
    replaced = {str(inputs): "IN", str(outputs): "OUT"} | checksums
    for text, short in replaced.items():
        files = {name: content.replace(text.encode(), short.encode()) for name, content in files.items()}
    return files


def values(name, content, folder):
    """What a file shows whose format compresses the addresses that it records; of a PDF only that it is one."""
    path = folder / Path(name).name
    path.write_bytes(content)
    if path.suffix == ".tif":
        with rasterio.open(path) as raster:
            return raster.read().tobytes()
    if path.suffix == ".gpkg":
        return gpd.read_file(path).select_dtypes("number").to_csv()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as book:
            return book.read("xl/worksheets/sheet1.xml")
    return content[:5] if path.suffix == ".pdf" else content


@pytest.mark.slow
def test_every_command_runs_in_object_storage_and_writes_the_files_of_a_local_run(
    s3,
    command,
    inputs,
    plugin,
    tmp_path,
    monkeypatch,
):
    s3.files.put(str(inputs), "maps/every/in", recursive=True)
    places = {name: tmp_path / name for name in ("work", "temporary", "home")}
    for place in places.values():
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(places["temporary"]))
    monkeypatch.setenv("HOME", str(places["home"]))
    monkeypatch.chdir(places["work"])

    def run_all(inputs, outputs):
        printed, failed = "", []
        for words in cases(inputs, outputs):
            done = command(*words)
            printed += done.stdout + done.stderr
            if done.returncode:
                failed.append(f"{' '.join(words)}: {done.stderr.splitlines()[-1]}")
        assert not failed, "\n".join(failed)
        return printed

    printed = run_all("s3://maps/every/in", "s3://maps/every/out")
    written = [path for place in places.values() for path in place.rglob("*") if path.is_file()]
    # libraries keep things there, such as matplotlib its list of fonts
    assert [path for path in written if places["home"] / ".cache" not in path.parents] == []
    assert not any(path.is_file() for path in (s3.cache / "storage" / "outputs").rglob("*"))
    found = {path.removeprefix("maps/every/out/"): s3.files.cat(path) for path in s3.files.find("maps/every/out")}
    for name, content in [*found.items(), ("what was printed", printed.encode())]:
        for kept_away in (str(s3.cache), SECRET):
            assert kept_away.encode() not in content, name
    local = tmp_path / "out"
    run_all(inputs, local)
    written = [path for path in local.rglob("*") if path.is_file() and path.name != ".lock"]
    expected = {path.relative_to(local).as_posix(): path.read_bytes() for path in written}
    ours, theirs = (contents(expected, inputs, local), contents(found, "s3://maps/every/in", "s3://maps/every/out"))
    assert set(theirs) == set(ours)
    different = [
        name
        for name in ours
        if theirs[name] != ours[name] and values(name, found[name], tmp_path) != values(name, expected[name], tmp_path)
    ]
    assert not different, "\n".join(different)
