"""`fetch boundaries`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import fetch


@fetch.command("boundaries")
def fetch_boundaries(
    country: Annotated[str, typer.Option(help="A country's code of three letters (ISO 3166-1).", metavar="KEN")],
    out: Annotated[Path, typer.Option(help="The .geojson file to write; it must not exist.", metavar="FILE")],
    level: Annotated[int, typer.Option(help="0 the country, 1 states or provinces, 2 districts, up to 5.")] = 2,
    simplified: Annotated[bool, typer.Option(help="Fewer vertices, a smaller file.")] = False,
    refresh: Annotated[bool, typer.Option(help="Download the file even if it is kept from an earlier run.")] = False,
    api: Annotated[
        str | None,
        typer.Option(help="Another address of the API.", envvar="GEOLIVE_BOUNDARIES_API", metavar="URL"),
    ] = None,
) -> None:
    """Download a country's districts from geoBoundaries, for predict --boundaries."""
    from geolive.console import note, say, step
    from geolive.sources.boundaries import API, fetch_boundaries

    with step(f"Fetching level {level} of {country.upper()}"):
        fetched = fetch_boundaries(country, level, out, simplified=simplified, refresh=refresh, api=api or API)
    if fetched.from_cache:
        note("kept from an earlier run; --refresh downloads it again")
    say(
        f"{fetched.path}: {fetched.n_districts} districts from geoBoundaries; source: {fetched.source or 'not stated'}; "
        f"licence: {fetched.licence or 'not stated'}"
    )
    say(f"Use it with: predict --boundaries {fetched.path}")
