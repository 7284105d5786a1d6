"""The page: a district map as a folium.Map, and as one HTML file that needs no network."""

import base64
import copy
import hashlib
import html
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import folium
from branca.element import Element
from jinja2 import Environment, PackageLoader, Template

import geolive
from geolive.errors import InputError
from geolive.files import replacing
from geolive.indicators import MEANS_OF_AREAS, NOT_SUPPORTED_COLOUR
from geolive.mapping.districts import DistrictMap
from geolive.mapping.page_data import as_json, page_data

TILES = "https://tile.openstreetmap.org"

_TEMPLATES = Environment(loader=PackageLoader("geolive.mapping"), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def draw_map(district_map: DistrictMap) -> folium.Map:
    """A district map as a `folium.Map`, to which layers can be added before it is written with `write_page`.

    Parameters
    ----------
    district_map : DistrictMap
        What to show; it is not changed.

    Returns
    -------
    folium.Map
        With a title, legends, choice of layers and a panel on the district pointed at. folium's own `save` works too,
        but that page loads Leaflet from the network.

    Examples
    --------
    >>> import datetime
    >>> import geopandas as gpd
    >>> import shapely
    >>> from geolive.indicators import indicator
    >>> from geolive.mapping.districts import DistrictMap, Provenance
    >>> from geolive.tables import points
    >>> area = shapely.box(84, 25, 85, 26)
    >>> row = dict(district_id="1", district="Gaya", state="Bihar", pov=0.5, pov_lower=0.2, pov_upper=0.9, n_sites=4,
    ...            n_images=300, supported=True, rank_best=1, rank_worst=1)
    >>> districts = gpd.GeoDataFrame([row], geometry=[area], crs="EPSG:4326")
    >>> sites = gpd.GeoDataFrame({"surveyed": [True]}, geometry=points([84.5], [25.5]))
    >>> made = Provenance("mean", "", "invented", "a box", "", datetime.date(2026, 1, 1), "0.1.0", True, {"r2": 0.5})
    >>> shown = DistrictMap(indicator("pov"), "Bihar", area, districts, sites, 0.9, "fewer than 3 sites", made)
    >>> page = draw_map(shown)
    >>> _ = folium.CircleMarker([25.6, 85.1], tooltip="Patna").add_to(page)
    >>> page.get_root().title
    'SIMULATED: Asset wealth in Bihar'
    """
    west, south, east, north = district_map.districts.total_bounds
    made = folium.Map(
        [(south + north) / 2, (west + east) / 2], tiles=None, zoom_start=6, zoom_snap=0.25, zoom_delta=0.5
    )
    _DistrictPage(district_map).add_to(made)
    title = f"SIMULATED: {district_map.title}" if district_map.provenance.simulated else district_map.title
    made.get_root().title = html.escape(title)
    return made


def write_page(shown: folium.Map | DistrictMap, path: str | Path) -> None:
    """Write a map as one HTML file that needs no network; equal maps give equal bytes.

    Leaflet goes inside. Of what else folium loads, nothing is kept, unless layers that a user added call for it: then
    their scripts and styles are loaded from where folium says, which needs a network. A page without added layers also
    forbids the browser to load anything but OpenStreetMap's tiles and to run any script but its own.

    Parameters
    ----------
    shown : folium.Map or DistrictMap
        A map, drawn by `draw_map` or any other; it is not changed.
    path : str or Path
        The file to write; it is replaced whole or not at all.

    Raises
    ------
    InputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "map.html"
    >>> write_page(folium.Map([25.6, 85.1], tiles=None), path)
    >>> "cdn.jsdelivr.net" in path.read_text()
    False
    """
    page = _document(draw_map(shown) if isinstance(shown, DistrictMap) else shown)
    with replacing(path) as temporary:
        temporary.write_bytes(page.encode("utf-8", errors="replace"))


class _Text(Element):
    """A piece of a page as it is; branca's own Element would run it as a Jinja template, names included."""

    _template = Template("{{ this.text }}")

    def __init__(self, text: str):
        super().__init__()
        self.text = text


class _DistrictPage(Element):
    """What `draw_map` adds to a folium.Map: style, title, side panel and script."""

    def __init__(self, district_map: DistrictMap):
        super().__init__()
        self._name = "geolive"
        words = {"map": district_map, "means_of_areas": MEANS_OF_AREAS, "not_supported_colour": NOT_SUPPORTED_COLOUR}
        self.head = _TEMPLATES.get_template("head.html").render(words)
        data = page_data(district_map)
        self.side = _TEMPLATES.get_template("side.html").render(how=data.pop("how"))
        self.data = as_json(data)

    def render(self, **kwargs) -> None:
        name, figure = self.get_name(), self.get_root()
        style = f"""<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="geolive {geolive.__version__}">
<style>{_template_text("page.css")}</style>"""
        figure.header.add_child(_Text(style), name=name)
        figure.html.add_child(_Text(self.head), name=f"{name}_head", index=0)
        figure.html.add_child(_Text(self.side), name=f"{name}_side")
        script = f"{_template_text('page.js')}\ngeolive({self._parent.get_name()}, {self.data});"
        figure.script.add_child(_Text(script), name=name)


def _document(shown: folium.Map) -> str:
    """The whole page."""
    figure = copy.deepcopy(shown.get_root())
    elements = list(_elements(figure))
    _forget_rendering(figure, elements)
    for i, element in enumerate(elements):
        # branca numbers elements at random; a page must depend on its content alone
        element._id = str(i)
    for child in figure._children.values():
        child.render()
    own = [element for element in elements if isinstance(element, folium.Map | _DistrictPage)]
    own_names = {element.get_name() for element in own}
    added = [text.render() for name, text in figure.script._children.items() if name not in own_names]
    _drop_libraries(
        figure, keep_all_but_leaflet=bool(re.search(r"\$\(|jQuery|bootstrap|AwesomeMarkers", "".join(added)))
    )
    names_of_parts = own_names | {f"{name}_{part}" for name in own_names for part in ("head", "side")} | {"meta_http"}
    only_own = all(name in names_of_parts for part in _parts(figure) for name in part._children)
    parts = {
        "title": figure.title,
        "leaflet_css": _leaflet_css(),
        "leaflet_js": _leaflet_js(),
        "header": figure.header.render(),
        "body": figure.html.render(),
        "script": figure.script.render(),
    }
    template = Environment(loader=PackageLoader("geolive.mapping"), trim_blocks=True).get_template("document.html")
    return template.render(parts, policy=_policy(template.render(parts)) if only_own else None)


def _parts(figure: folium.Figure) -> list[Element]:
    return [figure.header, figure.html, figure.script]


def _elements(root: Element) -> Iterator[Element]:
    """Every element of a page once, in a fixed order; those held outside the tree (a popup's text) too."""
    seen, waiting = set(), [root]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            waiting.extend(reversed(held.values()))
        elif isinstance(held, list | tuple | set):
            waiting.extend(reversed([*held]))
        elif isinstance(held, Element) and id(held) not in seen:
            seen.add(id(held))
            yield held
            waiting.extend(reversed([value for key, value in vars(held).items() if key != "_parent"]))


def _forget_rendering(figure: folium.Figure, elements: list[Element]) -> None:
    """Take out what an earlier `save` or display left in the page, which would stand there twice."""
    names = {element.get_name() for element in elements}
    names |= {f"{name}_{part}" for name in names for part in ("head", "side")}
    names |= {name for element in elements for name, _ in _libraries(element)}
    for part in _parts(figure):
        for name in names & part._children.keys():
            del part._children[name]


def _libraries(element: Element) -> list[tuple[str, str]]:
    return [*getattr(element, "default_js", []), *getattr(element, "default_css", [])]


def _drop_libraries(figure: folium.Figure, keep_all_but_leaflet: bool) -> None:
    """Leave out what folium.Map loads; what plugins ask for by other names stays."""
    for name, _ in _libraries(folium.Map):
        if name in ("leaflet", "leaflet_css") or not keep_all_but_leaflet:
            figure.header._children.pop(name, None)


def _policy(page: str) -> str:
    """A Content-Security-Policy that allows exactly the page's own scripts, by their hashes."""
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{text}'" for text in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: {TILES}; "
        "base-uri 'none'; form-action 'none'"
    )


