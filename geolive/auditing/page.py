"""A passport as a page that works without a network, as a table for notebooks, and as JSON."""

import html
import json
from collections.abc import Sequence
from pathlib import Path

from geolive.auditing.passport import Passport
from geolive.auditing.rules import FAIL, PASS, UNKNOWN, WARN
from geolive.errors import InputError
from geolive.files import replacing
from geolive.pages import page_templates
from geolive.wording import count_of

SUFFIXES = (".html", ".json")
# marks that distinguish the statuses without their colours
MARKS = {FAIL: "✕", WARN: "!", PASS: "✓", UNKNOWN: "?"}
_HEADS = {"dataset": "The dataset", "model": "The model", "map": "The map"}


def check_passport_file(path: Path) -> None:
    """Raise before any work where a passport cannot be written to a path.

    Raises
    ------
    InputError
        Another ending than `SUFFIXES`, or a file exists that is no passport.

    Examples
    --------
    >>> check_passport_file(Path("audit.txt"))
    Traceback (most recent call last):
    geolive.errors.InputError: out=audit.txt: must end with .html or .json
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"out={path}: must end with {' or '.join(SUFFIXES)}", parameter="out")
    if path.exists():
        try:
            with path.open("rb") as file:
                ours = b"geolive passport" in file.read(100_000)
        except OSError as error:
            raise InputError(f"{path}: exists and cannot be read ({error.strerror}); give another name") from error
        if not ours:
            raise InputError(f"{path}: exists and is not a passport of geolive; give another name to write to")


def write_passports(passports: Sequence[Passport], path: str | Path) -> Path:
    """Write passports as a page (.html) or for programs (.json); the file appears whole or not at all.

    Parameters
    ----------
    passports : sequence of Passport
        Several where a map has several indicators.
    path : str or Path

    Raises
    ------
    InputError
        Another ending, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> path = Path(tempfile.mkdtemp()) / "audit.html"
    >>> text = write_passports([gl.audit(gl.make_sample("goa"))], path).read_text()
    >>> "<script" in text, "SIMULATED" in text
    (False, True)
    """
    path = Path(path)
    check_passport_file(path)
    data = [passport.to_json() for passport in passports]
    text = page_text(passports) if path.suffix == ".html" else _json_text(data[0] if len(data) == 1 else data)
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))
    return path


def _json_text(data: dict | list) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def page_text(passports: Sequence[Passport]) -> str:
    """Make the page of one or several passports; every text from data is escaped, and no script runs.

    Examples
    --------
    >>> import geolive as gl
    >>> page_text([gl.audit(gl.make_sample("goa"))])[:15]
    '<!DOCTYPE html>'
    """
    sections = [
        {
            "passport": passport,
            "todo": [check for check in passport.worst_first if check.remedy],
            "parts": [
                (_HEADS[subject], [check for check in passport.checks if check.subject == subject])
                for subject in _HEADS
                if any(check.subject == subject for check in passport.checks)
            ],
        }
        for passport in passports
    ]
    context = {
        "sections": sections,
        "simulated": any(passport.simulated for passport in passports),
        "marks": MARKS,
        "version": passports[0].version,
        "n": count_of(len(passports), "passport"),
    }
    return page_templates("geolive.auditing").get_template("audit.html").render(context)


def table_html(passport: Passport) -> str:
    """Make a table for notebooks.

    Examples
    --------
    >>> import geolive as gl
    >>> table_html(gl.audit(gl.make_sample("goa")))[:7]
    '<table>'
    """
    rows = "".join(
        f"<tr><td>{MARKS[check.status]} {check.status}</td><td style='text-align:left'>{html.escape(check.title)}</td>"
        f"<td>{html.escape(check.figure_text)}</td><td style='text-align:left'>{html.escape(check.says)}</td></tr>"
        for check in passport.worst_first
    )
    caption = f"{passport.name}: {passport.summary}"
    return f"<table><caption>{html.escape(caption)}</caption><tbody>{rows}</tbody></table>"
