"""From photos to object counts, through real detectors with random weights. What trained ones find is not tested here."""

import json
import pickle
import re
import shlex
from collections import Counter
from functools import partial

import numpy as np
import pandas as pd
import pytest

from geolive.cli import app
from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.models.clusterwise import Forest
from geolive.models.interface import check_inputs
from geolive.object_classes import match_classes, read_classes, stuff_classes
from geolive.tables import vistas_classes
from geolive.vision.counting import count_objects, detect_objects
from geolive.vision.detectors import Detector, load_detector
from geolive.vision.images import photo_files
from geolive.vision.weights import from_hub, packaged_lite0
from tests.vision.networks import save_mask2former
from tests.vision.photofolder import encoded, photo_dataset, picture

PHOTOS = 3


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory):
    pytest.importorskip("transformers", reason="transformers is not installed")
    return save_mask2former(tmp_path_factory.mktemp("networks") / "mask2former")


def contents():
    return [encoded(picture(i), "PNG") for i in range(PHOTOS)]


def nothing_fused(names):
    return set()


def test_detect_counts_what_the_network_finds_by_name(mask2former, tmp_path, capsys):
    whole = contents()
    data = photo_dataset(tmp_path, [*whole, b"<html>sign in</html>"])
    words = ["detect", data.path, "--model", mask2former, "--threshold", 0.3, "--batch-size", 2]
    app([*map(str, words)], standalone_mode=False)
    said = capsys.readouterr()
    assert "objects counted in 3 of 4 photos" in said.out
    assert "1 photo cannot be used: not an image" in said.err

    names = vistas_classes()["name"].tolist()
    stuff = set(vistas_classes().query("kind == 'stuff'")["name"])
    network = load_detector(str(mask2former), threshold=0.3, stuff=lambda _: stuff)
    expected = np.zeros((PHOTOS + 1, 66), int)
    for row in range(PHOTOS):
        for name, confidence in network.detect([np.array(picture(row))])[0]:
            assert confidence >= 0.3
            expected[row, names.index(name)] += 1
    assert expected.sum() >= PHOTOS
    objects = read_dataset(data.path).features["objects"]
    assert objects.dtype == np.uint16
    assert np.array_equal(objects, expected)
    missing = pd.read_parquet(data.path / "features" / "objects.missing.parquet")
    assert missing.to_dict("records") == [
        {"key": "003.jpg", "reason": "not an image: neither JPEG, PNG, WebP nor TIFF"}
    ]
    about = json.loads((data.path / "features" / "objects.json").read_text())
    assert (about["model"], about["threshold"], about["missing"]) == ("mask2former", 0.3, 1)
    assert about["classes"] == [*names, "void"]
    assert "model.safetensors" in about["weights"]["sha256"]


def test_things_are_counted_by_instance_and_stuff_by_segment(mask2former):
    photos = [np.array(picture(i)) for i in range(PHOTOS)]
    instances = load_detector(str(mask2former), threshold=0.3, stuff=nothing_fused).detect(photos)
    often, times = Counter(name for name, _ in instances[1]).most_common(1)[0]
    assert times > 1
    fused = load_detector(str(mask2former), threshold=0.3, stuff=lambda _: {often}).detect(photos)
    for apart, together in zip(instances, fused, strict=True):
        assert sorted(f for f in apart if f[0] != often) == sorted(f for f in together if f[0] != often)
        parts = [confidence for name, confidence in apart if name == often]
        assert [confidence for name, confidence in together if name == often] == ([max(parts)] if parts else [])


def test_a_detector_can_be_sent_to_another_process(mask2former):
    photos = [np.array(picture(i)) for i in range(PHOTOS)]
    detector = load_detector(str(mask2former), threshold=0.3, stuff=lambda names: {names[0]})
    # a network that has been used holds more than a new one
    found = detector.detect(photos)
    sent = pickle.loads(pickle.dumps(detector.detect))
    assert sent(photos) == found
    assert any(found)


