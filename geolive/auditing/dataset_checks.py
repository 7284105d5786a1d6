"""Checks of a dataset: survey, photos, labels, licences."""

import numpy as np

from geolive.auditing.passport import Check, measured
from geolive.auditing.rules import FAIL, PASS, UNKNOWN, WARN, figure_text
from geolive.auditing.survey_imagery import (
    Reach,
    photo_reach,
    repeated_clusters,
    repeated_images,
    urban_or_null,
    years_after,
)
from geolive.command_line import command_line
from geolive.dataset import Dataset
from geolive.evaluation.leaks import label_rule, leaks
from geolive.splits import shared_sequences
from geolive.tables import SPLITS
from geolive.wording import count_of, listed, number_text, percent_text

_BLUR = {"mapillary": "Mapillary", "panoramax": "Panoramax"}


def check_simulation(simulated: bool, subject: str) -> Check:
    """Check that nothing is simulated.

    Examples
    --------
    >>> check_simulation(True, "map").status
    'FAIL'
    """
    if not simulated:
        return Check("simulation", subject, PASS, "Neither the survey nor the imagery is simulated.")
    return Check(
        "simulation", subject, FAIL,
        "SIMULATED: survey or imagery are invented, so nothing here describes the real places.",
        remedy="Bring your own survey and photos (ingest survey, ingest photos, fetch images) before you decide anything.",
    )  # fmt: skip


def dataset_checks(dataset: Dataset) -> list[Check]:
    """Check a dataset; checks of photos are left out where it has none, and so are checks of a survey.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    list of Check

    Examples
    --------
    >>> import geolive as gl
    >>> [check.id for check in dataset_checks(gl.make_sample("goa"))][:3]
    ['simulation', 'displacement', 'imagery_age']
    """
    surveyed, photos = len(dataset.clusters) > 0, len(dataset.images) > 0
    checks = [check_simulation(dataset.simulated, "dataset")]
    reach = photo_reach(dataset)
    if reach is not None:
        checks += [_displacement(reach), _imagery_age(dataset)]
    elif surveyed:
        checks.append(_displacement_alone("dhs" in dataset.extra))
    if surveyed and photos:
        checks += _image_coverage(dataset)
    if surveyed:
        checks.append(_duplicate_clusters(dataset))
    if photos:
        checks.append(_duplicate_images(dataset))
    if surveyed and photos and "sequence_id" in dataset.images:
        checks.append(_shared_sequences(dataset))
    if surveyed and dataset.clusters["split"].notna().any():
        checks.append(_split_leaks(dataset))
    if dataset.indicators:
        checks.append(_labels(dataset))
    if photos:
        checks += [_photo_licence(dataset), _faces(dataset)]
    return checks


def _displacement(reach: Reach) -> Check:
    radius = " and ".join(f"{number_text(km)} km of {kind} points" for kind, km in reach.radius_km.items())
    if len({round(km, 3) for km in reach.radius_km.values()}) == 1:
        radius = f"{number_text(reach.radius_km['rural'])} km of a survey point"
    joined = f"Photos are joined within {radius}" if reach.stated else f"The farthest photos are within {radius}"
    if not reach.displacement_km:
        return Check(
            "displacement", "dataset", UNKNOWN,
            f"{joined}; the dataset does not say by how much its points are displaced.",
            remedy="Look up the displacement in the survey's documentation, and join photos within it: ingest photos --radius "
            "urban=2,rural=5 for a DHS.",
        )  # fmt: skip
    ratios = {kind: reach.radius_km[kind] / km for kind, km in reach.displacement_km.items()}
    off = max(max(ratio, 1 / ratio) if ratio > 0 else np.inf for ratio in ratios.values())
    moved = " and ".join(f"{kind} points by up to {km:g} km" for kind, km in reach.displacement_km.items())
    return measured(
        "displacement", "dataset", float(off), f"{joined}; the survey displaces {moved}.",
        "Join photos within the displacement, not farther and not nearer: ingest photos --radius urban=2,rural=5.",
    )  # fmt: skip


