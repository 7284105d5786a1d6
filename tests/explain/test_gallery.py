"""Photos on the page that says why: only where asked for, small, few, with their creators' names."""

import base64
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
pytest.importorskip("captum", reason="needs the extra gradcam (captum)")

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.explain.explanation import explain
from geolive.explain.gallery import attribution, draw_gallery
from geolive.models.attention import MeanPooling
from geolive.models.imagewise.training import train_from
from geolive.models.training import train
from geolive.sources.mapillary.source import ATTRIBUTION, LICENCE
from geolive.vision.devices import Device
from geolive.vision.images import photo_files
from tests.models.imagewise.helpers import pretrained, quick, write_coloured_survey


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return write_coloured_survey(tmp_path_factory.mktemp("data") / "survey")


@pytest.fixture(scope="module")
def network(survey):
    trained = train(survey, MeanPooling(epochs=2), "pov")
    return trained, explain(survey, trained)


@pytest.fixture(scope="module")
def imagewise(survey, tmp_path_factory):
    settings = quick(epochs=2, batch_size=16, device=Device("cpu", "float32"))
    work = tmp_path_factory.mktemp("work")
    trained = train_from(pretrained(), survey, photo_files(survey), "pov", settings, work, split="random")
    return trained, explain(survey, trained, device="cpu")


def page_of(dataset, explained, gallery, folder):
    replace(explained[1], dataset=dataset, gallery=gallery).write_report(folder)
    return (folder / "explain.html").read_text()


def pictures_in(page):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(picture))) for picture in found]


def test_photos_are_on_the_page_only_where_asked_for(survey, network, tmp_path):
    without = page_of(survey, network, None, tmp_path / "without")
    assert "<img" not in without
    assert "Photos may show people, so this page has none" in without
    gallery = draw_gallery(survey, network[0], network[1].weights, photo_files(survey))
    page = page_of(survey, network, gallery, tmp_path / "with")
    assert 3 <= len(pictures_in(page)) <= 12
    assert all(max(picture.size) <= 320 for picture in pictures_in(page))
    assert len(page) < len(without) + 12 * 60_000
    assert page.count("src=") == page.count('src="data:image/jpeg;base64,')


def test_what_is_simulated_is_stamped(survey, network):
    red = {}
    for simulated in (True, False):
        data = replace(survey, simulated=simulated)
        gallery = draw_gallery(data, network[0], network[1].weights, photo_files(survey))
        picture = Image.open(io.BytesIO(base64.b64decode(gallery.pictures["highest"][0].uri.partition(",")[2])))
        red[simulated] = np.asarray(picture)
    assert np.abs(red[True].astype(int) - red[False]).max() > 60


def test_mapillary_s_photos_name_their_creators_and_the_licence(survey, network, tmp_path):
    images = survey.images.assign(creator="<b>Ann</b>")
    data = replace(survey, images=images, extra={"attribution": ATTRIBUTION, "licence": LICENCE})
    gallery = draw_gallery(data, network[0], network[1].weights, photo_files(survey))
    page = page_of(data, network, gallery, tmp_path / "why")
    assert ATTRIBUTION in page
    assert LICENCE in page
    assert "reduced in size" in page
    assert "<b>Ann" not in page
    assert page.count("by &lt;b&gt;Ann&lt;/b&gt;, CC BY-SA 4.0") == len(pictures_in(page))
    assert attribution(survey) == ""
    assert LICENCE in attribution(replace(survey, source=f"{ATTRIBUTION}; Goa"))


def test_panoramax_s_photos_each_name_their_own_licence(survey, network, tmp_path):
    licences = np.where(np.arange(len(survey.images)) % 2, "etalab-2.0", "CC-BY-SA-4.0")
    images = survey.images.assign(creator="Ann", licence=licences)
    facts = {"attribution": "Panoramax, images by their producers (etalab-2.0)", "licence": "etalab-2.0"}
    data = replace(survey, images=images, extra=facts)
    gallery = draw_gallery(data, network[0], network[1].weights, photo_files(survey))
    licence_of = dict(zip(images["key"], licences, strict=True))
    captions = [picture.caption for pictures in gallery.pictures.values() for picture in pictures]
    assert captions
    for caption in captions:
        key = caption.split()[1].rstrip(",")
        assert f"by Ann, {licence_of[key]}" in caption
    assert attribution(data) == "Panoramax, images by their producers (etalab-2.0)"


