"""The page of vector tiles: MapLibre and a PMTiles archive in one HTML file that needs no network."""

import base64
import importlib.util
import re
from pathlib import Path

from markupsafe import Markup

from geolive.auditing.embedded import KEY
from geolive.extras import require_extra
from geolive.indicators import NOT_SUPPORTED_COLOUR
from geolive.languages import Language
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.map_passport import passport_json
from geolive.mapping.map_words import map_language
from geolive.mapping.page_data import as_json, page_data
from geolive.mapping.webmap import template_text
from geolive.pages import page_templates, script_hashes

_HATCH = {"ground": NOT_SUPPORTED_COLOUR, "stripe": "#8a8f98"}
# what the script needs of a page's data; borders come from the tiles
_OF_PAGE = ("bounds", "facts", "first", "layers", "simulated", "unsupported")
_OF_DISTRICT = ("id", "name", "state", "facts", "says", "middle")
_WORDS = {
    "map": "page.main",
    "zoom_in": "script.zoom_in",
    "zoom_out": "script.zoom_out",
    "close": "page.close",
    "no_webgl": "page.no_webgl",
}


def tiles_page_bytes(district_map: DistrictMap, archive: bytes, *, language: str | Path | Language = "en") -> bytes:
    """Make the page that draws a map's PMTiles archive, in UTF-8; equal maps and archives give equal bytes.

    MapLibre and the archive stand inside. The page forbids the browser to load anything, and to run any script but its own.

    Parameters
    ----------
    district_map : DistrictMap
        It is not changed.
    archive : bytes
        What `write_pmtiles` writes for this map.
    language : {"en", "hi", "fr"}, Path or Language
        Language of the page.

    Raises
    ------
    MissingExtraError
        MapLibre's files are not installed.
    InputError
        There is no such language.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> from geolive.mapping.vector_tiles import write_pmtiles
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.pmtiles"
    >>> write_pmtiles(result, path)
    >>> b"<title>SIMULATED: Asset wealth in Goa</title>" in tiles_page_bytes(result, path.read_bytes())
    True
    """
    require_extra("tiles")
    language = map_language(district_map, language)
    page = page_data(district_map, language)
    drawn = {name: page[name] for name in _OF_PAGE} | {"hatch": _HATCH}
    drawn["districts"] = [{name: row[name] for name in _OF_DISTRICT if name in row} for row in page["districts"]]
    words = {"tag": language.tag} | {name: language.text(key) for name, key in _WORDS.items()}
    maplibre = _maplibre_file("maplibre-gl.js")
    start = f"geoliveTiles({as_json(drawn)}, {as_json(words)});"
    script = "\n".join([template_text("pmtiles.js"), template_text("tiles.js"), start])
    style = template_text("tiles.css")
    for name, colour in _HATCH.items():
        style = style.replace(f"{{{{ {name} }}}}", colour)
    passport = passport_json(district_map)
    values = {
        "map": district_map,
        "page": page,
        "language": language,
        "words": language.text,
        "policy": _policy([maplibre, script]),
        # these are code, and their texts are escaped already; everything else is escaped by the template
        "styles": [Markup(text) for text in (_maplibre_file("maplibre-gl.css"), style)],
        "maplibre": Markup(maplibre),
        "script": Markup(script),
        "archive": base64.b64encode(archive).decode(),
        "passport_id": KEY,
        "passports": Markup(as_json([] if passport is None else [passport])),
    }
    # a lone surrogate, as in a file name that is not UTF-8, has no place in UTF-8
    return page_templates("geolive.mapping").get_template("tiles.html").render(values).encode("utf-8", errors="replace")


def _policy(scripts: list[str]) -> str:
    # MapLibre starts its worker from a part of its own script
    return (
        f"default-src 'none'; script-src {script_hashes(scripts)}; worker-src blob:; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _maplibre_file(name: str) -> str:
    """Return one of MapLibre's files without the address of its source map, which is no part of the page."""
    # found without importing it: the package wants pydantic
    spec = importlib.util.find_spec("maplibre")
    folders = spec.submodule_search_locations if spec else None
    assert folders, "require_extra has looked for it"
    text = (Path(folders[0]) / "srcjs" / name).read_text(encoding="utf-8")
    return re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip()
