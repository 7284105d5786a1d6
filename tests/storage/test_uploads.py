"""Uploads that are stopped, changed datasets, the cache, and errors as users meet them."""

import os
import time

import numpy as np
import pytest

import geolive
from geolive import files
from geolive.errors import InputError
from geolive.feature_sets import add_features
from geolive.files import checksum
from geolive.storage import objects, upload, views
from geolive.storage.listing import FORMER, UNFINISHED
from geolive.storage.outputs import Outputs
from tests.storage.conftest import SECRET


@pytest.fixture(scope="module")
def goa():
    return geolive.make_sample("goa", most_images=1)


class Stopped(Exception):
    """The network or the process is gone."""


def stop_before(monkeypatch, name):
    """Stop the upload before the object of this name is written."""
    put = upload.upload_files

    def stopping(files, address, done):
        if any(one.endswith(name) for one in files):
            raise Stopped
        put(files, address, done)

    monkeypatch.setattr(upload, "upload_files", stopping)


def test_a_dataset_and_a_model_are_written_and_read(s3, goa):
    address = geolive.write_dataset(goa, "s3://maps/python/goa")
    read = geolive.read_dataset(address)
    assert read.images.equals(geolive.read_dataset("s3://maps/python/goa/").images)
    assert (read.features["objects"] == goa.features["objects"]).all()
    assert read.name == "s3://maps/python/goa"
    trained = geolive.train(goa, geolive.Forest(n_estimators=3), "pov")
    where = geolive.save_model(trained, "s3://maps/python/forest")
    assert (geolive.load_model(where).residuals["prediction"] == trained.residuals["prediction"]).all()
    with pytest.raises(
        InputError, match=r"s3://maps/python/goa: exists already, and geolive overwrites nothing; choose"
    ):
        geolive.write_dataset(goa, address)


def test_a_stopped_upload_is_never_read_as_a_dataset_and_can_be_done_again(s3, goa, monkeypatch):
    with monkeypatch.context() as stopped:
        stop_before(stopped, "dataset.json")
        with pytest.raises(Stopped):
            geolive.write_dataset(goa, "s3://maps/stopped/goa")
    assert f"maps/stopped/goa/{UNFINISHED}" in s3.files.find("maps/stopped")
    with pytest.raises(InputError, match="s3://maps/stopped/goa: is not whole, since its upload was stopped; run"):
        geolive.read_dataset("s3://maps/stopped/goa")
    geolive.write_dataset(goa, "s3://maps/stopped/goa")
    assert len(geolive.read_dataset("s3://maps/stopped/goa").images) == len(goa.images)
    assert f"maps/stopped/goa/{UNFINISHED}" not in s3.files.find("maps/stopped")


