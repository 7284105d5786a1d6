"""The page: a district map as one HTML file that needs no network."""

import base64
import html
import importlib.util
import re
from pathlib import Path

from markupsafe import Markup

from geolive.auditing.embedded import KEY
from geolive.errors import InputError
from geolive.indicators import NOT_SUPPORTED_COLOUR
from geolive.languages import Language
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.map_passport import passport_json
from geolive.mapping.map_words import map_language
from geolive.mapping.page_data import as_json, several_pages
from geolive.pages import page_templates, script_hashes

TILES = "https://tile.openstreetmap.org"

_SCRIPTS = ("words.js", "choose.js", "states.js", "sites.js", "page.js", "table.js", "downloads.js")
_START = """(() => {
  const words = geoliveWords(%s);
  const page = geoliveChoose(%s);
  const view = geolive(page, words);
  geoliveTable(page, view, words);
  geoliveDownloads(page, view, words);
  view.readAddress();
})();"""


def page_bytes(district_map: DistrictMap, *others: DistrictMap, language: str | Path | Language = "en") -> bytes:
    """Make the page of a district map in UTF-8; equal maps give equal bytes.

    Leaflet stands inside. The page forbids the browser to load anything but OpenStreetMap's tiles, which the reader may
    choose, and to run any script but its own.

    Parameters
    ----------
    district_map : DistrictMap
        It is not changed.
    *others : DistrictMap
        Maps of other indicators in the same region, among which the page's reader chooses.
    language : {"en", "hi", "fr"}, Path or Language
        Language of the page.

    Raises
    ------
    InputError
        Leaflet's files are not installed, or there is no such language.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> b"<title>SIMULATED: Asset wealth in Goa</title>" in page_bytes(result)
    True
    """
    language = map_language(district_map, language)
    pages = several_pages([district_map, *others], language)
    how = pages[0]["how"] if others else pages[0].pop("how")
    leaflet = leaflet_js()
    script = "\n".join([*map(template_text, _SCRIPTS), _START % (as_json(_script_words(language)), as_json(pages))])
    values = {
        "map": district_map,
        "page": pages[0],
        "language": language,
        "words": language.text,
        "several": bool(others),
        "not_supported_colour": NOT_SUPPORTED_COLOUR,
        "how": how,
        # left out on paper, so that a map fits on one page
        "screen_only": [
            language.text(f"how.{name}") for name in ("interval", "ranks", "limits", "passport", "command", "model")
        ],
        "policy": _policy([leaflet, script]),
        # these are code, and their texts are escaped already; everything else is escaped by the template
        "styles": [Markup(text) for text in (leaflet_css(), template_text("page.css"))],
        "leaflet": Markup(leaflet),
        "script": Markup(script),
        "passport_id": KEY,
        "passports": Markup(as_json([p for p in map(passport_json, (district_map, *others)) if p is not None])),
    }
    # a lone surrogate, as in a file name that is not UTF-8, has no place in UTF-8
    return page_templates("geolive.mapping").get_template("page.html").render(values).encode("utf-8", errors="replace")


def _script_words(language: Language) -> dict:
    """Return the words that the page's script writes, with the language's tag."""
    return {"tag": language.tag, "words": language.words_of("script")}


def framed_page(district_map: DistrictMap, height: int = 620) -> str:
    """Put the page into a frame of a given size in pixels, for a notebook.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> framed_page(result)[:15]
    '<iframe srcdoc='
    """
    page = html.escape(page_bytes(district_map).decode("utf-8"))
    return f'<iframe srcdoc="{page}" style="width: 100%; height: {height}px; border: 0" title="District map"></iframe>'


def _policy(scripts: list[str]) -> str:
    """Make a Content-Security-Policy that allows exactly these scripts, by their hashes."""
    return (
        f"default-src 'none'; script-src {script_hashes(scripts)}; style-src 'unsafe-inline'; img-src data: {TILES}; "
        "base-uri 'none'; form-action 'none'"
    )


def template_text(name: str) -> str:
    """Return a script or style of the pages.

    Examples
    --------
    >>> "function geolive(" in template_text("page.js")
    True
    """
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _leaflet_folder() -> Path:
    # found without importing it: the package wants Django
    spec = importlib.util.find_spec("js_lib_leaflet")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("Leaflet's files are missing; install them with: pip install django-js-lib-leaflet")
    return Path(spec.submodule_search_locations[0]) / "static" / "js_lib_leaflet"


def leaflet_css() -> str:
    """Return Leaflet's style with its pictures inside.

    Examples
    --------
    >>> ".leaflet-container" in leaflet_css()
    True
    """
    text = (_leaflet_folder() / "leaflet.css").read_text(encoding="utf-8")
    return re.sub(r"url\(images/([\w.-]+)\)", lambda match: f"url({_picture(match[1])})", text)


def leaflet_js() -> str:
    """Return Leaflet's script without the address of its source map, which is no part of the page.

    Examples
    --------
    >>> "sourceMappingURL" in leaflet_js()
    False
    """
    text = (_leaflet_folder() / "leaflet.js").read_text(encoding="utf-8")
    return re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip()


def _picture(name: str) -> str:
    content = (_leaflet_folder() / "images" / name).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