def test_an_imagewise_model_lists_what_each_photo_says(survey, imagewise, tmp_path):
    trained, found = imagewise
    photos = found.weights.photos
    test = trained.residuals[trained.residuals["part"] == "test"]
    assert set(photos["unique_cluster"]) == set(test["unique_cluster"])
    mean = photos.groupby("unique_cluster")["prediction"].mean()
    assert np.allclose(mean[test["unique_cluster"]], test["prediction"], atol=0.02)  # a processor may look in bfloat16
    one = photos[photos["unique_cluster"] == found.weights.shown["highest"]]
    without = one["prediction"].iloc[1:].mean() - one["prediction"].mean()
    assert one["change"].iloc[0] == pytest.approx(without, abs=1e-6)
    assert any("the network has not seen" in note for note in found.notes)
    assert found.write_report(tmp_path / "why") == ["explain.html", "photos.csv"]
    page = (tmp_path / "why" / "explain.html").read_text()
    assert "<img" not in page
    assert "the parts of them that matter" in page


def test_its_gallery_shows_which_parts_tell(survey, imagewise, tmp_path):
    gallery = explain(survey, imagewise[0], device="cpu", gallery=True).gallery
    assert gallery.fields == (8, 8)
    page = page_of(survey, imagewise, gallery, tmp_path / "why")
    assert "distinguishes 8 × 8 parts of a photo" in page
    assert {picture.size for picture in pictures_in(page)} == {(648, 320)}


def test_photos_that_cannot_be_used_are_named_and_none_at_all_is_refused(survey, network):
    files, weights = photo_files(survey), network[1].weights
    gallery = draw_gallery(survey, network[0], weights, files)
    broken = replace(files, paths=[None] * len(files))
    with pytest.raises(InputError, match=r"none of the \d+ photos of the gallery can be used"):
        draw_gallery(survey, network[0], weights, broken)
    shown = weights.photos.loc[weights.photos["unique_cluster"] == weights.shown["highest"], "key"]
    lost = survey.images["key"].isin(shown).to_numpy()
    some = replace(files, paths=[None if gone else path for path, gone in zip(files.paths, lost, strict=True)])
    pictures = draw_gallery(survey, network[0], weights, some).pictures
    assert all("cannot be shown: no photo" in picture.caption for picture in pictures["highest"])
    assert pictures["lowest"] == gallery.pictures["lowest"]


def test_a_folder_that_a_dataset_names_is_published_only_where_the_user_names_it_too(survey, network, tmp_path):
    elsewhere = tmp_path / "private"
    shutil.copytree(survey.path / "photos", elsewhere / "photos")
    named = read_dataset(write_dataset(replace(survey, extra={"photos_folder": str(elsewhere)}), tmp_path / "named"))
    with pytest.raises(
        InputError, match=r"private, outside of its folder, and the gallery would publish some"
    ) as error:
        explain(named, network[0], gallery=True)
    assert f"give it with photos='{elsewhere}'" in str(error.value)
    assert explain(named, network[0]).gallery is None
    assert explain(named, network[0], gallery=True, photos=elsewhere).gallery.pictures


def test_a_link_in_a_dataset_s_folder_does_not_lead_out_of_it(survey, network, tmp_path):
    elsewhere = tmp_path / "private"
    shutil.copytree(survey.path / "photos", elsewhere)
    linked = read_dataset(write_dataset(replace(survey, extra={}), tmp_path / "linked"))
    (linked.path / "photos").symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"none of the \d+ photos of the gallery can be used"):
        explain(linked, network[0], gallery=True)
