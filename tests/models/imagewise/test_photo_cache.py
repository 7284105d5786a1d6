"""Decoded photos: seed, epoch and image alone decide order and augmentation, and an interrupted decoding continues."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geolive.errors import InputError
from geolive.models.imagewise.photo_cache import augment, decode_photos, epoch_order, uniforms
from geolive.vision.images import PhotoFiles
from geolive.vision.preprocessing import Preprocessing
from tests.small_disk import small_disk

SMALL = Preprocessing(16, 16)
seeds = st.integers(0, 2**31)


@given(seeds, st.integers(0, 50), st.lists(st.integers(0, 10**7), min_size=1, max_size=9, unique=True))
def test_what_is_drawn_for_a_photo_does_not_depend_on_its_company(seed, epoch, rows):
    rows = np.array(rows)
    together = uniforms(seed, epoch, rows, 9)
    assert np.array_equal(
        together, np.concatenate([uniforms(seed, epoch, rows[i : i + 1], 9) for i in range(len(rows))])
    )
    assert ((together >= 0) & (together < 1)).all()
    assert len(np.unique(together)) == together.size
    assert not np.array_equal(together, uniforms(seed, epoch + 1, rows, 9))


def test_draws_are_even_and_do_not_go_together():
    drawn = uniforms(0, 3, np.arange(20_000), 3)
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.01
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.03
    assert np.abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.03


@given(seeds, st.integers(0, 50), st.integers(1, 200))
def test_an_epoch_takes_each_photo_once(seed, epoch, n):
    assert sorted(epoch_order(n, seed, epoch)) == list(range(n))


def test_epochs_have_orders_of_their_own():
    assert not np.array_equal(epoch_order(50, 0, 0), epoch_order(50, 0, 1))
    assert not np.array_equal(epoch_order(50, 0, 0), epoch_order(50, 1, 0))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_augmentation_keeps_the_range_and_treats_photos_singly(seed):
    pixels = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (4, 3, 12, 12), dtype=np.uint8))
    drawn = uniforms(seed, 0, np.arange(4), 9)
    changed = augment(pixels, drawn)
    assert changed.shape == pixels.shape
    assert 0 <= changed.min() <= changed.max() <= 255
    torch.testing.assert_close(changed[2:3], augment(pixels[2:3], drawn[2:3]), atol=1e-3, rtol=0)


def test_nothing_drawn_changes_nothing_and_up_stays_up():
    pixels = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    pixels[:, :, :4] = 200  # sky above
    # the middle of every range, not mirrored, the whole picture
    none = np.array([[0.9, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    torch.testing.assert_close(augment(pixels, none), pixels.float(), atol=1e-3, rtol=0)
    for seed in range(20):
        changed = augment(pixels, uniforms(seed, 0, np.array([seed]), 9))
        assert changed[:, :, 0].mean() > changed[:, :, -1].mean() + 60


def test_mirroring_mirrors():
    pixels = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    pixels[..., :4] = 200
    mirrored = np.array([[0.1, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    torch.testing.assert_close(augment(pixels, mirrored), pixels.flip(3).float(), atol=1e-3, rtol=0)


def photos(folder, n=5):
    folder.mkdir()
    for i in range(n):
        Image.new("RGB", (40, 32), (50 * i, 10, 10)).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes(b"no photo")
    return PhotoFiles(folder, [f"{i}.png" for i in range(n)], [None] * n)


def test_decoded_photos_are_those_asked_for_and_failures_are_told(tmp_path):
    files = photos(tmp_path / "photos")
    found = decode_photos(files, np.array([4, 2, 1]), SMALL, tmp_path / "work", {"a": 1}, workers=0)
    assert found.read(np.array([0, 2]))[:, 0, 0, 0].tolist() == [200, 50]
    assert list(found.failures) == [1]
    assert "not an image" in found.failures[1]


def test_a_stopped_decoding_goes_on_and_other_work_is_refused(tmp_path, monkeypatch):
    files, rows, work = photos(tmp_path / "photos"), np.array([0, 1, 3, 4]), tmp_path / "work"
    monkeypatch.setattr("geolive.models.imagewise.photo_cache._DECODED_AT_ONCE", 1)
    monkeypatch.setattr("geolive.models.imagewise.photo_cache._TOLD_EVERY", 1)

    def stop(words):
        if "2 of 4" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_photos(files, rows, SMALL, work, {"a": 1}, 0, stop)
    (tmp_path / "photos" / "0.png").unlink()  # what is done is not read again
    told = []
    found = decode_photos(files, rows, SMALL, work, {"a": 1}, 0, told.append)
    assert [words.split()[1] for words in told] == ["3", "4"]
    assert found.read(np.arange(4))[:, 0, 0, 0].tolist() == [0, 50, 150, 200]
    with pytest.raises(InputError, match="another a"):
        decode_photos(files, rows, SMALL, work, {"a": 2}, 0)


def test_a_panorama_gives_one_of_its_views(tmp_path):
    (tmp_path / "photos").mkdir()
    pixels = np.zeros((64, 128, 3), np.uint8)
    for quarter in range(4):
        pixels[:, 32 * quarter : 32 * quarter + 32] = 60 * quarter
    Image.fromarray(pixels).save(tmp_path / "photos" / "pano.png")
    files = PhotoFiles(tmp_path / "photos", ["pano.png"] * 8, [True] * 8)
    found = decode_photos(files, np.arange(8), SMALL, tmp_path / "work", {}, workers=0)
    assert found.read(np.arange(8))[:, 0, 8, 8].tolist() == [0, 60, 120, 180] * 2


def test_no_photo_at_all_is_an_error(tmp_path):
    files = PhotoFiles(tmp_path, [None, None], [None, None])
    with pytest.raises(InputError, match="none of the 2 photos can be used: no photo"):
        decode_photos(files, np.arange(2), SMALL, tmp_path / "work", {}, workers=0)


def test_a_disk_without_room_is_named_with_all_that_is_needed(tmp_path):
    with small_disk(tmp_path / "disk", "500m") as disk:
        words = r"disk/pixels: decoded photos need 0 MB, 1,000 MB must stay free for checkpoints, and 52\d MB are free"
        with pytest.raises(InputError, match=words):
            decode_photos(PhotoFiles(tmp_path, ["a.png"], [None]), np.array([0]), SMALL, disk / "pixels", {}, workers=0)
