// Files that a reader saves from the page: made in the browser, without a server.
function geoliveDownloads(page, view, words) {
  "use strict";
  const names = Object.keys(page.table.columns);
  const count = page.districts.length;
  const cell = (name, row) => page.table.columns[name][row];

  function save(kind, parts, type) {
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob(parts, { type }));
    Object.assign(link, { href: address, download: page.file + "." + kind });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  // a text that a spreadsheet would run as a formula gets an apostrophe
  function csvCell(value) {
    if (value === null || value === undefined) return "";
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  }

  function csv() {
    const lines = [names.map(csvCell).join(",")];
    for (let row = 0; row < count; row++) lines.push(names.map((name) => csvCell(cell(name, row))).join(","));
    // the mark at the beginning tells Excel that the file is UTF-8
    save("csv", ["\ufeff" + lines.join("\r\n") + "\r\n"], "text/csv");
  }

  function geojson() {
    const features = page.districts.map((district, row) => ({
      type: "Feature",
      id: district.id,
      properties: Object.fromEntries(names.map((name) => [name, cell(name, row)])),
      geometry: { type: "MultiPolygon", coordinates: district.shape },
    }));
    const about = page.source + " " + words("simplified");
    const collection = { type: "FeatureCollection", name: page.simulated ? words("simulated_name", { title: page.title }) : page.title, description: about, features };
    save("geojson", [JSON.stringify(collection)], "application/geo+json");
  }

  // ---- a workbook: a ZIP file, without compression, of a few XML files ---------------------------------------------

  const xml = (text) => String(text).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

  function sheetCell(value) {
    if (value === null || value === undefined) return "<c/>";
    if (typeof value === "number") return "<c><v>" + value + "</v></c>";
    if (typeof value === "boolean") return '<c t="b"><v>' + Number(value) + "</v></c>";
    return '<c t="inlineStr"><is><t xml:space="preserve">' + xml(value) + "</t></is></c>";
  }

  function sheet(rows) {
    const lines = rows.map((row) => "<row>" + row.map(sheetCell).join("") + "</row>").join("");
    const still = '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>';
    return '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + still + "<sheetData>" + lines + "</sheetData></worksheet>";
  }

  function workbook() {
    const districts = [names];
    for (let row = 0; row < count; row++) districts.push(names.map((name) => cell(name, row)));
    const columns = [[words("column"), words("meaning")], ...names.map((name) => [name, page.table.words[name] ?? ""])];
    const how = [...document.querySelectorAll("#geolive-how dt")].map((term) => [term.textContent, term.nextElementSibling.textContent]);
    const method = [[words("subject"), words("text")], [words("title"), document.title], ...how];
    const sheets = [[words("sheet_districts"), districts], [words("sheet_columns"), columns], [words("sheet_method"), method]];
    const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
    const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const packaged = "http://schemas.openxmlformats.org/package/2006/";
    const type = "application/vnd.openxmlformats-officedocument.spreadsheetml.";
    const files = [
      ["[Content_Types].xml", '<Types xmlns="' + packaged + 'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="' + type + 'sheet.main+xml"/>'
        + sheets.map((_, i) => '<Override PartName="/xl/worksheets/sheet' + (i + 1) + '.xml" ContentType="' + type + 'worksheet+xml"/>').join("") + "</Types>"],
      ["_rels/.rels", '<Relationships xmlns="' + packaged + 'relationships"><Relationship Id="r1" Type="' + office + '/officeDocument" Target="xl/workbook.xml"/></Relationships>'],
      ["xl/workbook.xml", '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="' + office + '"><sheets>'
        + sheets.map(([name], i) => '<sheet name="' + xml(name) + '" sheetId="' + (i + 1) + '" r:id="s' + (i + 1) + '"/>').join("") + "</sheets></workbook>"],
      ["xl/_rels/workbook.xml.rels", '<Relationships xmlns="' + packaged + 'relationships">'
        + sheets.map((_, i) => '<Relationship Id="s' + (i + 1) + '" Type="' + office + '/worksheet" Target="worksheets/sheet' + (i + 1) + '.xml"/>').join("") + "</Relationships>"],
      ...sheets.map(([, rows], i) => ["xl/worksheets/sheet" + (i + 1) + ".xml", sheet(rows)]),
    ];
    save("xlsx", zip(files.map(([name, text]) => [name, head + text])), type + "sheet");
  }

  const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n >>> 0;
  });

  function checksum(bytes) {
    let sum = 0xffffffff;
    for (const byte of bytes) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
    return (sum ^ 0xffffffff) >>> 0;
  }

  // numbers of 2 or 4 bytes, the lowest first
  function packed(...fields) {
    const bytes = [];
    fields.forEach(([size, value]) => {
      for (let i = 0; i < size; i++) bytes.push((value >>> (8 * i)) & 255);
    });
    return Uint8Array.from(bytes);
  }

  function zip(files) {
    const parts = [];
    const directory = [];
    let offset = 0;
    files.forEach(([name, text]) => {
      const [title, content] = [name, text].map((words) => new TextEncoder().encode(words));
      // version, UTF-8 names, stored, 1 January 1980, checksum, sizes
      const about = [[2, 20], [2, 0x800], [2, 0], [2, 0], [2, 33], [4, checksum(content)], [4, content.length], [4, content.length], [2, title.length], [2, 0]];
      directory.push(packed([4, 0x02014b50], [2, 20], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), title);
      parts.push(packed([4, 0x04034b50], ...about), title, content);
      offset += 30 + title.length + content.length;
    });
    const size = directory.reduce((sum, part) => sum + part.length, 0);
    return [...parts, ...directory, packed([4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, size], [4, offset], [2, 0])];
  }

  // ---- a picture of what is on the screen --------------------------------------------------------------------------

  // lines of at most about so many letters
  function wrapped(text, most) {
    const lines = [""];
    text.split(" ").forEach((word) => {
      const last = lines.at(-1);
      if (last && last.length + word.length >= most) lines.push(word);
      else lines[lines.length - 1] = last ? last + " " + word : word;
    });
    return lines;
  }

  function picture() {
    const [wide, high] = view.size();
    const legend = 330;
    const top = 96;
    const width = wide + legend + 40;
    const height = Math.max(high, 140 + 30 * view.layer().items.length) + top + 44;
    const root = view.drawn("svg", { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: "0 0 " + width + " " + height });
    const write = (text, attributes, parent = root) => {
      const element = view.drawn("text", { fill: "#1c2430", "font-family": "system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif", "font-size": 14, ...attributes });
      element.textContent = text;
      parent.append(element);
    };
    root.append(view.drawn("rect", { width, height, fill: "#fff" }), document.querySelector("#geolive-hatch").parentElement.cloneNode(true));
    write(page.title, { x: 20, y: 38, "font-size": 25, "font-weight": 700 });
    write((page.simulated ? words("simulated_survey") + " " : "") + document.querySelector(".geolive-unit").textContent, { x: 20, y: 66, "font-size": 13, fill: "#56606d" });
    const plot = view.drawn("svg", { x: 20, y: top, width: wide, height: high, viewBox: "0 0 " + wide + " " + high });
    plot.append(view.drawn("rect", { width: wide, height: high, fill: "#e6ebf1" }));
    const { items, classes, border, title, unit } = view.layer();
    page.districts.forEach((district, row) => {
      const rings = district.shape.flat().map((ring) => "M" + ring.map((at) => view.pixel(at).map((x) => x.toFixed(1)).join(" ")).join("L") + "Z");
      const fill = classes[row] < 0 ? "url(#geolive-hatch)" : items[classes[row]].colour;
      plot.append(view.drawn("path", { d: rings.join(""), fill, stroke: border, "stroke-width": 0.9, "fill-rule": "evenodd", "stroke-linejoin": "round" }));
    });
    if (page.districts.some((district) => district.state)) {
      const lines = geoliveStateBorders(page.districts).map((line) => "M" + line.map((at) => view.pixel(at).map((x) => x.toFixed(1)).join(" ")).join("L"));
      plot.append(view.drawn("path", { d: lines.join(""), fill: "none", stroke: "#1c2430", "stroke-width": 1.7, "stroke-opacity": 0.85 }));
    }
    view.shownSites().forEach(([x, y, surveyed]) =>
      plot.append(view.drawn("circle", { cx: x, cy: y, r: 3, fill: surveyed ? "#111" : "#fff", stroke: surveyed ? "#fff" : "#111", "stroke-width": 1.3 })));
    view.shownNames().forEach(([x, y, name]) =>
      write(name, { x, y: y + 4, "text-anchor": "middle", "font-size": 11.5, "font-weight": 600, stroke: "#fff", "stroke-width": 3, "paint-order": "stroke", "stroke-linejoin": "round" }, plot));
    if (page.simulated) {
      const size = Math.min(wide, high * 1.5) / 6.5;
      write(words("simulated"), { x: wide / 2, y: high / 2, "text-anchor": "middle", "font-size": size, "font-weight": 800, fill: "#fff", stroke: "#1c2430", "stroke-width": size / 40, "paint-order": "stroke", opacity: 0.36, transform: "rotate(-27 " + wide / 2 + " " + high / 2 + ")" }, plot);
    }
    root.append(plot);
    const x = wide + 40;
    const heads = [...wrapped(title, 36).map((text) => [text, { "font-weight": 700 }]), ...wrapped(unit, 46).map((text) => [text, { "font-size": 12, fill: "#56606d" }])];
    heads.forEach(([text, attributes], i) => write(text, { x, y: top + 16 + 20 * i, ...attributes }));
    const below = top + 18 + 20 * heads.length;
    const entries = items.map((item) => [item.colour, [item.mark, item.label].filter(Boolean).join(" "), item.count]);
    if (page.unsupported) entries.push(["url(#geolive-hatch)", words("not_supported"), page.unsupported.count]);
    entries.forEach(([fill, label, number], i) => {
      const y = below + 28 * i;
      root.append(view.drawn("rect", { x, y, width: 26, height: 18, fill, stroke: "#1c243055" }));
      write(label + "  (" + number + ")", { x: x + 36, y: y + 14, "font-size": 13 });
    });
    write(page.source, { x: 20, y: height - 16, "font-size": 11, fill: "#56606d", ...(page.source.length * 5.6 > width - 40 ? { textLength: width - 40, lengthAdjust: "spacingAndGlyphs" } : {}) });
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 2 * width, height: 2 * height });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save("png", [blob], "image/png"), "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(root));
  }

  const kinds = { csv, geojson, xlsx: workbook, png: picture };
  Object.entries(kinds).forEach(([kind, made]) => document.getElementById("geolive-save-" + kind).addEventListener("click", made));
}
