// Sites as dots. A few are lines of the drawing, which print well; many are dots of a picture, each pixel drawn once.
function geoliveSites(sites, map, line) {
  "use strict";
  const strokes = geoliveSites.strokes;
  const smaller = map.getSize().x < 600 ? 0.6 : 1;
  // survey places last, on top
  const kinds = sites.kinds.slice().reverse().map((kind) => ({ name: kind.name, at: unpacked(kind.places) }));

  // pairs of 16-bit numbers, the lower byte first: steps east and north
  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const at = [];
    for (let i = 0; i < bytes.length; i += 4) {
      const [east, north] = [bytes[i] + 256 * bytes[i + 1], bytes[i + 2] + 256 * bytes[i + 3]];
      at.push(L.latLng(sites.south + north * sites.step, sites.west + east * sites.step));
    }
    return at;
  }

  function lines() {
    const group = L.layerGroup();
    kinds.forEach((kind) => {
      // a dot is a line of no length, whose ends are round
      const dots = kind.at.map((place) => [place, place]);
      strokes[kind.name].forEach(([color, weight]) =>
        L.polyline(dots, { ...line, pane: "geolive-sites", className: "geolive-sites", color, weight: weight * smaller, opacity: 1 }).addTo(group));
    });
    group.seen = () => kinds.flatMap((kind) => kind.at.map((place) => {
      const { x, y } = map.latLngToContainerPoint(place);
      return [x, y, kind.name === "surveyed"];
    }));
    return group;
  }

  // ---- many: positions are projected once, and of dots that would lie on one another one is drawn ------------------

  const Picture = L.Layer.extend({
    onAdd() {
      this.canvas = L.DomUtil.create("canvas", "geolive-sites leaflet-zoom-hide", map.getPane("geolive-sites"));
      this.canvas.setAttribute("aria-hidden", "true");
      map.on("moveend resize viewreset", this.draw, this);
      this.draw();
    },

    onRemove() {
      map.off("moveend resize viewreset", this.draw, this);
      this.canvas.remove();
    },

    // dots in the view and around it, in pixels from the canvas's corner
    dots(corner, size) {
      const scale = map.getZoomScale(map.getZoom(), 0);
      const from = map.getPixelOrigin().add(corner);
      const cell = 6;
      const wide = Math.ceil(size.x / cell);
      return this.projected.map(({ name, x, y }) => {
        const taken = new Uint8Array(wide * Math.ceil(size.y / cell));
        const found = [];
        let inView = 0;
        for (let i = 0; i < x.length; i++) {
          const left = x[i] * scale - from.x;
          const top = y[i] * scale - from.y;
          if (left < 0 || top < 0 || left >= size.x || top >= size.y) continue;
          inView++;
          const at = Math.floor(top / cell) * wide + Math.floor(left / cell);
          if (taken[at]) continue;
          taken[at] = 1;
          found.push(left, top);
        }
        return { name, found, inView };
      });
    },

    draw() {
      // half a view more on each side, so that dots are there while the map is dragged
      const view = map.getSize();
      const corner = map.containerPointToLayerPoint(view.multiplyBy(-0.5)).round();
      const size = view.multiplyBy(2);
      const drawn = this.dots(corner, size);
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      Object.assign(this.canvas, { width: size.x * ratio, height: size.y * ratio });
      Object.assign(this.canvas.style, { width: size.x + "px", height: size.y + "px" });
      L.DomUtil.setPosition(this.canvas, corner);
      const context = this.canvas.getContext("2d");
      const count = drawn.reduce((sum, kind) => sum + kind.found.length / 2, 0);
      const wide = count > 4000 ? 0.5 : 0.75;
      drawn.forEach(({ name, found }) => {
        const dot = this.dot(strokes[name].map(([colour, width]) => [colour, width * wide * smaller * ratio]));
        const half = dot.width / 2;
        for (let i = 0; i < found.length; i += 2) context.drawImage(dot, Math.round(found[i] * ratio - half), Math.round(found[i + 1] * ratio - half));
      });
      this.canvas.dataset.drawn = count;
      this.canvas.dataset.sites = drawn.reduce((sum, kind) => sum + kind.inView, 0);
    },

    dot(circles) {
      const side = Math.ceil(circles[0][1]) + 1;
      const picture = document.createElement("canvas");
      Object.assign(picture, { width: side, height: side });
      const context = picture.getContext("2d");
      circles.forEach(([colour, width]) => {
        context.fillStyle = colour;
        context.beginPath();
        context.arc(side / 2, side / 2, width / 2, 0, 2 * Math.PI);
        context.fill();
      });
      return picture;
    },

    seen() {
      const corner = map.containerPointToLayerPoint([0, 0]);
      return this.dots(corner, map.getSize()).flatMap(({ name, found }) => {
        const all = [];
        for (let i = 0; i < found.length; i += 2) all.push([found[i], found[i + 1], name === "surveyed"]);
        return all;
      });
    },
  });

  if (!sites.many) return lines();
  const picture = new Picture();
  picture.projected = kinds.map(({ name, at }) => {
    const points = at.map((place) => map.project(place, 0));
    return { name, x: Float64Array.from(points, (point) => point.x), y: Float64Array.from(points, (point) => point.y) };
  });
  return picture;
}

// colour and width of the circles of a dot: a dark dot is a survey place, a ring is not
geoliveSites.strokes = { surveyed: [["#fff", 9], ["#111", 6.6]], site: [["#111", 8.4], ["#fff", 5.2]] };