def test_a_command_that_had_finished_only_goes_on_with_its_upload(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    address, uploaded = "s3://maps/again/model", []

    def begin(command="train --seed 1"):
        outputs = Outputs([address], "train", command)
        return outputs, outputs.new_folder(address)

    first, place = begin()
    assert not first.finished
    place.mkdir()
    for name in ("a.bin", "b.bin", "card.json"):
        (place / name).write_text(name)
    put = upload.upload_files
    with monkeypatch.context() as stopped:
        stop_before(stopped, "card.json")
        with pytest.raises(Stopped):
            first.upload()
    second, again = begin()
    assert (second.finished, again) == (True, place)
    monkeypatch.setattr(upload, "upload_files", lambda files, *rest: (uploaded.extend(files), put(files, *rest)))
    second.upload()
    assert uploaded == ["card.json"]
    assert sorted(path.split("/")[-1] for path in s3.files.find("maps/again/model")) == ["a.bin", "b.bin", "card.json"]
    s3.files.rm("maps/again", recursive=True)
    # another command with the same outputs begins anew
    third, place = begin()
    place.mkdir()
    third._note()
    assert not begin("train --seed 2")[0].finished
    assert not place.exists()


@pytest.mark.parametrize("stopped_at", [None, "dataset.json", "features/b.npy"])
def test_a_dataset_that_is_added_to_can_be_read_at_any_time(s3, goa, tmp_path, monkeypatch, stopped_at):
    """Where the upload stops, readers find the former dataset whole; the same command then ends it."""
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    address = f"s3://maps/added-{stopped_at}/goa"
    geolive.write_dataset(goa, address)
    before = checksum(geolive.read_dataset(address).path / "dataset.json")

    def add(number):
        outputs = Outputs([address], "embed", f"embed {number}")
        folder = outputs.changed_dataset(address)
        if not outputs.finished:
            rows = np.arange(len(goa.images))
            add_features(folder, "b", [(rows, np.full((len(rows), 2), number))], {"source": "a test"})
        outputs.upload()

    if stopped_at:
        with monkeypatch.context() as stopped:
            if stopped_at == "dataset.json":
                stopped.setattr(upload, "put_object", lambda *_: (_ for _ in ()).throw(Stopped))
            else:
                stop_before(stopped, stopped_at)
            with pytest.raises(Stopped):
                add(1)
        assert checksum(geolive.read_dataset(address).path / "dataset.json") == before
    add(1)
    assert (geolive.read_dataset(address).features["b"] == 1).all()
    assert not any(FORMER in path for path in s3.files.find(address))


def test_readers_of_the_former_facts_find_a_file_that_is_being_replaced(s3, goa, tmp_path, monkeypatch):
    address = "s3://maps/replaced/goa"
    geolive.write_dataset(goa, address)
    changed = geolive.write_dataset(geolive.make_sample("goa", seed=5, most_images=1), tmp_path / "other")
    before = s3.files.cat(f"{address}/dataset.json")
    monkeypatch.setattr(upload, "put_object", lambda *_: (_ for _ in ()).throw(Stopped))
    with pytest.raises(Stopped):
        upload.upload_changes(changed, address, before)
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path / "cache"))
    assert s3.files.cat(f"{address}/images.parquet") == (changed / "images.parquet").read_bytes()
    assert geolive.read_dataset(address).images.equals(goa.images)
    # a second command that began with the same dataset does not overwrite the work of the first
    monkeypatch.undo()
    upload.upload_changes(changed, address, before)
    with pytest.raises(InputError, match=r"another command has changed it in the meantime; run the same command again"):
        upload.upload_changes(geolive.read_dataset(address).path, address, before)
        upload.upload_changes(geolive.write_dataset(goa, tmp_path / "third"), address, before)


