"""Small photos, a dataset of them, and tiny networks with random weights."""

import io

import geopandas as gpd
import numpy as np
from PIL import Image

from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.tables import empty_clusters, points


def picture(seed=0, size=(96, 64)):
    """Blocks of random colours, so that no two pictures are alike."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)


def encoded(image, form="JPEG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photo_dataset(folder, contents):
    """A dataset folder whose image i has the photo `contents[i]` (bytes), in a folder beside it."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    names = [f"{i:03d}.jpg" for i in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        if content is not None:
            (photos / name).write_bytes(content)
    text = {"key": names, "country": "", "unique_cluster": None, "img_path": names}
    images = gpd.GeoDataFrame(text, geometry=points(np.linspace(13.1, 13.2, len(names)), np.full(len(names), 55.7)))
    images["unique_cluster"] = images["unique_cluster"].astype("str").where(images["unique_cluster"].notna())
    dataset = Dataset(images, empty_clusters(), {}, [], "test", "test", False, extra={"photos_folder": str(photos)})
    return read_dataset(write_dataset(dataset, folder / "dataset"))