def test_a_torchvision_detector_from_a_file(tmp_path):
    import safetensors.torch
    import torch
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large as make

    torch.manual_seed(0)
    (tmp_path / "classes.csv").write_text("name,class\n__background__,\nperson,Person\ncar,Car\ncup,\n")
    names, renamed = read_classes(tmp_path / "classes.csv")
    network, file = make(weights=None, weights_backbone=None, num_classes=len(names)), tmp_path / "ssd.safetensors"
    safetensors.torch.save_file(network.state_dict(), file)
    load = partial(load_detector, "torchvision:ssdlite320_mobilenet_v3_large", threshold=0.05, stuff=nothing_fused)
    data = photo_dataset(tmp_path, contents()[:2])
    detector = load(weights=file, classes=names)
    assert pickle.loads(pickle.dumps(detector.detect))([np.array(picture(0))]) == detector.detect(
        [np.array(picture(0))]
    )
    count_objects(data, photo_files(data), detector, renamed=renamed)
    objects = read_dataset(data.path).features["objects"]
    columns = [vistas_classes()["name"].tolist().index(name) for name in ("Person", "Car")]
    assert objects[:, columns].sum() == objects.sum() > 0
    about = json.loads((data.path / "features" / "objects.json").read_text())
    assert about["weights"]["name"] == "ssd.safetensors"
    for options, words in (
        ({}, "give weights='FILE'"),
        ({"weights": tmp_path / "none.pth"}, "no such file; give a file of weights"),
        ({"weights": file}, "does not fit this network"),
    ):
        with pytest.raises(InputError, match=words):
            load(**options)


def test_a_third_detector_is_a_function(tmp_path):
    def detect(images):
        return [[("Car", 0.9)] * int(image[0, 0, 0] > 127) + [("car", 0.9), ("cup", 0.8)] for image in images]

    data = photo_dataset(tmp_path, contents())
    detector = Detector("third", ["Car", "car", "cup"], detect, 64, {"model": "third"})
    added = count_objects(data, photo_files(data), detector, renamed={"cup": "void"}, batch_size=4, workers=0)
    bright = np.array([np.asarray(picture(i))[0, 0, 0] > 127 for i in range(PHOTOS)])
    objects = read_dataset(data.path).features["objects"]
    car = vistas_classes()["name"].tolist().index("Car")
    assert objects[:, car].tolist() == (bright + 1).tolist()
    assert objects[:, 65].tolist() == [1] * PHOTOS
    assert added.failures == {}


def test_a_class_that_the_dataset_lacks_is_an_error_that_lists_both(tmp_path):
    data = photo_dataset(tmp_path, contents()[:1])
    detector = Detector("net", ["Dodo", "person"], lambda images: [[("Dodo", 1.0)]] * len(images), 64, {})
    with pytest.raises(InputError, match=r"lacks 1 class of it: Dodo; the dataset has: Curb, Fence, .*classes='FILE'"):
        count_objects(data, photo_files(data), detector)
    assert list((data.path / "features").glob("*")) == []


def test_the_order_of_classes_does_not_matter():
    table = vistas_classes()
    by_vistas = table.sort_values("vistas_index")["name"].tolist()
    matched = match_classes(by_vistas, table["name"].tolist(), "net")
    assert [matched[name] for name in table["name"]] == list(range(65))
    assert list(matched.values()) != list(range(65))
    assert stuff_classes(matched) == set(table.query("kind == 'stuff'")["name"])


def test_a_bad_list_of_classes(tmp_path):
    path = tmp_path / "classes.csv"
    for content, words in ((b"label\ncar\n", "no column 'name'"), (b"\xff\xfe\x00", "cannot be read")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_classes(path)


def test_models_that_are_none(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"model_type": "bert"}')
    for model, words in (
        (tmp_path / "nowhere", "neither a folder, nor"),
        (tmp_path / "empty", "no config.json there"),
        (tmp_path / "odd", "cannot be read as a Mask2Former"),
        ("torchvision:resnet18", "torchvision has no detector 'resnet18'; give one of: fasterrcnn"),
    ):
        with pytest.raises(InputError, match=words):
            load_detector(str(model), threshold=0.5, stuff=nothing_fused)


def test_advice_leads_to_what_works_without_a_hub(tmp_path, monkeypatch):
    """Advice once led from detect to a model of embed, and back."""
    data = photo_dataset(tmp_path, contents())
    monkeypatch.setattr("geolive.vision.detectors.from_hub", offline)
    pytest.importorskip("transformers", reason="transformers is not installed")
    with pytest.raises(InputError) as caught:
        detect_objects(data)
    command = re.search(r"geolive (embed .*)$", str(caught.value))[1]
    with pytest.raises(InputError) as caught:
        detect_objects(data, "timm:efficientnet_lite0")
    assert command.split(" --name")[0] in str(caught.value)
    if packaged_lite0() is None:
        pytest.skip("the extra 'vision' is not installed (packaged ImageNet weights)")
    app(shlex.split(command), standalone_mode=False)
    data = read_dataset(data.path)
    with pytest.raises(InputError, match="inputs='features'"):
        check_inputs(data, Forest(), None)
    check_inputs(data, Forest(inputs="features"), "lite0")


def offline(fetch, arch, remedy):
    def unreachable():
        raise OSError("no network; try later")

    return from_hub(unreachable, arch, remedy)
