// Draws a district map into the page.
// Names come from data files: they are only ever set as text, never as HTML.
function geolive(page, words) {
  "use strict";
  const map = L.map("geolive-map", { zoomSnap: 0.25, zoomDelta: 0.5, zoomControl: false });
  L.control.zoom({ zoomInTitle: words("zoom_in"), zoomOutTitle: words("zoom_out") }).addTo(map);
  map.setView([(page.bounds[0][0] + page.bounds[1][0]) / 2, (page.bounds[0][1] + page.bounds[1][1]) / 2], 6);
  const SVG = "http://www.w3.org/2000/svg";
  const HATCH = "url(#geolive-hatch)";
  const at = (id) => document.getElementById(id);
  const canHover = window.matchMedia("(hover: hover)").matches;

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined && text !== null) element.textContent = text;
    return element;
  }

  function drawn(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  }

  // ---- districts -------------------------------------------------------------------------------------------------

  map.getContainer().setAttribute("aria-label", page.title);
  const pane = (name, order) => Object.assign(map.createPane(name).style, { zIndex: order, pointerEvents: "none" });
  pane("geolive-edge", 390);
  pane("geolive-states", 410);
  pane("geolive-outline", 420);
  pane("geolive-sites", 430);
  pane("geolive-mark", 435);
  pane("geolive-names", 440);

  const base = { renderer: L.svg({ padding: 1 }), smoothFactor: 0, noClip: true, className: "geolive-district" };
  const shapes = page.districts.map((district) =>
    L.polygon(L.GeoJSON.coordsToLatLngs(district.shape, 2), { ...base, color: "#fff", weight: 0.9, fillOpacity: 1 }).addTo(map));
  // drawn below the districts, whose white borders leave of it only the region's edge
  const line = { interactive: false, fill: false, smoothFactor: 0, noClip: true };
  L.polygon(shapes.map((shape) => shape.getLatLngs()).flat(), { ...line, pane: "geolive-edge", color: "#5d6673", weight: 3 }).addTo(map);
  if (page.districts.some((district) => district.state)) {
    const borders = L.GeoJSON.coordsToLatLngs(geoliveStateBorders(page.districts), 1);
    L.polyline(borders, { ...line, pane: "geolive-states", className: "geolive-states", color: "#1c2430", weight: 1.7, opacity: 0.85 }).addTo(map);
  }
  const outline = [["#fff", 5.5], ["#111", 2.5]].map(([color, weight]) =>
    L.polygon([], { ...line, pane: "geolive-outline", color, weight, lineJoin: "round" }).addTo(map));

  const tip = L.tooltip({ className: "geolive-tip", direction: "top", offset: [0, -6] });
  let pinned = -1;
  // what else shows the district that is pointed at, or was chosen
  const pointed = [];
  const chosen = [];

  function point(row, onMapOnly) {
    outline.forEach((part) => part.setLatLngs(row < 0 ? [] : shapes[row].getLatLngs()));
    if (!onMapOnly) drawInfo(row);
    pointed.forEach((tell) => tell(row));
  }

  function pin(row) {
    pinned = row;
    point(row);
    chosen.forEach((tell) => tell(row));
    writeAddress();
  }

  // chosen elsewhere than on the map, which shows the district then
  function choose(row) {
    const bounds = shapes[row].getBounds();
    if (bounds.isValid() && !map.getBounds().contains(bounds)) map.panTo(bounds.getCenter(), { animate: false });
    pin(row);
  }

  // ---- a link opens at a district and a layer: #district=230&show=uncertainty ---------------------------------------

  // written only once the address that the page was opened with has been read
  let read = false;

  function writeAddress() {
    if (!read) return;
    const parts = new URLSearchParams();
    if (page.named) parts.set("indicator", page.indicator);
    if (pinned >= 0) parts.set("district", page.districts[pinned].id);
    if (shown && shown.name !== page.first) parts.set("show", shown.name);
    try {
      history.replaceState(null, "", parts.size || location.hash ? "#" + parts : location.href);
    } catch {
      // a page inside a frame without an address has nothing to link to
    }
  }

  function readAddress() {
    const parts = new URLSearchParams(location.hash.slice(1));
    read = true;
    const input = at("geolive-layer-" + parts.get("show"));
    if (input && page.layers.some((layer) => layer.name === parts.get("show"))) input.click();
    const row = page.districts.findIndex((district) => district.id === parts.get("district"));
    if (row >= 0) choose(row);
  }

  shapes.forEach((shape, row) => {
    const district = page.districts[row];
    const path = shape.getElement();
    const facts = page.facts.map((label, i) => [label, district.facts[i]]).filter(([, text]) => text !== null);
    path.dataset.districtId = district.id;
    path.setAttribute("tabindex", "0");
    path.setAttribute("role", "img");
    path.setAttribute("aria-label", [district.name, ...facts.map(([label, text]) => label + ": " + text), district.says.join(" ")].join(". "));
    path.addEventListener("focus", () => {
      const bounds = shape.getBounds();
      if (bounds.isValid() && !map.getBounds().intersects(bounds)) map.panTo(bounds.getCenter(), { animate: false });
      pin(row);
    });
    shape.on("mouseover", () => point(row));
    shape.on("mouseout", () => {
      map.closeTooltip(tip);
      point(pinned);
    });
    shape.on("click", (event) => {
      L.DomEvent.stop(event);
      pin(row);
    });
    if (canHover) {
      shape.on("mousemove", (event) => {
        const content = make("div");
        content.append(make("strong", "", district.name), make("span", "", district.facts[0]));
        tip.setLatLng(event.latlng).setContent(content);
        if (!map.hasLayer(tip)) map.openTooltip(tip);
      });
    }
  });
  map.on("click", () => pin(-1));
  document.addEventListener("keydown", (event) => {
    // in the field of the search it clears the field
    if (event.key === "Escape" && pinned >= 0 && event.target.id !== "geolive-search") pin(-1);
  });

  // ---- the panel on one district ---------------------------------------------------------------------------------

  function drawInfo(row) {
    const panel = at("geolive-info");
    panel.replaceChildren();
    delete panel.dataset.districtId;
    at("geolive-words-text").textContent = row < 0 ? page.region : sentence(page.districts[row], row);
    if (row < 0) {
      panel.append(make("p", "geolive-quiet", words(canHover ? "point_hint" : "tap_hint")));
      return;
    }
    const district = page.districts[row];
    panel.dataset.districtId = district.id;
    const name = make("h2", "", district.name);
    if (district.state) name.append(make("span", "geolive-quiet", district.state));
    const list = make("dl");
    page.facts.forEach((label, i) => {
      if (district.facts[i] === null) return;
      const value = make("dd", i === 0 ? "geolive-value" : "", district.facts[i]);
      if (i === 0 && district.value !== null) value.dataset.value = district.value;
      list.append(make("dt", "", label), value);
    });
    panel.append(name);
    if (district.value !== null) panel.append(strip(district));
    panel.append(list);
    if (!district.says.length) return;
    const says = make("div", "geolive-says");
    district.says.forEach((sentence) => says.append(make("p", "", sentence)));
    panel.append(says);
  }

  // a sentence to read aloud, as geolive.mapping.page_sentences writes it
  function sentence(district, row) {
    if (district.value === null) return words("sentence_none", { district: district.name });
    const [value, interval, rank] = district.facts;
    const about = { district: district.name, indicator: page.in_text, value, level: page.level, interval };
    const compared = page.sides[page.layers.at(-1).classes[row]];
    return [words("sentence_value", about), compared, rank && words("sentence_rank", { first: page.first_words, rank })].filter(Boolean).join(" ");
  }

  // the interval across the classes of the legend: what a district's colour could as well have been
  const values = page.layers[0].items;
  const known = page.districts.filter((d) => d.value !== null);
  const low = known.reduce((least, d) => Math.min(least, d.lower), values[0]?.low ?? 0);
  const high = known.reduce((most, d) => Math.max(most, d.upper), values.at(-1)?.high ?? 0);
  function strip(district) {
    const x = (value) => (high > low ? 3 + (294 * (value - low)) / (high - low) : 150);
    const picture = drawn("svg", { viewBox: "0 0 300 26", class: "geolive-strip", "aria-hidden": "true" });
    picture.append(drawn("rect", { x: 3, y: 16, width: 294, height: 6, fill: "#dfe3e8" }));
    values.forEach((item) =>
      picture.append(drawn("rect", { x: x(item.low), y: 16, width: x(item.high) - x(item.low), height: 6, fill: item.colour })));
    const line = { stroke: "currentColor", "stroke-width": 2 };
    const [left, right] = [x(district.lower), x(district.upper)];
    picture.append(
      drawn("line", { x1: left, x2: right, y1: 7, y2: 7, ...line }),
      drawn("line", { x1: left, x2: left, y1: 3, y2: 11, ...line }),
      drawn("line", { x1: right, x2: right, y1: 3, y2: 11, ...line }),
      drawn("circle", { cx: x(district.value), cy: 7, r: 4.5, fill: "currentColor" }));
    return picture;
  }

  // ---- legend and layers -----------------------------------------------------------------------------------------

  let shown = page.layers.find((layer) => layer.name === page.first);

  function legendItem(kind, symbol, text, count) {
    const item = make("li", "geolive-legend-item");
    item.dataset.kind = kind;
    const swatch = drawn("svg", { width: 26, height: 18, "aria-hidden": "true" });
    swatch.append(symbol);
    item.append(swatch, make("span", "", text));
    if (count) item.append(make("span", "geolive-count", count));
    at("geolive-legend").append(item);
    return item;
  }

  function drawLegend() {
    at("geolive-legend").replaceChildren();
    at("geolive-legend-title").textContent = shown.title;
    at("geolive-legend-unit").replaceChildren(make("span", "", shown.unit), make("span", "", words("districts")));
    const box = (fill) => drawn("rect", { x: 0.5, y: 0.5, width: 25, height: 17, fill, stroke: "#1c243055" });
    shown.items.forEach((item) => {
      const entry = legendItem("class", box(item.colour), [item.mark, item.label].filter(Boolean).join(" "), item.count);
      if (item.low === undefined) return;
      entry.dataset.low = item.low;
      entry.dataset.high = item.high;
    });
    if (page.unsupported) legendItem("unsupported", box(HATCH), page.unsupported.label, page.unsupported.count);
    if (!showsSites()) return;
    page.sites.kinds.forEach((kind) => {
      const symbol = drawn("g", {});
      geoliveSites.strokes[kind.name].forEach(([fill, width]) => symbol.append(drawn("circle", { cx: 13, cy: 9, r: width / 2, fill })));
      legendItem(kind.name, symbol, kind.label, kind.count);
    });
    if (page.sites.note) at("geolive-legend").append(make("li", "geolive-quiet", page.sites.note));
  }

  function show(layer) {
    shown = layer;
    const colour = (i) => (i < 0 ? HATCH : layer.items[i].colour);
    shapes.forEach((shape, row) => {
      shape.setStyle({ fillColor: colour(layer.classes[row]), color: layer.border });
      shape.getElement().dataset.class = layer.classes[row];
    });
    drawLegend();
    placeNames();
    writeAddress();
  }

  function choice(parent, type, id, text, checked, changed) {
    const label = make("label");
    const input = make("input");
    Object.assign(input, { type, id, name: parent, checked });
    input.addEventListener("change", () => changed(input.checked));
    label.append(input, make("span", "", text));
    at(parent).append(label);
  }

  const toggle = (layer) => (on) => {
    if (on) layer.addTo(map);
    else layer.remove();
    drawLegend();
  };

  // ---- sites: made once they are asked for -------------------------------------------------------------------------

  let sites = null;
  const showsSites = () => sites !== null && map.hasLayer(sites);
  function toggleSites(on) {
    sites = sites ?? geoliveSites(page.sites, map, line);
    toggle(sites)(on);
  }

  // ---- names: the largest districts first, each where it fits and meets no other -----------------------------------

  let named = true;
  let placed = [];
  const order = shapes.map((_, row) => row).sort((a, b) => page.districts[b].room - page.districts[a].room);

  function placeNames() {
    const parent = map.getPane("geolive-names");
    parent.replaceChildren();
    placed = [];
    if (!named) return;
    const taken = [];
    order.forEach((row) => {
      const [lng, lat, room] = [...page.districts[row].middle, page.districts[row].room];
      const centre = map.latLngToLayerPoint([lat, lng]);
      const radius = Math.abs(map.latLngToLayerPoint([lat + room, lng]).y - centre.y);
      const wide = page.districts[row].name.length * 6.6 + 6;
      if (radius < 9 || wide > radius * 4) return;
      const box = L.bounds([centre.x - wide / 2, centre.y - 8], [centre.x + wide / 2, centre.y + 8]);
      if (taken.some((other) => other.overlaps(box))) return;
      taken.push(box);
      const mark = shown.items[shown.classes[row]]?.mark;
      const label = make("div", "geolive-name leaflet-zoom-hide", (mark ? mark + " " : "") + page.districts[row].name);
      label.setAttribute("aria-hidden", "true");
      parent.append(label);
      L.DomUtil.setPosition(label, centre);
      placed.push([row, label.textContent]);
    });
  }

  map.on("zoomend viewreset", placeNames);

  // ---- controls --------------------------------------------------------------------------------------------------

  // Leaflet takes it for HTML
  const escaped = (text) => make("span", "", text).innerHTML;
  const tiles = L.tileLayer("https://tile.openstreetmap.org/{z}/{x}/{y}.png", {
    maxZoom: 19,
    attribution: '<a href="https://www.openstreetmap.org/copyright">' + escaped(words("osm")) + "</a>",
  });

  page.layers.forEach((layer) =>
    choice("geolive-layers", "radio", "geolive-layer-" + layer.name, layer.choice, layer === shown, () => show(layer)));
  choice("geolive-overlays", "checkbox", "geolive-overlay-names", words("names"), true, (on) => {
    named = on;
    placeNames();
  });
  choice("geolive-overlays", "checkbox", "geolive-overlay-sites", page.sites.choice, false, toggleSites);
  choice("geolive-overlays", "checkbox", "geolive-overlay-basemap", words("basemap"), false, (on) => {
    toggle(tiles)(on);
    shapes.forEach((shape) => shape.setStyle({ fillOpacity: on ? 0.72 : 1 }));
  });

  const whole = () => map.fitBounds(page.bounds, { padding: [14, 14], animate: false });
  const home = L.control({ position: "topleft" });
  home.onAdd = () => {
    const bar = make("div", "leaflet-bar");
    const button = make("button", "geolive-home", "⤢");
    button.type = "button";
    button.title = words("whole");
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", whole);
    L.DomEvent.disableClickPropagation(bar);
    bar.append(button);
    return bar;
  };
  home.addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  L.control.scale({ imperial: false, maxWidth: 130 }).addTo(map);

  if (page.simulated) {
    const mark = drawn("svg", { id: "geolive-watermark", viewBox: "0 0 1000 640", "aria-hidden": "true" });
    const middle = { x: 500, y: 320, "text-anchor": "middle", "dominant-baseline": "central", transform: "rotate(-27 500 320)" };
    const word = drawn("text", middle);
    word.textContent = words("simulated");
    mark.append(word);
    map.getPane("geolive-mark").append(mark);
    // it stays where it is while the map moves below it
    map.on("move zoomend viewreset resize", () => {
      const size = map.getSize();
      mark.style.width = size.x + "px";
      mark.style.height = size.y + "px";
      L.DomUtil.setPosition(mark, map.containerPointToLayerPoint([0, 0]));
    });
  }

  // ---- size, paper -----------------------------------------------------------------------------------------------

  let fitted = null;
  function fit() {
    whole();
    fitted = map.getZoom() + " " + map.getCenter();
  }
  const isFitted = () => fitted === map.getZoom() + " " + map.getCenter();
  map.on("resize", () => {
    if (isFitted()) fit();
  });

  const how = at("geolive-how");
  function resized() {
    const whole = isFitted();
    map.invalidateSize({ animate: false });
    if (whole) fit();
  }
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = { open: how.open, centre: map.getCenter(), zoom: map.getZoom(), fitted };
    how.open = true;
    document.body.classList.add("geolive-paper");
    map.invalidateSize({ animate: false });
    whole();
  });
  window.addEventListener("afterprint", () => {
    document.body.classList.remove("geolive-paper");
    how.open = before.open;
    map.invalidateSize({ animate: false });
    map.setView(before.centre, before.zoom, { animate: false });
  });

  // on a phone the map is as high as the region asks for
  const [southWest, northEast] = page.bounds.map((corner) => map.project(corner, 8));
  const aspect = (southWest.y - northEast.y) / (northEast.x - southWest.x);
  document.documentElement.style.setProperty("--aspect", Number.isFinite(aspect) ? aspect : 1);
  map.invalidateSize({ animate: false });
  fit();
  show(shown);
  drawInfo(-1);

  window.addEventListener("hashchange", readAddress);

  const pixel = ([lng, lat]) => {
    const { x, y } = map.latLngToContainerPoint([lat, lng]);
    return [x, y];
  };
  return {
    make, drawn, strip, point, choose, pixel, resized, readAddress,
    pinned: () => pinned,
    layer: () => shown,
    size: () => [map.getSize().x, map.getSize().y],
    onPoint: (tell) => pointed.push(tell),
    onChoose: (tell) => chosen.push(tell),
    shownNames: () => placed.map(([row, text]) => [...pixel(page.districts[row].middle), text]),
    shownSites: () => (showsSites() ? sites.seen() : []),
  };
}