def _displacement_alone(known: bool) -> Check:
    """Check a survey to which no photo is joined."""
    if known:
        says = (
            "The DHS displaces urban points by up to 2 km and rural points by up to 5 km; no photos are joined to them."
        )
        return Check("displacement", "dataset", PASS, says)
    return Check(
        "displacement", "dataset", UNKNOWN, "The dataset does not say by how much its points are displaced.",
        remedy="Look up the displacement in the survey's documentation, and cover it when you join photos (--radius) and compute "
        "covariates (--buffer).",
    )  # fmt: skip


def _imagery_age(dataset: Dataset) -> Check:
    after = years_after(dataset)
    if not len(after):
        return Check(
            "imagery_age", "dataset", UNKNOWN, "The years of the photos, of the survey or of both are not known.",
            remedy="Name the survey's column of years when it is read (ingest survey --year COLUMN); photos have their dates in "
            "EXIF or in a table (ingest photos --table FILE).",
        )  # fmt: skip
    middle = float(np.median(after))
    first, last, usual = (figure_text(float(years)) for years in (after.min(), after.max(), middle))
    says = (
        f"Photos were taken {first} to {last} years after the survey, the median is {usual} ({count_of(len(after), 'photo')} "
        "with both years)."
    )
    return measured(
        "imagery_age", "dataset", abs(middle), says,
        "Use photos from nearer to the survey, or a newer survey: what photos show may have changed since.",
    )  # fmt: skip


def _image_coverage(dataset: Dataset) -> list[Check]:
    clusters = dataset.clusters
    has = (clusters["n_images"] > 0).to_numpy()
    n, share = len(has), float(has.mean())
    checks = [
        measured(
            "image_coverage", "dataset", share, f"{int(has.sum()):,} of {count_of(n, 'surveyed cluster')} have photos.",
            "Fetch photos around the survey (fetch images), or use inputs that are known everywhere (covariates): models of "
            "photos learn nothing from the other clusters.",
        )
    ]  # fmt: skip
    urban = urban_or_null(clusters)
    if urban.isna().all():
        unknown = "The survey does not say which clusters are urban, so coverage cannot be compared."
        remedy = "Name the column when the survey is read: ingest survey --urban COLUMN."
        return [*checks, Check("urban_rural_coverage", "dataset", UNKNOWN, unknown, remedy=remedy)]
    shares = {kind: has[(urban == value).fillna(False)] for kind, value in (("urban", True), ("rural", False))}
    if not all(map(len, shares.values())):
        kind = "urban" if len(shares["urban"]) else "rural"
        says = f"All clusters of which it is known are {kind}, so there is nothing to compare."
        return [*checks, Check("urban_rural_coverage", "dataset", UNKNOWN, says)]
    parts = [
        f"{percent_text(part.mean())} of {count_of(len(part), f'{kind} cluster')}" for kind, part in shares.items()
    ]
    gap = float(abs(shares["urban"].mean() - shares["rural"].mean()))
    return [
        *checks,
        measured(
            "urban_rural_coverage", "dataset", gap, f"Photos exist for {' and '.join(parts)}.",
            "Fetch photos where they are missing, or read results of the less covered kind with care.",
        ),
    ]  # fmt: skip


def _duplicate_clusters(dataset: Dataset) -> Check:
    repeated, n = repeated_clusters(dataset), len(dataset.clusters)
    return measured(
        "duplicate_clusters", "dataset", repeated / n,
        f"{repeated:,} of {count_of(n, 'cluster')} repeat another one in place, year and all values.",
        "Remove the repeated rows from the survey's table, and read it again.",
    )  # fmt: skip


def _duplicate_images(dataset: Dataset) -> Check:
    repeated, n = repeated_images(dataset), len(dataset.images)
    if repeated is None:
        says = "Neither times nor contents of photos are known, so repeated photos cannot be found."
        return Check("duplicate_images", "dataset", UNKNOWN, says)
    return measured(
        "duplicate_images", "dataset", repeated / n, f"{repeated:,} of {count_of(n, 'photo')} repeat another one.",
        "Remove the repeated photos: they count more than others, and may be on both sides of a split.",
    )  # fmt: skip


def _shared_sequences(dataset: Dataset) -> Check:
    sharing, n = shared_sequences(dataset.images)["unique_cluster"].nunique(), len(dataset.clusters)
    return measured(
        "shared_sequences", "dataset", sharing / n,
        f"{sharing:,} of {count_of(n, 'cluster')} share a photo sequence with another cluster.",
        "Judge models by splits that keep neighbours together: " + command_line(
            "evaluate", "DATASET", "--split", "blocks:100km", "--out", "FOLDER"
        ),
    )  # fmt: skip