def test_a_download_goes_on_where_it_was_stopped(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    monkeypatch.setattr(objects, "_PIECE", 1000)
    content = np.random.default_rng(0).bytes(5500)
    s3.files.pipe("maps/large.bin", content)
    asked = []

    class Storage:
        """The bucket, whose fourth request for a piece finds no network."""

        def cat_file(self, path, start=None, end=None):
            asked.append(start)
            if len(asked) == 4:
                raise Stopped
            return s3.files.cat_file(path, start=start, end=end)

    monkeypatch.setattr(objects, "filesystem", lambda _: Storage())
    with pytest.raises(Stopped):
        views.local_copy("s3://maps/large.bin")
    assert views.local_copy("s3://maps/large.bin").read_bytes() == content
    assert asked == [0, 1000, 2000, 3000, 3000, 4000, 5000]
    # it is not asked for again
    assert views.local_copy("s3://maps/large.bin").read_bytes() == content
    assert len(asked) == 7


def test_the_cache_is_bounded(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    monkeypatch.setenv("GEOLIVE_STORAGE_GB", "0.00002")
    for i in range(4):
        s3.files.pipe(f"maps/cached/{i}.bin", bytes([i]) * 10_000)
        path = views.local_copy(f"s3://maps/cached/{i}.bin")
        past = time.time() - 7200 + i
        for file in (path, path.parent):
            os.utime(file, (past, past))
    kept = [file.stat().st_size for file in (tmp_path / "storage" / "objects").iterdir()]
    assert sum(kept) <= 30_000
    assert views.local_copy("s3://maps/cached/0.bin").read_bytes() == bytes(10_000)
    monkeypatch.setenv("GEOLIVE_STORAGE_GB", "many")
    with pytest.raises(InputError, match="GEOLIVE_STORAGE_GB is 'many': it must be a number of gigabytes"):
        views.local_copy("s3://maps/cached/1.bin")


REFUSED = [
    ("s3://maps/nothing", {}, "s3://maps/nothing: no such object or folder; check the address"),
    ("s3://no-such-bucket/x", {}, "there is no bucket 'no-such-bucket'; check its name, and that AWS_ENDPOINT_URL"),
    (f"s3://key:{SECRET}@maps/x", {}, "must not hold a key or a password; write s3://BUCKET/NAME, and give the key by"),
    ("s3://maps/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3://maps/x/dataset.json: the server cannot be reached; check"),
    ("s3://maps/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"},
     "no key for this storage was found; set AWS_ACCESS_KEY_ID"),
    ("s3://maps/x", {"AWS_PROFILE": "nobody"}, "no key for this storage was found; set AWS_ACCESS_KEY_ID"),
    ("gs://maps/x", {}, "need gcsfs, which is not installed; run: pip install gcsfs"),
    ("hdfs://maps/x", {}, "hdfs://maps/x: this kind of storage is not read; copy it to s3://"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "environment", "said"), REFUSED, ids=[f"{a[:20]} {list(e)[:1]}" for a, e, _ in REFUSED]
)
def test_errors_are_one_line_with_a_remedy(command, address, environment, said):
    if address.startswith("gs:") and geolive.extras.has_extra("google-storage"):
        pytest.skip("gcsfs is installed")
    done = command("info", address, **environment)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert SECRET not in done.stderr + done.stdout


def test_a_bucket_that_does_not_exist_is_found_before_the_work(command):
    done = command("sample", "--region", "goa", "--out", "s3://no-such-bucket/goa")
    assert done.returncode == 2
    assert "there is no bucket 'no-such-bucket'" in done.stderr
    assert "Simulating" not in done.stderr


def test_a_token_is_not_copied_to_the_cache(s3, command):
    s3.files.pipe("maps/token.txt", SECRET.encode())
    words = ("--bbox", "74,15,74.1,15.1", "--token-file", "s3://maps/token.txt", "--out", "s3://maps/with-token")
    done = command("fetch", "images", *words)
    assert done.returncode == 2
    assert "--token-file s3://maps/token.txt: must be a file on this computer" in done.stderr
    assert not any(SECRET.encode() in path.read_bytes() for path in s3.cache.rglob("*") if path.is_file())


def test_photos_in_another_bucket_are_opened_only_if_they_are_named(s3, goa, tmp_path):
    from dataclasses import replace

    from geolive.vision.images import photo_files

    images = goa.images.assign(img_path="1.jpg")
    stranger = replace(goa, images=images, extra={"photos_folder": "s3://maps/cached"})
    folder = geolive.write_dataset(stranger, tmp_path / "stranger")
    with pytest.raises(
        InputError, match="in another bucket than the dataset; if that is right, give it with photos='s3://"
    ):
        photo_files(geolive.read_dataset(folder))
    s3.files.pipe("maps/photos/1.jpg", b"not a photo")
    assert photo_files(geolive.read_dataset(folder), "s3://maps/photos").address == "s3://maps/photos"
    own = geolive.write_dataset(replace(stranger, extra={"photos_folder": "s3://maps/photos"}), "s3://maps/stranger")
    assert photo_files(geolive.read_dataset(own)).address == "s3://maps/photos"


def test_python_functions_read_addresses_and_name_them_in_errors(s3, tmp_path):
    s3.files.pipe("maps/tables/survey.csv", b"lon,lat,wealth\n74.0,15.3,1\n74.1,15.4,2\n")
    read = geolive.read_survey("s3://maps/tables/survey.csv", "lon", "lat", {"wealth": "wealth"})
    assert read.clusters["wealth"].tolist() == [1, 2]
    s3.files.pipe("maps/broken/card.json", b"{}")
    with pytest.raises(InputError, match=r"^s3://maps/broken"):
        geolive.load_model("s3://maps/broken")
    refused = pytest.raises(
        InputError, match=r"s3://maps/x.csv: is written by the command line only; write to a local path"
    )
    with refused, files.replacing("s3://maps/x.csv"):
        pass
    assert not (tmp_path / "s3:").exists()


def test_of_several_processes_that_train_together_only_the_first_uploads(s3, command, goa):
    geolive.write_dataset(goa, "s3://maps/ranks/goa")
    words = ("info", "s3://maps/ranks/goa", "--map", "s3://maps/ranks/info.png")
    second = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "1"}
    done = command(*words, **second)
    assert (done.returncode, s3.files.exists("maps/ranks/info.png")) == (0, False), done.stderr
    done = command(*words, **second | {"RANK": "0"})
    assert (done.returncode, s3.files.exists("maps/ranks/info.png")) == (0, True), done.stderr


def test_a_file_that_a_command_does_not_replace_is_left_alone(s3):
    s3.files.pipe("maps/kept/goa.geojson", b"{}")
    outputs = Outputs(["s3://maps/kept/goa.geojson"], "fetch boundaries", "")
    with pytest.raises(InputError, match=r"s3://maps/kept/goa.geojson: exists already, and geolive overwrites nothing"):
        outputs.file("s3://maps/kept/goa.geojson", replace=False)
    assert outputs.file("s3://maps/kept/goa.geojson").name == "goa.geojson"
