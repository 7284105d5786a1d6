"""`fetch boundaries`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import fetch
from geolive.cli.next_steps import say_next


@fetch.command("boundaries")
def fetch_boundaries(
    country: Annotated[str, typer.Option(help="Three-letter code of the country (ISO 3166-1).", metavar="KEN")],
    out: Annotated[Path, typer.Option(help="File to write (.geojson); it must not exist yet.", metavar="FILE")],
    level: Annotated[
        int, typer.Option(help="Administrative level: 0 is the country, 1 states or provinces, 2 districts; at most 5.")
    ] = 2,
    simplified: Annotated[bool, typer.Option(help="Fetch simplified boundaries, with fewer vertices.")] = False,
    refresh: Annotated[
        bool, typer.Option(help="Download again, even if the cache holds the file of an earlier run.")
    ] = False,
    survey: Annotated[
        Path | None,
        typer.Option(
            help="A dataset: the command compares its years with the year of the boundaries, and a note says if they "
            "differ.",
            metavar="DATASET",
        ),
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(help="Address of another API.", envvar="GEOLIVE_BOUNDARIES_API", metavar="URL"),
    ] = None,
) -> None:
    """Download the districts of a country from geoBoundaries, for predict --boundaries."""
    from geolive.console import note, say, step
    from geolive.sources.boundaries import API, fetch_boundaries, years_apart

    years = [] if survey is None else _years_of(survey)
    with step(f"Fetching level {level} of {country.upper()}"):
        fetched = fetch_boundaries(country, level, out, simplified=simplified, refresh=refresh, api=api or API)
    if fetched.from_cache:
        note("used the file that an earlier run kept; --refresh downloads it again")
    say(
        f"{fetched.path}: {fetched.n_districts} districts from geoBoundaries; source: {fetched.source or 'not stated'}; "
        f"licence: {fetched.licence or 'not stated'}; year of the borders: {fetched.year or 'not stated'}"
    )
    if survey is not None and not years:
        note(f"{survey}: its clusters have no year to compare with that of the boundaries")
    if warning := years_apart(fetched.year, years):
        note(warning.replace("info DATASET --boundaries FILE", f"info {survey} --boundaries {fetched.path}"))
    words = ("--dataset", "DATASET", "--boundaries", fetched.path, "--out", "maps/map.html")
    say_next("predict", *words, to="maps a dataset in these districts")


def _years_of(survey: Path) -> list[int]:
    """Return the years of a dataset's surveyed clusters."""
    from geolive.dataset_folder import read_dataset

    clusters = read_dataset(survey).clusters
    return sorted({int(year) for year in clusters["year"].dropna()}) if "year" in clusters else []
