"""The parts of `ingest paper` that no reader in numpy and Arrow can leave out, each timed alone on the same table.

    python -m benchmarks.ingest_paper_parts TABLE DATASET

DATASET is the dataset that `ingest paper` made of the table. Prints the processor time of each part in seconds, as JSON. What
`ingest paper` does beside them (Python between the calls, the grammar of the lists, clusters, splits, districts) is left out.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from geolive.dataset_files import write_table
from geolive.sources.paper.byte_sets import count_digits, where_equal
from geolive.sources.paper.list_texts import NameTexts, cut_items, cut_texts, runs_of
from geolive.sources.paper.usual_blocks import _brackets, _find_lists, _without_lists
from geolive.tables import points

T = TypeVar("T")
_BLOCK = 8 << 20
_seconds: Counter[str] = Counter()


def timed(part: str, work: Callable[[], T]) -> T:
    """Do a part of the work, and add its processor time."""
    start = time.process_time()
    done = work()
    _seconds[part] += time.process_time() - start
    return done


def read(path: str) -> None:
    """Read the bytes of a table into one buffer."""
    buffer = bytearray(_BLOCK)
    with Path(path).open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def block_parts(block: bytes, header: list[str], names: NameTexts) -> None:
    """Time what a block of lines needs."""
    content, whole = np.frombuffer(block, np.uint8), pa.py_buffer(block)
    timed("find the brackets", lambda: _brackets(content))
    lists = _find_lists(block)
    if lists is None:
        return
    rest = timed("copy lists and other fields", lambda: _without_lists(block, lists))
    columns = [str(i) for i in range(len(header))]
    options = arrow_csv.ReadOptions(column_names=columns, block_size=len(rest) + 1, use_threads=False)
    texts = arrow_csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.binary()), strings_can_be_null=False)
    timed(
        "Arrow's CSV reader on the other fields",
        lambda: arrow_csv.read_csv(pa.BufferReader(rest), options, arrow_csv.ParseOptions(), texts),
    )
    filled = np.flatnonzero((lists.stop - lists.start > 2).all(axis=1))
    start, stop = lists.start[filled], lists.stop[filled]
    indexes = timed("copy lists and other fields", lambda: cut_items(whole, start[:, 0], stop[:, 0]))
    said = timed("copy lists and other fields", lambda: cut_texts(whole, start[:, 1] + 1, stop[:, 1]))
    numbers = timed("copy lists and other fields", lambda: cut_items(whole, start[:, 2], stop[:, 2]))
    timed(
        "compare the bytes of confidences",
        lambda: [where_equal(numbers.content, ord(sign)) for sign in " ,."] + [count_digits(numbers.content)],
    )
    position = timed("find and take class indexes", lambda: np.flatnonzero(indexes.content == ord(" ")))
    first, second = timed(
        "find and take class indexes",
        lambda: [indexes.content[n:].take(position, mode="clip") - np.uint8(ord("0")) for n in (1, 2)],
    )
    number = np.where(second < 10, 10 * first.astype(np.int64) + second, first)
    number[number > 64] = 64
    runs = runs_of(number, np.searchsorted(position, indexes.offsets))
    expected = timed("make and compare the texts of names", lambda: names.of(runs))
    timed(
        "make and compare the texts of names",
        lambda: pa.py_buffer(expected.content).equals(pa.py_buffer(said.content)),
    )


def end_parts(dataset: Path) -> None:
    """Time what the whole dataset needs: unique keys, points, files and their checksums."""
    table = pq.read_table(dataset / "images.parquet")
    timed("find repeated keys", lambda: pc.unique(table["key"].combine_chunks()))
    import geopandas as gpd

    images = gpd.read_parquet(dataset / "images.parquet")
    lon, lat = images.geometry.x.to_numpy(), images.geometry.y.to_numpy()
    timed("make points", lambda: points(lon, lat))
    objects = np.load(dataset / "features" / "objects.npy")
    with tempfile.TemporaryDirectory(dir=dataset.parent) as folder:
        timed("write the tables and counts", lambda: write_table(images, Path(folder) / "images.parquet"))
        timed("write the tables and counts", lambda: np.save(Path(folder) / "objects.npy", objects))
        for path in Path(folder).iterdir():
            with path.open("rb") as file:
                timed("checksums", lambda file=file: hashlib.file_digest(file, "sha256"))


def main() -> None:
    """Print the processor seconds of each part."""
    path, dataset = sys.argv[1], Path(sys.argv[2])
    names = json.loads((dataset / "dataset.json").read_text())["extra"]["class_names"]
    texts = NameTexts({i: names.get(str(i), "x") for i in range(100)})
    with Path(path).open("rb") as file:
        header = file.readline().decode().strip().split(",")
        while block := file.read(_BLOCK):
            block_parts(block + file.readline(), header, texts)
    timed("read the bytes", lambda: read(path))
    end_parts(dataset)
    print(json.dumps(_seconds))


if __name__ == "__main__":
    main()
