"""A brief as a file, of the kind that its name ends in."""

import re
from pathlib import Path

from geolive.brief.document import Brief
from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.files import replacing

SUFFIXES = (".html", ".pdf")
_SIGNS = {".html": rb'<meta name="description" content="geolive brief">', ".pdf": rb"/Subject \(geolive brief\)"}


def check_brief_file(path: Path) -> None:
    """Raise before any work where a brief cannot be written to a path.

    Raises
    ------
    InputError
        Another ending than `SUFFIXES`, matplotlib is not installed, or a file exists that geolive did not write as a brief.

    Examples
    --------
    >>> check_brief_file(Path("brief.docx"))
    Traceback (most recent call last):
    geolive.errors.InputError: out=brief.docx: must end with .html or .pdf
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"out={path}: must end with {' or '.join(SUFFIXES)}", parameter="out")
    require_extra("plots")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, so no file of this name can be written; give another name")
    if path.exists():
        try:
            ours = re.search(_SIGNS[path.suffix], path.read_bytes()) is not None
        except OSError as error:
            raise InputError(f"{path}: exists and cannot be read ({error.strerror}); give another name") from error
        if not ours:
            raise InputError(f"{path}: exists and is not a brief of geolive; give another name to write to")


def write_brief(brief: Brief, path: str | Path) -> Path:
    """Write a brief as a page (.html) or as A4 pages (.pdf); the file appears whole or not at all.

    Parameters
    ----------
    brief : Brief
    path : str or Path

    Raises
    ------
    InputError
        Another ending, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> brief = Brief("Wealth", "In Goa", [], False, "", "2026-01-01", "0.1.0")
    >>> write_brief(brief, Path(tempfile.mkdtemp()) / "brief.html").name
    'brief.html'
    """
    from geolive.brief.html_page import html_text
    from geolive.brief.pdf_pages import write_pdf

    path = Path(path)
    check_brief_file(path)
    with replacing(path) as temporary:
        if path.suffix == ".pdf":
            write_pdf(brief, temporary)
        else:
            temporary.write_bytes(html_text(brief).encode("utf-8", "replace"))
    return path
