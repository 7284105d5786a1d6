"""Killed before any of its changes of files and run again, a command ends with the same bytes as one that nothing disturbed.

`fetch images` has tests of its own kind in tests/sources/mapillary/test_resume.py. All long commands are tried by
`python -m benchmarks.attack --only crash_points`.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset
from geolive.simulation.sample import simulate, write_sample
from tests.crash_points import Server
from tests.vision.photofolder import encoded, photo_dataset, picture

# every so many of a command's changes; 1 tests them all
STEP = int(os.environ.get("GEOLIVE_CRASH_STEP", "4"))
TORCH = [
    "torch",
    "geolive.vision.embedding",
    "geolive.models.training",
    "geolive.models.photoset_model",
    "geolive.cli.embed",
]
PLAIN = ["geolive.evaluation.evaluate", "geolive.sources.features", "geolive.feature_sets", "geolive.mapping.exports"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a small survey, photos and a file of features."""
    folder = tmp_path_factory.mktemp("prepared")
    sample = write_sample(simulate("goa", seed=1, n_clusters=24, n_sites=4, most_images=3), folder / "goa")
    photos = photo_dataset(folder / "embedded", [encoded(picture(i)) for i in range(4)])
    dataset = read_dataset(sample)
    keys = dataset.images["key"]
    dataset.clusters[["unique_cluster"]].assign(height=np.arange(24.0)).to_csv(folder / "heights.csv", index=False)
    rng = np.random.default_rng(0)
    pd.DataFrame({"key": keys, "f0": rng.normal(size=len(keys)), "f1": 1.0}).to_csv(
        folder / "features.csv", index=False
    )
    places = pd.DataFrame(
        {"lon": rng.uniform(73.8, 74.2, 30), "lat": rng.uniform(15.1, 15.6, 30), "pov": rng.uniform(size=30)}
    )
    places.to_csv(folder / "survey.csv", index=False)
    return folder, photos.path.relative_to(folder)


def contents(folder):
    """Bytes of all files but single temporary ones, which go when they are a day old, and logs, which have times in them."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".geolive-")]
    files = [p for p in files if not any(part.endswith(".logs") for part in p.parts)]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def fresh(folder, prepared):
    """The prepared files at a place of the same name each time, since commands record names."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared, folder)


def check_all_moments(tmp_path, prepared, words, modules, step=STEP):
    own = tmp_path / "work"
    with Server(own, modules) as server:
        fresh(own, prepared)
        code, n_changes = server.run(*words(own))
        assert code == 0
        assert n_changes > 3
        expected, killed = contents(own), 0
        for moment in range(1, n_changes + 1, step):
            fresh(own, prepared)
            code, _ = server.run(*words(own), step=moment)
            # progress is kept after some seconds, so a quick run has fewer changes than a slow one
            assert code in (-9, 0), moment
            killed += code == -9
            code, _ = server.run(*words(own))
            # 2: all was done, and only the killed process could not say so
            assert code in (0, 2), moment
            assert contents(own) == expected, moment
    assert killed > n_changes / step / 2


def embed_mean_colour(dataset, photos):
    """What the command `embed` does, with a network that takes no time; a finished feature set is left alone."""
    from geolive.errors import InputError
    from geolive.vision.embedding import check_name, embed
    from geolive.vision.images import photo_files
    from tests.vision.test_embedding import CPU, mean_colour

    data = read_dataset(dataset)
    try:
        check_name(data, "mean")
    except InputError:
        return
    files = photo_files(data, photos)
    embed(data, files, mean_colour(), "mean", device=CPU, batch_size=1, workers=0)


@pytest.mark.slow
def test_embed(tmp_path, prepared):
    folder, dataset = prepared

    def words(own):
        return ["tests.test_crash_points:embed_mean_colour", own / dataset, own / Path(dataset).parent / "photos"]

    check_all_moments(tmp_path, folder, words, [*TORCH, "tests.vision.test_embedding"])


@pytest.mark.slow
def test_ingest_features(tmp_path, prepared):
    check_all_moments(
        tmp_path,
        prepared[0],
        lambda own: ["ingest", "features", own / "features.csv", "--dataset", own / "goa", "--name", "two"],
        PLAIN,
    )


@pytest.mark.slow
def test_covariates(tmp_path, prepared):
    check_all_moments(
        tmp_path,
        prepared[0],
        lambda own: ["covariates", own / "goa", "--table", own / "heights.csv", "--join", "unique_cluster"],
        [*PLAIN, "geolive.covariates.adding"],
        step=1,
    )


def test_ingest_survey(tmp_path, prepared):
    check_all_moments(
        tmp_path,
        prepared[0],
        lambda own: [
            "ingest",
            "survey",
            own / "survey.csv",
            "--value",
            "pov",
            "--lon",
            "lon",
            "--lat",
            "lat",
            "--out",
            own / "surveyed",
        ],
        PLAIN,
    )


@pytest.mark.slow
def test_evaluate(tmp_path, prepared):
    check_all_moments(
        tmp_path,
        prepared[0],
        lambda own: [
            "evaluate", own / "goa", "--models", "mean,neighbours", "--indicators", "pov", "--split", "random", "--folds", 3,
            "--repeats", 1, "--out", own / "report",
        ],
        PLAIN,
        step=3 * STEP,
    )  # fmt: skip


@pytest.mark.slow
def test_train_gcn(tmp_path, prepared):
    check_all_moments(
        tmp_path,
        prepared[0],
        lambda own: [
            "train", "gcn", own / "goa", "--indicator", "pov", "--epochs", 1, "--width", 4, "--device", "cpu", "--out",
            own / "bundle",
        ],
        TORCH,
        step=3 * STEP,
    )  # fmt: skip


@pytest.mark.slow
def test_detect(tmp_path, prepared):
    pytest.importorskip("transformers", reason="needs the extra segmentation (transformers)")
    from tests.vision.networks import save_mask2former

    folder, dataset = prepared
    save_mask2former(tmp_path / "mask2former")

    def words(own):
        where = [own / dataset, "--model", tmp_path / "mask2former", "--name", "counted"]
        return ["detect", *where, "--device", "cpu", "--workers", 0]

    check_all_moments(tmp_path, folder, words, ["transformers", *TORCH])


@pytest.mark.slow
def test_train_imagewise(tmp_path):
    pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
    from tests.models.imagewise.helpers import TINY, write_coloured_survey

    write_coloured_survey(tmp_path / "prepared" / "survey")

    def words(own):
        tiny = ["--arch", TINY, "--no-pretrained", "--size", 32, "--epochs", 2, "--batch-size", 32, "--device", "cpu"]
        return ["train", "imagewise", own / "survey", *tiny, "--split", "random", "--out", own / "bundle"]

    check_all_moments(tmp_path, tmp_path / "prepared", words, ["lightning", "timm", *TORCH], step=4 * STEP)
