"""From photos to features: rows in order, failures, resuming, weights. How much features tell is in the test of Lund."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import Image

from geolive.cli import app
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.files import checksum
from geolive.sources.photos.reader import read_photos
from geolive.vision.backbones import build_trunk, load_backbone
from geolive.vision.devices import Device, choose_device
from geolive.vision.embedding import embed
from geolive.vision.images import photo_files
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import packaged_lite0
from tests.commands import ROOT
from tests.vision.networks import mean_colour
from tests.vision.photofolder import encoded, photo_dataset, picture

CPU = Device("cpu", "float32")
LUND = ROOT.parent / "shared" / "data" / "lund"


def state(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("workers", "dtype"), [(0, "float32"), (2, "float16")])
def test_row_by_row_and_failures_are_nan_and_listed(tmp_path, workers, dtype):
    pictures = [picture(i, size=(16, 16)).resize((64, 64)) for i in range(9)]
    contents = [encoded(p, "PNG") for p in pictures]
    contents[4] = contents[4][:200]
    contents[7] = None
    data = photo_dataset(tmp_path, contents)
    before = state(tmp_path)
    added = embed(
        data, photo_files(data), mean_colour(), "mean", device=CPU, dtype=dtype, batch_size=2, workers=workers
    )
    features = read_dataset(data.path).features["mean"]
    assert (features.shape, features.dtype) == ((9, 3), np.dtype(dtype))
    assert isinstance(features, np.memmap)
    for i in set(range(9)) - {4, 7}:
        expected = np.asarray(pictures[i], float).mean(axis=(0, 1)) / 255
        assert np.abs(features[i] - expected).max() < 0.02
    assert np.isnan(features[[4, 7]].astype(float)).all()
    assert added.failures == {"004.jpg": "cut short", "007.jpg": "cannot be read (No such file or directory)"}
    missing = pd.read_parquet(data.path / "features" / "mean.missing.parquet")
    assert dict(zip(missing["key"], missing["reason"], strict=True)) == added.failures
    after = state(tmp_path)
    assert {name.name for name in before if before[name] != after[name]} == {"dataset.json"}
    assert {name.name for name in set(after) - set(before)} == {"mean.npy", "mean.json", "mean.missing.parquet"}
    with pytest.raises(InputError, match="has a feature set 'mean' already"):
        embed(read_dataset(data.path), photo_files(data), mean_colour(), "mean", device=CPU)


def test_a_panorama_is_the_mean_of_its_views(tmp_path):
    pixels = np.zeros((128, 256, 3), np.uint8)
    pixels[32:96, :64] = 255  # one of the four views
    data = photo_dataset(tmp_path, [encoded(picture(), "PNG")] * 2)
    Image.fromarray(pixels).save(tmp_path / "photos" / "000.jpg", "PNG")
    files = photo_files(data)
    files.panorama[0] = True
    embed(data, files, mean_colour(), "mean", device=CPU, workers=0)
    assert np.allclose(read_dataset(data.path).features["mean"][0], 0.25, atol=0.01)


def test_nothing_is_added_where_no_photo_can_be_used(tmp_path):
    data = photo_dataset(tmp_path, [None, b""])
    before = state(tmp_path)
    with pytest.raises(InputError, match=r"none of its 2 photos can be used \(cannot be read"):
        embed(data, photo_files(data), mean_colour(), "mean", device=CPU, workers=0)
    assert state(tmp_path) == before


@pytest.mark.slow
def test_killed_it_goes_on_and_ends_with_the_same_bytes(tmp_path):
    contents = [encoded(picture(i), quality=90) for i in range(40)]
    contents[3] = b"no photo"
    data = photo_dataset(tmp_path / "killed", contents)
    whole = photo_dataset(tmp_path / "whole", contents)
    words = ["--model", "resnet18", "--weights", "none", "--name", "r18", "--batch-size", "2", "--workers", "1"]
    words += ["--precision", "float32"]  # as CPU below, also where bfloat16 is faster
    progress = data.path / "features" / ".r18.partial" / "progress.json"
    command = [sys.executable, str(ROOT / "cli.py"), "embed", str(data.path), *words]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 120
    while not progress.exists() and running.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = json.loads(progress.read_text())["done"]
    assert 0 < done < 40
    assert read_dataset(data.path).features == {}
    backbone = load_backbone("resnet18", "none")
    with pytest.raises(InputError, match="started with another model and precision"):
        other = load_backbone("resnet18", "none")
        embed(data, photo_files(data), type(other)("resnet50", *list(vars(other).values())[1:]), "r18",
              device=Device("cpu", "bfloat16"))  # fmt: skip
    torch.set_num_threads(1)
    added = embed(data, photo_files(data), backbone, "r18", device=CPU, batch_size=2, workers=0)
    assert added.resumed_at == done
    embed(whole, photo_files(whole), backbone, "r18", device=CPU, batch_size=2, workers=0)
    names = [f"features/r18.{end}" for end in ("npy", "missing.parquet")]
    assert all((data.path / name).read_bytes() == (whole.path / name).read_bytes() for name in names)
    assert not list((data.path / "features").glob(".*"))
    assert list(added.failures) == ["003.jpg"]


def test_random_weights_must_be_asked_for_are_recorded_and_warned_of(tmp_path, capsys):
    data = photo_dataset(tmp_path, [encoded(picture(i)) for i in range(2)])
    words = ["embed", data.path, "--model", "resnet18", "--name", "r18"]
    app([*map(str, words), "--weights", "none", "--dtype", "float16"], standalone_mode=False)
    assert "weights of the network are random" in capsys.readouterr().err
    about = json.loads((data.path / "features" / "r18.json").read_text())
    assert about["weights"] == {"source": "none", "seed": 0}
    assert Preprocessing.from_json(about["preprocessing"]) == Preprocessing()
    assert np.isfinite(read_dataset(data.path).features["r18"]).all()


def test_weights_from_a_file(tmp_path):
    import torchvision

    torch.manual_seed(5)
    network = torchvision.models.resnet18(weights=None).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected = torch.nn.Sequential(*list(network.children())[:-1])(images).flatten(1)
    files = [tmp_path / "w.safetensors", tmp_path / "w.pth", tmp_path / "parallel.pt"]
    safetensors.torch.save_file(network.state_dict(), files[0])
    torch.save({"state_dict": network.state_dict()}, files[1])
    torch.save({f"module.{name}": value for name, value in network.state_dict().items()}, files[2])
    for file in files:
        backbone = load_backbone("resnet18", file)
        with torch.inference_mode():
            assert torch.allclose(backbone.trunk(images), expected, atol=1e-5)
        assert backbone.weights == {"source": "file", "name": file.name, "sha256": checksum(file)}
    with pytest.raises(InputError, match=r"does not fit this network: \d+ tensors are missing"):
        load_backbone("resnet34", files[0])


def test_a_file_that_would_run_code_is_refused(tmp_path):
    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return Path.touch, (ran,)

    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    for path in (tmp_path / "evil.pth", tmp_path / "text.safetensors", tmp_path / "text.txt"):
        path.touch()
        with pytest.raises(InputError, match=r"cannot be read as weights alone|weights are read from"):
            load_backbone("resnet18", path)
    assert not ran.exists()


def bundle(folder, kind="imagewise", crop=32, arch="resnet18"):
    """What the trunk of an image-wise bundle is read from."""
    torch.manual_seed(1)
    trunk, _ = build_trunk(arch)
    folder.mkdir()
    tensors = {f"trunk.{name}": value for name, value in trunk.state_dict().items()}
    safetensors.torch.save_file(tensors | {"head.weight": torch.zeros(1, 512)}, folder / "model.safetensors")
    settings = {"arch": arch, "preprocessing": Preprocessing(crop, crop).as_json()}
    sums = {"model.safetensors": checksum(folder / "model.safetensors")}
    (folder / "card.json").write_text(json.dumps({"kind": kind, "settings": settings, "checksums": sums}))
    return trunk.eval()


def test_the_trunk_of_a_bundle(tmp_path):
    trunk = bundle(tmp_path / "good")
    backbone = load_backbone(str(tmp_path / "good"))
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(backbone.trunk(images), trunk(images))
    assert (backbone.arch, backbone.preprocessing.crop, backbone.width) == ("resnet18", 32, 512)
    bundle(tmp_path / "forest", kind="clusterwise")
    bundle(tmp_path / "odd", crop=-1)
    bundle(tmp_path / "altered")
    (tmp_path / "altered" / "model.safetensors").write_bytes(b"")
    for name, words in (
        ("forest", "'clusterwise' does not use photos"),
        ("odd", "preprocessing is not in geolive's format"),
        ("altered", "missing, altered or cut short"),
    ):
        with pytest.raises(InputError, match=words):
            load_backbone(str(tmp_path / name))
    with pytest.raises(InputError, match="leave out weights='none'"):
        load_backbone(str(tmp_path / "good"), "none")


def test_models_and_devices_that_are_none():
    for call, words in (
        (lambda: load_backbone("resnet35", "none"), "model='resnet35': there is no such model; give resnet18"),
        (lambda: load_backbone("timm:hf-hub:someone/else", "none"), "timm has no model"),
        (lambda: choose_device("tpu"), "must be one of auto, cpu, cuda, mps"),
        (lambda: choose_device("cpu", "int8"), "must be auto or one of"),
    ):
        with pytest.raises(InputError, match=words):
            call()
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="this machine has none; use device='auto'"):
            choose_device("cuda")


@pytest.mark.parametrize("threads", [2, 3])
def test_batches_at_the_same_time_give_the_same_bits(tmp_path, monkeypatch, threads):
    data = photo_dataset(tmp_path, [encoded(picture(i)) for i in range(7)])
    backbone = load_backbone("resnet18", "none")
    for name, at_once in (("one", 1), ("several", threads)):
        monkeypatch.setattr("geolive.vision.embedding.choose_threads", lambda device, n=at_once: n)
        embed(data, photo_files(data), backbone, name, device=CPU, batch_size=2, workers=0)
    features = read_dataset(data.path).features
    assert np.array_equal(np.asarray(features["one"]), np.asarray(features["several"]))
    assert len(np.unique(np.asarray(features["one"]), axis=0)) == 7


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_processors_features(tmp_path):
    data = photo_dataset(tmp_path, [encoded(picture(i)) for i in range(40)])
    for name, device in (("cpu", CPU), ("cuda", choose_device("cuda", "float32")), ("fast", choose_device("cuda"))):
        embed(data, photo_files(data), load_backbone("resnet18", "none"), name, device=device, workers=2)
    features = read_dataset(data.path).features
    assert np.allclose(features["cuda"], features["cpu"], atol=1e-2, rtol=1e-2)
    assert np.corrcoef(features["fast"].ravel(), features["cpu"].ravel())[0, 1] > 0.99


@pytest.mark.skipif(not LUND.is_dir(), reason="the real photos are not here (../shared/data/lund)")
@pytest.mark.skipif(packaged_lite0() is None, reason="the extra 'vision' is not installed (packaged ImageNet weights)")
def test_of_real_photos_neighbours_are_more_alike(tmp_path):
    from benchmarks.lund_similarity import rank_correlation

    write_dataset(read_photos(LUND), tmp_path / "lund")
    app(
        ["embed", str(tmp_path / "lund"), "--model", "timm:efficientnet_lite0", "--name", "lite0"],
        standalone_mode=False,
    )
    data = read_dataset(tmp_path / "lund")
    assert data.features["lite0"].shape == (29, 1280)
    assert np.isfinite(data.features["lite0"]).all()
    assert rank_correlation(data, "lite0") > 0.3
