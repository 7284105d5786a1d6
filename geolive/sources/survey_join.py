"""Joins images and a survey into one dataset."""

import shlex
from dataclasses import replace

import pandas as pd

from geolive.clusters import SITE_RADIUS_KM, Radius, join_images
from geolive.dataset import Dataset
from geolive.errors import InputError


def join_survey(photos: Dataset, survey: Dataset, radius_km: Radius = SITE_RADIUS_KM) -> Dataset:
    """Join images and a survey into one dataset; each image goes to the nearest survey point within a radius, if there is one.

    Parameters
    ----------
    photos : Dataset
        Dataset without a survey, as `read_photos` and `read_images` return it.
    survey : Dataset
        Dataset of survey points, without images.
    radius_km : float or dict
        Radius in kilometres, as `geolive.clusters.join_images` takes it.

    Returns
    -------
    Dataset
        Its clusters, indicators and labels are those of the survey; its images and their features are those of `photos`. The
        clusters have the column `n_images`; the images have the columns `unique_cluster` and `country`. `rejects` holds the
        rows of both datasets; the rows of the survey have an empty `path` or `key`. It has no covariates, since those of the
        survey are not known at the images: add them again.

    Raises
    ------
    InputError
        The survey already has images, or it has no points.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> photos = make_sample("goa", seed=0)
    >>> survey = replace(photos, images=photos.images[:0], features={})
    >>> joined = join_survey(photos, survey)
    >>> int(joined.clusters.n_images.sum()) == int(joined.images.unique_cluster.notna().sum())
    True
    """
    if len(survey.images):
        raise InputError(f"{survey.name}: already has images; give a dataset made by ingest survey")
    if survey.clusters.empty:
        raise InputError(f"{survey.name}: has no survey points; give a dataset made by ingest survey")
    images, clusters = join_images(photos.images, survey.clusters, radius_km)
    rejects = pd.concat([table for table in (photos.rejects, survey.rejects) if len(table)] or [survey.rejects])
    radius = radius_km if isinstance(radius_km, dict) else float(radius_km)
    command = f"{photos.command} --survey {shlex.quote(survey.name)}"
    if radius != SITE_RADIUS_KM:
        command += " --radius " + (
            ",".join(f"{kind}={km:g}" for kind, km in radius.items()) if isinstance(radius, dict) else f"{radius:g}"
        )
    return replace(
        survey,
        images=images,
        clusters=clusters,
        features=photos.features,
        simulated=photos.simulated or survey.simulated,
        source=f"{photos.source}; {survey.source}",
        command=command,
        rejects=rejects.reset_index(drop=True).fillna({"path": "", "key": "", "kind": ""}),
        covariates=None,
        extra=survey.extra | photos.extra | {"join_radius_km": radius, "survey_command": survey.command},
    )