def _split_leaks(dataset: Dataset) -> Check:
    clusters = dataset.clusters[dataset.clusters["split"].notna()].reset_index(drop=True)
    part = clusters["split"].to_numpy()
    pairs = [(np.flatnonzero(part == "train"), np.flatnonzero(part == name)) for name in SPLITS[1:]]
    pairs = [(train, test) for train, test in pairs if len(train) and len(test)]
    found = leaks(dataset, clusters, dataset.cluster_places(clusters), pairs, "of the dataset") if pairs else []
    if not found:
        return Check(
            "split_leaks", "dataset", PASS, "No cluster of val or test is at a place, in a sequence or a copy of train."
        )
    says = "; ".join(words.partition(": split of the dataset: ")[2] for words in found)
    return Check(
        "split_leaks", "dataset", FAIL, f"{says[0].upper()}{says[1:]}.",
        remedy="Judge models by spatial folds, which keep such clusters together (evaluate --split blocks:100km).",
    )  # fmt: skip


def _labels(dataset: Dataset) -> Check:
    broken = [name for name in dataset.indicators if label_rule(dataset.clusters, name)]
    source = f"Values are from {dataset.source}."
    if broken:
        words = "; ".join(label_rule(dataset.clusters, name).removeprefix("LEAK: ") for name in broken)
        return Check(
            "labels", "dataset", FAIL, f"{words[0].upper()}{words[1:]}. {source}",
            remedy="Make the labels again from one threshold over all clusters, before any split.",
        )  # fmt: skip
    unknown = [name for name in dataset.indicators if name not in dataset.thresholds]
    if unknown:
        says = f"The dataset does not state the thresholds of {listed(unknown, 5)}. {source}"
        return Check("labels", "dataset", UNKNOWN, says)
    lines = [f"{name} {figure_text(dataset.thresholds[name])}" for name in dataset.indicators]
    says = f"One threshold for each indicator, fixed over all clusters before any split: {listed(lines, 6)}. {source}"
    return Check("labels", "dataset", PASS, says)


def _attribution(dataset: Dataset) -> str:
    return " ".join(str(dataset.extra.get(name) or "") for name in ("attribution", "licence")).strip()


def _photo_licence(dataset: Dataset) -> Check:
    licence = str(dataset.extra.get("licence") or "")
    stated = "" if "no licence" in licence.lower() else licence
    find_out = (
        "Find out under which licence the photos were published, and name it wherever you show them or their contents."
    )
    if stated:
        without = int(dataset.images["licence"].isna().sum()) if "licence" in dataset.images else 0
        if without:
            says = (
                f"{without:,} of {count_of(len(dataset.images), 'photo')} have no stated licence; the others: {stated}."
            )
            return Check("photo_licence", "dataset", WARN, says, remedy=find_out)
        return Check("photo_licence", "dataset", PASS, f"Stated: {_attribution(dataset)}.")
    if dataset.simulated and not _has_photos(dataset):
        return Check("photo_licence", "dataset", PASS, "There are no photos: what they would show is simulated.")
    says = "The dataset does not state the licence of its photos."
    return Check("photo_licence", "dataset", UNKNOWN, says, remedy=find_out)


def _faces(dataset: Dataset) -> Check:
    provider = next((name for word, name in _BLUR.items() if word in _attribution(dataset).lower()), None)
    if provider:
        return Check("faces", "dataset", PASS, f"{provider} blurs faces and number plates before it publishes a photo.")
    if not _has_photos(dataset):
        return Check(
            "faces", "dataset", PASS, "The dataset holds no photos, only what was counted or computed from them."
        )
    status = PASS if dataset.simulated else UNKNOWN
    if status == PASS:
        return Check("faces", "dataset", PASS, "The photos are simulated and show no people.")
    return Check(
        "faces", "dataset", WARN if dataset.extra.get("faces_blurred") is False else UNKNOWN,
        "Whether faces and number plates are blurred in the photos is not known.",
        remedy="Look at the photos, and blur faces and number plates before anybody else sees them (explain shows photos).",
    )  # fmt: skip


def _has_photos(dataset: Dataset) -> bool:
    return "img_path" in dataset.images and bool(dataset.images["img_path"].notna().any())
