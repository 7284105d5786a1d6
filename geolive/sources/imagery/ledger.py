"""The record of what a fetch has done, in SQLite; a fetch that was killed at any moment continues from it."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.imagery.source import ListedImage

VERSION = 3
# an empty answer is believed for so long
EMPTY_SECONDS = 3600.0

_TABLES = """
CREATE TABLE IF NOT EXISTS request (part TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tiles (number INTEGER PRIMARY KEY, x INTEGER NOT NULL, y INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, empty INTEGER NOT NULL DEFAULT 0, asked REAL);
CREATE TABLE IF NOT EXISTS found (id TEXT PRIMARY KEY, tile INTEGER NOT NULL, lon REAL NOT NULL, lat REAL NOT NULL,
    captured_at INTEGER, is_pano INTEGER NOT NULL, facts TEXT);
CREATE TABLE IF NOT EXISTS images (id TEXT PRIMARY KEY, facts TEXT, detections TEXT, sha256 TEXT, bytes INTEGER, gone TEXT);
"""
_BY_NUMBER = "ORDER BY length(id), id"


class Task(NamedTuple):
    """A sampled image, its facts as far as they are known, and whether its detections and its photo are still missing."""

    id: str
    facts: dict | None
    detections: bool
    photo: bool


class Ledger:
    """The ledger of one fetch; only one process at a time can open it.

    Parameters
    ----------
    path : str or Path
        The file; it is created if it is missing.
    what : str
        Name of the fetch in error messages.

    Raises
    ------
    InputError
        Another process uses the ledger, it cannot be written, or another version wrote it.

    Examples
    --------
    >>> import tempfile
    >>> with Ledger(Path(tempfile.mkdtemp()) / "ledger.sqlite", "goa") as ledger:
    ...     ledger.start_tiles([(12066, 6986)])
    ...     ledger.put_tile(0, [ListedImage("7", 85.13, 25.59, None, False)])
    ...     ledger.tiles_left(), ledger.listed().id.tolist()
    ([], ['7'])
    """

    def __init__(self, path: str | Path, what: str):
        try:
            self._db = sqlite3.connect(path, timeout=1, isolation_level=None)
            # exclusive locking needs no shared memory, which folders on a network lack
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise InputError(
                    f"{path}: made by another version of geolive; remove {Path(path).parent} to start again"
                )
            for statement in _TABLES.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {VERSION}")
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            locked = "locked" in str(error)
            raise InputError(
                f"{what}: another command is fetching it; wait until that command ends"
                if locked
                else f"{path}: cannot be opened ({error}); give another folder, out='DIR'"
            ) from None
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: damaged ({error}); remove {Path(path).parent} to start again") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()

    def request(self) -> dict:
        """Return the parts of the request that `set_request` stored."""
        return {part: json.loads(value) for part, value in self._db.execute("SELECT part, value FROM request")}

    def forget_request(self) -> None:
        """Forget the request, its tiles and its sample, as long as nothing was listed or fetched."""
        with _transaction(self._db):
            for table in ("request", "tiles", "images"):
                self._db.execute(f"DELETE FROM {table}")

    def n_listed(self) -> int:
        """Return the number of tiles that were listed."""
        return self._db.execute("SELECT count(*) FROM tiles WHERE done").fetchone()[0]

    def set_request(self, parts: dict) -> None:
        """Store the parts of the request."""
        rows = [(part, json.dumps(value, sort_keys=True)) for part, value in parts.items()]
        self._change("INSERT OR REPLACE INTO request VALUES (?, ?)", rows)

    def start_tiles(self, tiles: Iterable[tuple[int, int]]) -> None:
        """Add the tiles to request; tiles that are in the ledger stay as they are."""
        rows = [(number, int(x), int(y)) for number, (x, y) in enumerate(tiles)]
        self._change("INSERT OR IGNORE INTO tiles (number, x, y) VALUES (?, ?, ?)", rows)

    def tiles_left(self) -> list[tuple[int, int, int]]:
        """Return number, column and row of the tiles to request.

        A server that fails may answer that a tile is empty. So an empty tile is requested once more after `EMPTY_SECONDS`, unless
        images were fetched since.
        """
        expired = "" if self.n_begun() else f"OR (empty > 0 AND abs(asked - {time.time()}) > {EMPTY_SECONDS})"
        return self._db.execute(f"SELECT number, x, y FROM tiles WHERE NOT done {expired} ORDER BY number").fetchall()

    def put_empty_tile(self, number: int, answers: int = 1) -> None:
        """Store that a tile was answered without any image; so many such answers in a row make it done."""
        statement = "UPDATE tiles SET done = empty + 1 >= ?, empty = empty + 1, asked = ? WHERE number = ?"
        self._change(statement, [(answers, time.time(), number)])

    def n_empty(self) -> int:
        """Return the number of tiles without any image."""
        return self._db.execute("SELECT count(*) FROM tiles WHERE empty > 0").fetchone()[0]

    def forget_empty_tiles(self) -> None:
        """Request all empty tiles again."""
        self._change("UPDATE tiles SET done = 0, empty = 0 WHERE empty > ?", [(0,)])

    def put_tile(self, number: int, images: Iterable[ListedImage]) -> None:
        """Store the images of a tile and mark it as done; an image of two tiles belongs to the tile with the lower number."""
        rows = [
            (*image[:1], number, *image[1:5], None if image.facts is None else json.dumps(image.facts))
            for image in images
        ]
        with _transaction(self._db):
            self._db.executemany(
                "INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET tile = excluded.tile, "
                "lon = excluded.lon, lat = excluded.lat, captured_at = excluded.captured_at, is_pano = excluded.is_pano, "
                "facts = excluded.facts WHERE excluded.tile < tile",
                rows,
            )
            self._db.execute("UPDATE tiles SET done = 1, empty = 0 WHERE number = ?", (number,))

    def listed(self) -> pd.DataFrame:
        """Return the images that all tiles list, by id: id, lon, lat, captured_at (float, may be missing), is_pano."""
        rows = self._db.execute(f"SELECT id, lon, lat, captured_at, is_pano FROM found {_BY_NUMBER}").fetchall()
        table = pd.DataFrame(rows, columns=["id", "lon", "lat", "captured_at", "is_pano"])
        types = {"id": object, "lon": float, "lat": float, "captured_at": np.float64, "is_pano": bool}
        return table.astype(types)

    def set_sample(self, ids: Iterable[str]) -> None:
        """Store the images to fetch; they replace those of an earlier sample."""
        with _transaction(self._db):
            self._db.execute("DELETE FROM images")
            self._db.executemany("INSERT INTO images (id) VALUES (?)", [(id,) for id in ids])

    def n_begun(self) -> int:
        """Return the number of sampled images of which something was fetched."""
        return self._db.execute(
            "SELECT count(*) FROM images WHERE coalesce(facts, detections, sha256, gone) IS NOT NULL"
        ).fetchone()[0]

    def n_sampled(self) -> int:
        """Return the number of sampled images."""
        return self._db.execute("SELECT count(*) FROM images").fetchone()[0]

    def tasks(self, objects: bool, photos: bool) -> list[Task]:
        """Return the sampled images of which something is missing, by id."""
        rows = self._db.execute(
            "SELECT images.id, coalesce(images.facts, found.facts) AS known, ? AND detections IS NULL AS detections, "
            "? AND sha256 IS NULL AS photo FROM images LEFT JOIN found USING (id) WHERE gone IS NULL AND "
            "(known IS NULL OR detections OR photo) ORDER BY length(images.id), images.id",
            (objects, photos),
        )
        return [
            Task(id, json.loads(facts) if facts else None, bool(more), bool(photo)) for id, facts, more, photo in rows
        ]

    def put_facts(self, id: str, facts: dict) -> None:
        """Store the facts on an image."""
        self._change("UPDATE images SET facts = ? WHERE id = ?", [(json.dumps(facts), id)])

    def put_detections(self, id: str, values: dict[str, int]) -> None:
        """Store what was detected in an image."""
        self._change("UPDATE images SET detections = ? WHERE id = ?", [(json.dumps(values), id)])

    def put_photo(self, id: str, sha256: str, size: int) -> None:
        """Record that the photo of an image is in place."""
        self._change("UPDATE images SET sha256 = ?, bytes = ? WHERE id = ?", [(sha256, size, id)])

    def forget_photo(self, id: str) -> None:
        """Record that the photo of an image is missing."""
        self._change("UPDATE images SET sha256 = NULL, bytes = NULL WHERE id = ?", [(id,)])

    def put_gone(self, id: str, reason: str) -> None:
        """Record why an image cannot be had, so that it is never requested again."""
        self._change("UPDATE images SET gone = ? WHERE id = ?", [(reason, id)])

    def put_all_gone(self, reasons: Iterable[tuple[str, str]]) -> None:
        """Record why images cannot be had, by id and reason."""
        self._change("UPDATE images SET gone = ? WHERE id = ?", [(reason, id) for id, reason in reasons])

    def photos(self) -> list[tuple[str, str, int]]:
        """Return id, SHA-256 and size in bytes of the photos in place."""
        return self._db.execute(
            f"SELECT id, sha256, bytes FROM images WHERE sha256 IS NOT NULL AND gone IS NULL {_BY_NUMBER}"
        ).fetchall()

    def images(self) -> pd.DataFrame:
        """Return all sampled images by id: id, facts and detections (dicts or None), sha256, gone, tile_captured_at."""
        rows = self._db.execute(
            "SELECT images.id, coalesce(images.facts, found.facts), detections, sha256, gone, found.captured_at "
            "FROM images LEFT JOIN found USING (id) ORDER BY length(images.id), images.id"
        ).fetchall()
        table = pd.DataFrame(
            rows, columns=["id", "facts", "detections", "sha256", "gone", "tile_captured_at"], dtype=object
        )
        for name in ("facts", "detections"):
            table[name] = [None if text is None else json.loads(text) for text in table[name]]
        return table

    def _change(self, statement: str, rows: list[tuple]) -> None:
        with _transaction(self._db):
            self._db.executemany(statement, rows)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make all changes of the block, or none."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError):
            raise InputError(
                f"the ledger cannot be written ({error}); free space on the disk and run the same command again"
            ) from None
        raise
