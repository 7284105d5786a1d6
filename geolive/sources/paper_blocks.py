"""A block of lines of the paper's data.csv becomes a block of rows."""

from collections.abc import Iterator

import numpy as np
import orjson
import pyarrow as pa

from geolive.sources.paper_rows import VOID_INDEX, BadRow, RowReader
from geolive.tables import N_CLASSES, VOID

# small enough to stay in the processor's cache while its lines are read
_SLICE = 1 << 18
_COLUMN_OF_CLASS = np.arange(256)
_COLUMN_OF_CLASS[VOID_INDEX] = VOID
SCHEMA = pa.schema(
    {
        "line": pa.int64(),
        "key": pa.large_string(),
        "lon": pa.float64(),
        "lat": pa.float64(),
        "cluster": pa.int32(),
        "img_path": pa.large_string(),
        "objects": pa.binary(2 * N_CLASSES),
    }
)


def read_block(reader: RowReader, block: bytes, number: int) -> pa.RecordBatch:
    """Read the lines of a block.

    Parameters
    ----------
    reader : RowReader
        Goes on from what it knows of classes.
    block : bytes
        Whole lines; empty ones are no rows.
    number : int
        The number of its first line in the file.

    Returns
    -------
    RecordBatch
        A row for each that can be used: `line`, `key`, `lon`, `lat`, `cluster` (row of `clusters` below), `img_path`,
        `objects` (66 uint16 in 132 bytes). The schema's metadata hold, as JSON, `rejects` (line and reason of each other
        row), `clusters` (what the rows say of theirs), and `class_names` (index, name, line).

    Raises
    ------
    InputError
        The block contradicts itself, or a block before it, on the name of a class.

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> batch = read_block(RowReader(header.split(",")), b"nonsense\\n", 2)
    >>> batch.num_rows, orjson.loads(batch.schema.metadata[b"rejects"])
    (0, [[2, 'line: wrong number of fields']])
    """
    # lists of plain values: tuples kept by the thousand would keep the garbage collector busy
    numbers, keys, lon, lat, clusters, classes, paths = ([] for _ in range(7))
    rejects, number = [], number - 1
    for line in _lines(block):
        number += 1
        try:
            if line is None:
                raise BadRow("line: not UTF-8")
            if line.endswith("\r"):
                line = line[:-1]
            if not line:
                continue
            key, x, y, cluster, found, path = reader.read(line, number)
        except BadRow as reason:
            rejects.append((number, str(reason)))
            continue
        numbers.append(number)
        keys.append(key)
        lon.append(x)
        lat.append(y)
        clusters.append(cluster)
        classes.append(found)
        paths.append(path)
    versions, version = np.unique(np.array(clusters, np.int32), return_inverse=True)
    columns = [
        pa.array(numbers, pa.int64()),
        pa.array(keys, pa.large_string()),
        pa.array(lon, pa.float64()),
        pa.array(lat, pa.float64()),
        pa.array(version.astype(np.int32)),
        pa.array(paths, pa.large_string()),
        pa.Array.from_buffers(pa.binary(2 * N_CLASSES), len(keys), [None, pa.py_buffer(_histograms(classes))]),
    ]
    said = {
        "rejects": rejects,
        "clusters": [tuple(reader.clusters[i]) for i in versions],
        "class_names": [(index, name, reader.line_of_class[index]) for index, name in reader.class_names.items()],
    }
    schema = SCHEMA.with_metadata({name: orjson.dumps(value) for name, value in said.items()})
    return pa.record_batch(columns, schema=schema)


def _lines(block: bytes) -> Iterator[str | None]:
    """Lines without their newline; None where one is not UTF-8."""
    start = 0
    while start < len(block):
        end = block.find(b"\n", start + _SLICE) + 1 or len(block)
        part = block[start:end].removesuffix(b"\n")
        try:
            yield from part.decode().split("\n")
        except UnicodeDecodeError:
            yield from map(_decoded, part.split(b"\n"))
        start = end


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _histograms(classes: list[bytes]) -> np.ndarray:
    """Object counts, shape (images, 66), of class indexes; a line is too short for more than 65,535 of them."""
    row = np.repeat(np.arange(len(classes)), [len(found) for found in classes])
    column = _COLUMN_OF_CLASS[np.frombuffer(b"".join(classes), np.uint8)]
    counts = np.bincount(row * N_CLASSES + column, minlength=len(classes) * N_CLASSES)
    return counts.astype(np.uint16).reshape(-1, N_CLASSES)
