"""How commands end: signals, closed output, full disks, and nothing from data that a terminal would act on."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from geolive.cli import _running
from geolive.cli.endings import RESUMED
from tests.commands import ROOT, run


def stop(words, number, until, **environment):
    """Start a command, send it a signal once it has said `until`, and return exit code and standard error."""
    command = [sys.executable, "-u", str(ROOT / "cli.py"), *map(str, words)]
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT, env=os.environ | environment
    )
    said = ""
    for line in running.stderr:
        said += line
        if until in line:
            running.send_signal(number)
            break
    said += running.stderr.read()
    return running.wait(timeout=120), said


SIGNALS = [
    (signal.SIGINT, 130),
    pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_stopped_command_says_how_to_go_on(small_folder, tmp_path, number, code):
    models = ["--models", "kriging,idw,neighbours,mean", "--split", "district"]
    evaluate = ["evaluate", small_folder, *models, "--out", tmp_path / "r"]
    ended, said = stop(evaluate, number, "Reading")
    assert ended == code, said
    assert said.splitlines()[-1] == (
        "error: stopped; the finished work is kept: run the same command again to continue"
    )
    assert "Traceback" not in said
    predict = ["predict", "--dataset", small_folder, "--region", "bihar", "--out", tmp_path / "map.html"]
    ended, said = stop(predict, number, "✓")
    assert ended == code, said
    assert said.splitlines()[-1].endswith("nothing was left half-written: run the same command again to start over")
    assert not (tmp_path / "map.html").exists()


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path):
    command = f"trap '' HUP; exec {sys.executable} {ROOT / 'cli.py'} sample --region goa --out {tmp_path / 'new'}"
    running = subprocess.Popen(["bash", "-c", command], stderr=subprocess.DEVNULL, cwd=ROOT)
    while not any(tmp_path.iterdir()) and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGHUP)
    assert running.wait(timeout=120) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), SIGNALS[:2])
def test_a_stopped_training_on_photos_is_no_success(tmp_path, number, code):
    pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
    from tests.models.imagewise.helpers import TINY, write_coloured_survey

    write_coloured_survey(tmp_path / "survey")
    words = [
        "--arch",
        TINY,
        "--no-pretrained",
        "--size",
        "32",
        "--batch-size",
        "16",
        "--device",
        "cpu",
        "--split",
        "random",
    ]
    train = ["train", "imagewise", tmp_path / "survey", *words, "--out", tmp_path / "bundle"]
    ended, said = stop([*train, "--epochs", "500", "--patience", "500"], number, "epoch 1")
    assert ended == code, said
    assert said.splitlines()[-1].endswith("run the same command again to continue")
    assert "Traceback" not in said
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
@pytest.mark.parametrize("loaded", ["typer", "geolive.errors", "geolive.cli.train"])
def test_a_signal_while_python_loads_libraries_is_one_line(number, code, loaded):
    # with -X importtime Python names each module as soon as it is loaded
    command = [sys.executable, "-X", "importtime", str(ROOT / "cli.py"), "info", "none"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    said = []
    for line in running.stderr:
        said.append(line)
        if line.rsplit("|", 1)[-1].strip() == loaded:
            running.send_signal(number)
    assert running.wait(timeout=60) == code, said[-5:]
    lines = [line for line in said if not line.startswith("import time:")]
    assert lines == ["error: stopped; run the same command again\n"]


def unfinished(folder):
    """Whether a command has kept unfinished work below a folder: a note of its progress, or a checkpoint."""
    return any(
        (path.name == "progress.json" or path.suffix == ".safetensors") and not path.name.startswith(".geolive-")
        for path in folder.rglob("*")
        if any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def stop_at_work(words, number, folder):
    """Start a command and send it a signal once it has kept unfinished work; exit code and standard error."""
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as running:
        while not unfinished(folder) and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(number)
        said = running.communicate(timeout=120)[1]
    return running.returncode, said


CPU = ["--device", "cpu"]
NETWORKS = {
    "embed": ["embed", "DATASET", "--name", "tiny", "--model", "timm:test_resnet", "--weights", "none", *CPU, "--batch-size", "1",
              "--workers", "0"],
    "detect": ["detect", "DATASET", "--model", "MASK2FORMER", "--name", "counted", *CPU, "--workers", "0"],
    "train gcn": ["train", "gcn", "SAMPLE", "--arch", "gcn", "--epochs", "5000", "--width", "4", *CPU, "--out", "OUT"],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", NETWORKS)
@pytest.mark.parametrize(("number", "code"), SIGNALS[:2])
def test_stopped_networks_end_with_the_code_of_the_signal_and_go_on(small_folder, tmp_path, command, number, code):
    pytest.importorskip("timm", reason="needs the extra vision (timm)")
    pytest.importorskip("transformers", reason="needs the extra segmentation (transformers)")
    from tests.vision.networks import save_mask2former
    from tests.vision.photofolder import encoded, photo_dataset, picture

    places = {"SAMPLE": small_folder, "OUT": tmp_path / "out", "MASK2FORMER": tmp_path / "mask2former"}
    if command == "detect":
        save_mask2former(places["MASK2FORMER"])
    if command != "train gcn":
        places["DATASET"] = photo_dataset(tmp_path / "photos", [encoded(picture(i)) for i in range(300)]).path
    words = [places.get(word, word) for word in NETWORKS[command]]
    ended, said = stop_at_work(words, number, tmp_path)
    assert ended == code, said
    assert said.splitlines()[-1].endswith("run the same command again to continue")
    assert "Traceback" not in said
    assert not places["OUT"].exists()
    assert unfinished(tmp_path)
    if command == "embed":
        again = run(*words, OMP_NUM_THREADS="1")
        assert again.returncode == 0, again.stderr
        assert "continued after" in again.stderr


IN_GROUPS = {
    "embed": ["embed", "DATASET", "--name", "tiny", "--model", "timm:test_resnet", "--weights", "none", *CPU, "--batch-size", "1",
              "--workers", "2"],
    "train imagewise": ["train", "imagewise", "SURVEY", "--arch", "timm:test_resnet", "--no-pretrained", "--size", "32", *CPU,
                        "--epochs", "500", "--patience", "500", "--batch-size", "16", "--workers", "2", "--split", "random",
                        "--out", "OUT"],
    "sample": ["sample", "--region", "bihar", "--with-images", "--out", "OUT"],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", IN_GROUPS)
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_to_all_processes_of_a_command_is_one_line(tmp_path, command, number, code):
    """Ctrl-C reaches the processes that read photos, too, and so does the SIGTERM of a job scheduler."""
    pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
    from tests.models.imagewise.helpers import write_coloured_survey
    from tests.vision.photofolder import encoded, photo_dataset, picture

    places = {"OUT": tmp_path / "out", "SURVEY": tmp_path / "survey"}
    if command == "embed":
        places["DATASET"] = photo_dataset(tmp_path / "photos", [encoded(picture(i)) for i in range(600)]).path
    elif command == "train imagewise":
        write_coloured_survey(places["SURVEY"])
    words = [sys.executable, str(ROOT / "cli.py"), *(str(places.get(word, word)) for word in IN_GROUPS[command])]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def at_work():
        if command == "sample":
            return any(tmp_path.rglob("*.jpg"))
        return any(path.name in ("progress.json", "last.ckpt") for path in tmp_path.rglob("*"))

    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True) as running:
        while not at_work() and running.poll() is None:
            time.sleep(0.01)
        os.killpg(running.pid, number)
        said = running.communicate(timeout=120)[1]
    assert running.returncode == code, said
    lines = [line for line in said.splitlines() if not line.startswith(("✓ ", "note: "))]
    assert len(lines) == 1, said
    assert lines[0].startswith("error: stopped; ")


def test_resumed_commands_exist_and_say_so():
    for name in RESUMED:
        help_text = " ".join(run(*name.split(), "--help").stdout.replace("│", " ").split())
        assert "stopped" in help_text or "interrupt" in help_text, name


def test_the_running_command_is_named_with_its_group(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["geolive", "train", "gcn", "sample", "--out", "x"])
    assert _running() == "train gcn"
    monkeypatch.setattr(sys, "argv", ["geolive", "sample", "--out", "train"])
    assert _running() == "sample"


def test_output_that_is_closed_or_full(small_folder):
    command = [sys.executable, str(ROOT / "cli.py"), "info", str(small_folder)]
    full = subprocess.run(["bash", "-c", f"{' '.join(command)} > /dev/full"], capture_output=True, text=True, cwd=ROOT)
    assert full.returncode == 2, full.stderr
    assert "No space left on device; free some space" in full.stderr
    assert full.stderr.count("error:") == 1
    # a reader that has seen enough, such as head, is no error: the command ends quietly, as other programs do
    script = f"set -o pipefail; {' '.join(command)} | true"
    closed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (closed.returncode, "error" in closed.stderr) == (141, False), closed.stderr
    silent = subprocess.run(["bash", "-c", f"{' '.join(command)} 2>&-"], capture_output=True, text=True, cwd=ROOT)
    assert silent.returncode == 0
    assert "clusters" in silent.stdout
    wrong = subprocess.run(["bash", "-c", f"{' '.join(command)}/none 2>&-"], capture_output=True, text=True, cwd=ROOT)
    assert wrong.returncode == 2


def test_output_in_another_encoding(small_folder, tmp_path):
    path = tmp_path / "çédille.geojson"
    districts = gpd.GeoDataFrame({"name": ["पटना"]}, geometry=[shapely.box(83, 24, 88, 28)], crs=4326)
    districts.to_file(path)
    done = run("predict", "--dataset", small_folder, "--model", "idw", "--boundaries", path, "--out", tmp_path / "m.csv",
               PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "UnicodeEncodeError" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "--region", "goa"],
        ["predict", "--region", "bihar", "--model", "idw"],
        pytest.param(["evaluate", "DATASET", "--models", "mean", "--split", "random"], marks=pytest.mark.slow),
        pytest.param(["train", "clusterwise", "DATASET", "--trees", "20"], marks=pytest.mark.slow),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_disk_that_fills_up_is_the_users_to_mend(small_folder, tmp_path, words):
    """A limit of file size fails writes as a full disk does, at the same places, without the rights of root."""
    out = tmp_path / ("map.gpkg" if words[0] == "predict" else "new")
    words = [str(small_folder) if word == "DATASET" else word for word in words]
    more = ["--dataset", str(small_folder)] if words[0] == "predict" else []

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *words, *more, "--out", str(out)],
        capture_output=True, text=True, cwd=ROOT, preexec_fn=limit, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert [path for path in tmp_path.iterdir() if not (words[0] == "evaluate" and path.name == ".new.rows")] == []


EVIL = "Patna\x1b]0;owned\x07\x1b[2J\x9b31m\u202eanhctap\u2066 :x: [red]b[/red]"


def test_nothing_from_data_acts_on_the_terminal(small_folder, tmp_path):
    path = tmp_path / "evil.geojson"
    districts = gpd.GeoDataFrame(
        {"name": [EVIL, "Gaya"]}, geometry=[shapely.box(83, 24, 85.2, 28), shapely.box(85.2, 24, 88.5, 28)], crs=4326
    )
    path.write_text(json.dumps(json.loads(districts.to_json()) | {"geoBoundaries": 1, "description": EVIL}))
    commands = [
        ["predict", "--dataset", small_folder, "--model", "idw", "--boundaries", path, "--min-sites", "1",
         "--out", tmp_path / "m.geojson"],
        ["predict", "--dataset", small_folder, "--boundaries", path, "--region", EVIL, "--out", tmp_path / "n.csv"],
        ["info", "--boundaries", path],
        ["evaluate", small_folder, "--indicators", EVIL, "--out", tmp_path / "r"],
        [EVIL],
        ["predict", "--" + EVIL],
        ["ingest", "survey", tmp_path / EVIL.replace("/", ""), "--value", "x", "--out", tmp_path / "d"],
    ]  # fmt: skip
    shown = 0
    for words in commands:
        done = run(*words)
        for printed in (done.stdout, done.stderr):
            assert not set("\x1b\x07\x9b\u202e\u2066") & set(printed), words
            assert "❌" not in printed
            shown += "\\x1b]0;owned" in printed
    assert shown >= 4


@pytest.mark.skipif(sys.platform == "win32", reason="names of files are Unicode there")
def test_names_beyond_the_locale_are_read_or_refused_with_a_remedy_that_works(tmp_path):
    folder = tmp_path / "Thiès"
    folder.mkdir()
    (folder / "enquête.csv").write_text("x,y,pov\n85.1,25.6,1\n84,25,2\n")
    words = [
        "ingest",
        "survey",
        folder / "enquête.csv",
        "--lon",
        "x",
        "--lat",
        "y",
        "--value",
        "pov",
        "--out",
        folder / "é",
    ]
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(*words, **locale)
    assert done.returncode in (0, 2), done.stderr
    if done.returncode == 2:
        assert "lacks letters of this name; set PYTHONUTF8=1" in done.stderr.splitlines()[-1]
        assert sorted(path.name for path in folder.iterdir()) == ["enquête.csv"]
        done = run(*words, **locale | {"PYTHONUTF8": "1"})
    assert done.returncode == 0, done.stderr
    assert (folder / "é" / "dataset.json").exists()


def test_the_version_and_the_help(tmp_path):
    import geolive

    for command in ([sys.executable, str(ROOT / "cli.py")], [sys.executable, "-m", "geolive"]):
        shown = subprocess.run([*command, "--version"], capture_output=True, text=True, cwd=ROOT)
        assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"geolive {geolive.__version__}\n", "")
        bare = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert "Usage:" in bare.stdout
        assert "predict" in bare.stdout
        assert "Traceback" not in bare.stderr


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place where nobody can make folders")
def test_a_cache_that_cannot_be_made_is_named(tmp_path):
    done = run("predict", "--region", "bihar", "--out", tmp_path / "map.csv", GEOLIVE_CACHE="/proc/geolive")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert (
        "it is in the cache folder /proc/geolive: name another one with the environment variable GEOLIVE_CACHE" in last
    )
    assert "--out" not in last


@pytest.mark.parametrize("kind", ["too long a name", "a folder that was removed"])
def test_places_that_cannot_be_written(small_folder, tmp_path, kind):
    folder = tmp_path / "gone"
    folder.mkdir()
    name = "a" * 300 + ".csv" if kind == "too long a name" else "map.csv"
    remove = "" if kind == "too long a name" else f"rmdir {folder} && "
    words = f"predict --dataset {small_folder} --model mean --region bihar --out {name}"
    command = f"cd {folder} && {remove}{sys.executable} {ROOT}/cli.py {words}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert ("File name too long; choose a shorter name" in last) or ("No such file or directory" in last)