def _template_text(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def _leaflet_folder() -> Path:
    # found without importing it: the package wants Django
    spec = importlib.util.find_spec("js_lib_leaflet")
    if spec is None:
        raise InputError("Leaflet's files are missing; install them: pip install django-js-lib-leaflet")
    return Path(spec.submodule_search_locations[0]) / "static" / "js_lib_leaflet"


def _leaflet_css() -> str:
    """Leaflet's style with its pictures inside."""
    text = (_leaflet_folder() / "leaflet.css").read_text(encoding="utf-8")
    return re.sub(r"url\(images/([\w.-]+)\)", lambda match: f"url({_picture(match[1])})", text)


def _leaflet_js() -> str:
    """Leaflet's script; its markers find their pictures inside the page, where it would look for files."""
    text = (_leaflet_folder() / "leaflet.js").read_text(encoding="utf-8")
    text = re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE).strip()
    pictures = {
        "iconUrl": _picture("marker-icon.png"),
        "iconRetinaUrl": _picture("marker-icon-2x.png"),
        "shadowUrl": _picture("marker-shadow.png"),
    }
    return f"{text}\nL.Icon.Default.mergeOptions({as_json(pictures)});"


def _picture(name: str) -> str:
    content = (_leaflet_folder() / "images" / name).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
