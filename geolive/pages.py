"""What all HTML pages share: templates that escape every text, and the policy that lets a browser run known scripts alone."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def page_templates(package: str) -> "Environment":
    """Return the templates of a package, beside those that all pages share.

    Every text that is not marked as code is escaped.

    Parameters
    ----------
    package : str
        A package with a folder `templates`.

    Examples
    --------
    >>> page_templates("geolive.mapping").get_template("page.html").name
    'page.html'
    >>> page_templates("geolive.mapping").from_string("{{ name }}").render(name="<b>")
    '&lt;b&gt;'
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    loader = ChoiceLoader([PackageLoader(package), PackageLoader("geolive")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def script_hashes(scripts: Sequence[str]) -> str:
    """Return the hashes of scripts as a Content-Security-Policy lists them, so that a browser runs these scripts alone.

    Examples
    --------
    >>> script_hashes(["let a = 1;"])
    "'sha256-xY6QKfH9PRsQnLz56nj6MBwiK5oHg+im1Jkpdp1x/Ck='"
    """
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return " ".join(f"'sha256-{text}'" for text in hashes)
