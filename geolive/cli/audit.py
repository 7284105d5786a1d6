"""`audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import app

if TYPE_CHECKING:
    from geolive.auditing.passport import Passport


@app.command()
def audit(
    subject: Annotated[
        Path,
        typer.Argument(help="A map's file, a bundle or a dataset.", metavar="MAP|BUNDLE|DATASET"),
    ],
    dataset: Annotated[
        Path | None, typer.Option(help="With a bundle: the dataset that it was trained on.", metavar="DIR")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A page (.html) or a file for programs (.json) to write.", metavar="FILE")
    ] = None,
) -> None:
    """Check the quality of a map, a model or a dataset: its passport of PASS, WARN and FAIL."""
    from geolive.auditing.audit import passports_of
    from geolive.auditing.page import check_passport_file, write_passports
    from geolive.console import say, step

    if out is not None:
        check_passport_file(out)
    with step(f"Checking {subject}"):
        passports = passports_of(subject, dataset)
    for passport in passports:
        _show(passport)
    if out is not None:
        say(f"Written: {write_passports(passports, out)}")
    say(_next(subject, out))


def _show(passport: "Passport") -> None:
    from geolive.console import say, show_table

    say(f"Passport of {passport.name}")
    say(passport.summary)
    rows = [[check.status, check.title, check.figure_text or "–", check.threshold] for check in passport.worst_first]
    show_table("Checks", ["status", "check", "figure", "threshold"], rows)
    for check in passport.worst_first:
        if check.remedy:
            say(f"{check.status}, {check.title}: {check.says} {check.remedy}")


def _next(subject: Path, out: Path | None) -> str:
    """Say what to do next: open the page, or write one."""
    from geolive.command_line import command_line

    if out is not None and out.suffix == ".html":
        return f"Next: open {out} in a browser, and correct the failed checks."
    return f"Next: {command_line('audit', subject, '--out', 'audit.html')} makes a page of it."
