"""A vector tile of points, written from the format's description (Mapbox Vector Tile 2.1)."""

import struct

from geolive.sources.imagery.tile_grid import N, tile_bounds

EXTENT = 4096


def varint(number):
    out = bytearray()
    number &= 2**64 - 1
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number, content):
    """A field of a message: bytes with their length, or a whole number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def value(of):
    if isinstance(of, bool):
        return field(7, int(of))
    if isinstance(of, int):
        return field(4, of)
    if isinstance(of, float):
        return varint(3 << 3 | 1) + struct.pack("<d", of)
    return field(1, of.encode())


def layer(name, points):
    """A layer of points: ((across, down), attributes) each."""
    keys, values, features = [], [], b""
    for (across, down), attributes in points:
        tags = b""
        for key, of in attributes.items():
            for known, new in ((keys, key), (values, value(of))):
                if new not in known:
                    known.append(new)
                tags += varint(known.index(new))
        zigzag = [varint((n << 1) ^ (n >> 63)) for n in (across, down)]
        features += field(2, field(2, tags) + field(3, 1) + field(4, varint(9) + b"".join(zigzag)))
    content = field(15, 2) + field(1, name.encode()) + features
    content += b"".join(field(3, key.encode()) for key in keys) + b"".join(field(4, of) for of in values)
    return field(3, content + field(5, EXTENT))


def image_tile(x, y, images):
    """The tile of images (id, lon, lat, captured_at, is_pano, sequence), with margin points of neighbouring tiles."""
    west, south, east, north = tile_bounds([[x, y]])[0]
    points = []
    for id, lon, lat, captured_at, is_pano, sequence in images:
        # within one tile latitude is linear in y to far less than a unit
        at = int((lon - west) / (east - west) * EXTENT), int((north - lat) / (north - south) * EXTENT)
        if max(abs(at[0] - EXTENT / 2), abs(at[1] - EXTENT / 2)) < EXTENT / 2 + 64:
            points.append(
                (at, {"id": int(id), "sequence_id": sequence, "captured_at": captured_at, "compass_angle": 1.5,
                      "is_pano": is_pano})
            )  # fmt: skip
    return layer("sequence", []) + layer("image", points) if points else b""


assert N == 2**14
