// The page of vector tiles: MapLibre draws the districts, and every text comes from `page`.

function geoliveTiles(page, words) {
  const at = (id) => document.getElementById(id);
  const made = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const SEA = "#e6ebf1";
  const rows = page.districts;
  const rowOf = new Map(rows.map((row, i) => [row.id, i]));
  const layers = new Map(page.layers.map((layer) => [layer.name, layer]));

  const archive = Uint8Array.from(atob(at("geolive-archive").textContent), (letter) => letter.charCodeAt(0));
  const tiles = geolivePmtiles(archive);
  maplibregl.addProtocol("geolive", async ({ url }) => {
    const [z, x, y] = url.match(/\d+/g).map(Number);
    const bytes = await tiles.tile(z, x, y);
    return { data: bytes.slice().buffer };
  });

  const id = ["to-string", ["get", "district_id"]];
  const idsOf = (layer, wanted) => rows.filter((_, i) => wanted(layer.classes[i])).map((row) => row.id);
  const isIn = (ids) => ["in", id, ["literal", ids]];
  const colours = (layer) => {
    const pairs = layer.items.flatMap((item, i) => {
      const ids = idsOf(layer, (each) => each === i);
      return ids.length ? [ids, item.colour] : [];
    });
    return pairs.length ? ["match", id, ...pairs, SEA] : SEA;
  };
  const districts = { source: "districts", "source-layer": "districts" };
  const start = layers.get(page.first);
  const [[south, west], [north, east]] = page.bounds;
  const bounds = [[west, south], [east, north]];

  let map;
  try {
    map = new maplibregl.Map({
      container: "geolive-map",
      bounds,
      fitBoundsOptions: { padding: 24 },
      attributionControl: { customAttribution: '<a href="https://maplibre.org/">MapLibre</a>', compact: false },
      dragRotate: false,
      touchPitch: false,
      maxPitch: 0,
      locale: {
        "Map.Title": words.map,
        "NavigationControl.ZoomIn": words.zoom_in,
        "NavigationControl.ZoomOut": words.zoom_out,
        "Popup.Close": words.close,
      },
      style: {
        version: 8,
        sources: { districts: { type: "vector", tiles: ["geolive://{z}/{x}/{y}"], maxzoom: tiles.mostZoom } },
        layers: [
          { id: "sea", type: "background", paint: { "background-color": SEA } },
          { id: "values", type: "fill", ...districts, paint: { "fill-color": colours(start) } },
          { id: "unsupported", type: "fill", ...districts, filter: isIn(idsOf(start, (each) => each < 0)), paint: { "fill-pattern": "hatch" } },
          { id: "borders", type: "line", ...districts, paint: { "line-color": start.border, "line-width": 0.8 } },
          { id: "chosen", type: "line", ...districts, filter: isIn([]), paint: { "line-color": "#111111", "line-width": 2.5 } },
        ],
      },
    });
  } catch {
    at("geolive-map").append(made("p", words.no_webgl, "geolive-simulated"));
    return;
  }
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-left");
  map.addControl(new maplibregl.ScaleControl(), "bottom-left");
  map.addImage("hatch", hatching(16), { pixelRatio: 2 });
  // above the districts, below a popup's text
  if (page.simulated) map.getCanvasContainer().after(at("geolive-watermark"));
  map.on("idle", () => at("geolive-map").setAttribute("aria-busy", "false"));

  function hatching(size) {
    const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    const [ground, stripe] = [page.hatch.ground, page.hatch.stripe].map(rgb);
    const data = new Uint8Array(size * size * 4);
    for (let i = 0; i < size * size; i++) {
      const onStripe = ((i % size) + Math.floor(i / size)) % (size / 2) < 2;
      data.set([...(onStripe ? stripe : ground), 255], 4 * i);
    }
    return { width: size, height: size, data };
  }

  // ---- legend and layers -------------------------------------------------------------------------------------------

  function swatch(colour) {
    const box = made("span", undefined, "geolive-swatch");
    if (colour === null) box.classList.add("geolive-hatched");
    else box.style.background = colour;
    return box;
  }

  function item(colour, label, count) {
    const line = made("li");
    line.append(swatch(colour), made("span", label), made("span", count, "geolive-count"));
    return line;
  }

  function show(layer) {
    at("geolive-legend-title").textContent = layer.title;
    at("geolive-legend-unit").textContent = layer.unit;
    const items = layer.items.map((each) => item(each.colour, each.mark ? `${each.mark} ${each.label}` : each.label, each.count));
    if (page.unsupported) items.push(item(null, page.unsupported.label, page.unsupported.count));
    at("geolive-legend").replaceChildren(...items);
  }

  function paint(layer) {
    map.setPaintProperty("values", "fill-color", colours(layer));
    map.setPaintProperty("borders", "line-color", layer.border);
    map.setFilter("unsupported", isIn(idsOf(layer, (each) => each < 0)));
  }

  const choice = at("geolive-layer");
  for (const layer of page.layers) choice.add(new Option(layer.choice, layer.name));
  choice.value = start.name;
  choice.addEventListener("change", () => {
    const layer = layers.get(choice.value);
    show(layer);
    if (map.isStyleLoaded()) paint(layer);
    else map.once("idle", () => paint(layers.get(choice.value)));
  });
  show(start);

  // ---- one district ------------------------------------------------------------------------------------------------

  function facts(row) {
    const box = made("div", undefined, "geolive-facts");
    box.append(made("h2", row.state ? `${row.name}, ${row.state}` : row.name));
    const list = made("dl");
    row.facts.forEach((fact, i) => {
      if (fact !== null) list.append(made("dt", page.facts[i]), made("dd", fact));
    });
    box.append(list, ...row.says.map((text) => made("p", text)));
    return box;
  }

  const popup = new maplibregl.Popup({ maxWidth: "320px", closeOnClick: false, focusAfterOpen: false });
  const names = at("geolive-district");
  popup.on("close", () => {
    map.setFilter("chosen", isIn([]));
    names.value = "";
  });
  function open(i, where) {
    popup.remove();
    const box = facts(rows[i]);
    popup.setLngLat(where).setDOMContent(box).addTo(map);
    // the focus stays in the list of names, so screen readers hear of the popup from here
    at("geolive-said").textContent = box.innerText;
    map.setFilter("chosen", isIn([rows[i].id]));
    names.value = String(i);
  }

  const drawn = { layers: ["values", "unsupported"] };
  map.on("click", ({ point, lngLat }) => {
    const [feature] = map.queryRenderedFeatures(point, drawn);
    const i = feature && rowOf.get(String(feature.properties.district_id));
    if (i === undefined) popup.remove();
    else open(i, lngLat);
  });
  map.on("mousemove", ({ point }) => {
    map.getCanvas().style.cursor = map.queryRenderedFeatures(point, drawn).length ? "pointer" : "";
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") popup.remove();
  });

  const byName = rows.map((_, i) => i).sort((a, b) => rows[a].name.localeCompare(rows[b].name, words.tag));
  names.add(new Option("–", ""));
  for (const i of byName) names.add(new Option(rows[i].state ? `${rows[i].name}, ${rows[i].state}` : rows[i].name, String(i)));
  names.addEventListener("change", () => {
    if (names.value === "") return popup.remove();
    const i = Number(names.value);
    open(i, rows[i].middle);
    map.easeTo({ center: rows[i].middle });
  });
}
