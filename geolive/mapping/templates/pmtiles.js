// Reads tiles out of a PMTiles archive (version 3) that lies in memory.
// https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md

function geolivePmtiles(archive) {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const number = (at) => Number(view.getBigUint64(at, true));
  const [rootAt, rootLength, leavesAt, tilesAt] = [8, 16, 40, 56].map(number);
  const GZIP = 2;
  const [packedDirectories, packedTiles, , , mostZoom] = archive.subarray(97, 102);

  async function unpacked(bytes, compression) {
    if (compression !== GZIP) return bytes;
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // An entry of a directory says from which tile on it holds, for how many, and where their bytes lie.
  async function readDirectory(start, length) {
    const bytes = await unpacked(archive.subarray(start, start + length), packedDirectories);
    let at = 0;
    const varint = () => {
      let value = 0;
      for (let factor = 1; ; factor *= 128) {
        const byte = bytes[at++];
        value += (byte & 127) * factor;
        if (byte < 128) return value;
      }
    };
    const entries = Array.from({ length: varint() }, () => ({}));
    let id = 0;
    for (const entry of entries) entry.id = id += varint();
    for (const entry of entries) entry.run = varint();
    for (const entry of entries) entry.length = varint();
    let next = 0;
    for (const entry of entries) {
      const offset = varint();
      // 0 stands for: right after the one before
      entry.offset = offset === 0 ? next : offset - 1;
      next = entry.offset + entry.length;
    }
    return entries;
  }

  const directories = new Map();
  function directory(start, length) {
    if (!directories.has(start)) directories.set(start, readDirectory(start, length));
    return directories.get(start);
  }

  // Tiles are numbered along Hilbert curves, one for each zoom.
  function tileId(z, x, y) {
    const n = 2 ** z;
    let id = (n * n - 1) / 3;
    for (let s = n / 2; s >= 1; s /= 2) {
      const rx = (x & s) > 0 ? 1 : 0;
      const ry = (y & s) > 0 ? 1 : 0;
      id += s * s * ((3 * rx) ^ ry);
      if (ry === 0) {
        if (rx === 1) [x, y] = [n - 1 - x, n - 1 - y];
        [x, y] = [y, x];
      }
    }
    return id;
  }

  // Return the bytes of a tile; none where the archive has no such tile.
  async function tile(z, x, y) {
    const id = tileId(z, x, y);
    let entries = await directory(rootAt, rootLength);
    for (;;) {
      const entry = entries.findLast((each) => each.id <= id);
      if (entry === undefined || (entry.run > 0 && id >= entry.id + entry.run)) return new Uint8Array();
      const { offset, length } = entry;
      if (entry.run > 0) return unpacked(archive.subarray(tilesAt + offset, tilesAt + offset + length), packedTiles);
      entries = await directory(leavesAt + offset, length);
    }
  }

  return { mostZoom, tile };
}
