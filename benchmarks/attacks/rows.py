"""Damage rows of the paper's table and of a survey: every row is kept or rejected, and no error but one line."""

import itertools
from collections.abc import Callable
from pathlib import Path

from benchmarks.attacks.base import Attack

BLOCK = 2000


def run(attack: Attack) -> None:
    for number in itertools.count():
        if not attack.more():
            return
        name, block = ("rows of a survey", _survey) if number % 4 == 3 else ("rows of the paper's table", _paper)
        n_rows = _read(attack, f"{name}, block {number}", block)
        attack.counts["tries"] += n_rows
        attack.parts[name] += n_rows


def _read(attack: Attack, what: str, block: Callable[[Attack], tuple[int, int, int]]) -> int:
    """Read a block of damaged rows, and count a fault where it is refused as a whole or rows are lost; return its rows."""
    from geolive.errors import InputError

    try:
        n_rows, kept, rejected = block(attack)
    except InputError as error:
        attack.fault("crashes", f"{what}: the whole table is refused: {error}")
        return BLOCK
    except Exception as error:
        attack.fault("crashes", f"{what}: {error!r}")
        return BLOCK
    if kept + rejected != n_rows or kept < 0.25 * n_rows:
        attack.fault("mismatches", f"{what}: of {n_rows} rows {kept} are kept and {rejected} rejected")
    return n_rows


def _paper(attack: Attack) -> tuple[int, int, int]:
    """Number of damaged rows of the paper's table, of those kept, and of those rejected."""
    from geolive.sources.paper.reader import read_paper

    lists = attack.folder / "lists"
    lists.mkdir(exist_ok=True)
    (lists / "train_clusters_ia.txt").write_text("ia_50001\n")
    path = attack.folder / "data.csv"
    lines = [_row(f"k{i}") for i in range(BLOCK)]
    lines = [_damaged(attack, line) if attack.random.random() < 0.7 else line for line in lines]
    path.write_bytes(HEADER + b"\n" + b"\n".join(lines) + b"\n")
    n_rows = sum(1 for line in path.read_bytes().split(b"\n")[1:] if line.removesuffix(b"\r"))
    dataset, _ = read_paper(path, lists)
    return n_rows, len(dataset.images), len(dataset.rejects)


def _survey(attack: Attack) -> tuple[int, int, int]:
    """The same of a survey; a quote or a byte that is no text would make the file no CSV, so there is none."""
    from geolive.sources.survey.reader import read_survey

    path: Path = attack.folder / "survey.csv"
    lines = [f"p{i},{73.0 + i / 1000:.4f},{15.0 + i / 1000:.4f},{i % 13}.5,U" for i in range(BLOCK)]
    lines = [_damaged_text(attack, line) if attack.random.random() < 0.6 else line for line in lines]
    path.write_text("\n".join(["id,lon,lat,wealth,urban", *lines]) + "\n", encoding="utf-8")
    n_rows = sum(1 for line in lines if any(field.strip() for field in line.split(",")))
    dataset = read_survey(path, "lon", "lat", {"wealth": "wealth"}, id="id", urban="urban", drop_invalid=True)
    return n_rows, len(dataset.clusters), len(dataset.rejects)


def _damaged_text(attack: Attack, row: str) -> str:
    at = attack.random.randrange(len(row))
    match attack.random.randrange(5):
        case 0:
            return row[:at]
        case 1:
            return row[:at] + attack.random.choice("\t;,:-+eE. \x00\x1b\u202e💥०") + row[at + 1 :]
        case 2:
            return row.replace(",", attack.random.choice([";", ",,", "\t", ""]), 1)
        case 3:
            fields = row.split(",")
            odd = [
                "nan",
                "inf",
                "1e999",
                "-0",
                "=1+1",
                "9" * 400,
                "[" * 5000,
                "null",
                "",
                "p1",
                "200",
                "-91",
                "\x1b[2J",
            ]
            fields[attack.random.randrange(len(fields))] = attack.random.choice(odd)
            return ",".join(fields)
        case _:
            return row[at:] + row[:at]


HEADER = b"key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"


def _row(key: str) -> bytes:
    return (
        f'{key},ia_50001,85.1,25.6,"[2, 10, 255]","[""Guard Rail"", ""Road"", ""Void""]","[0.9, 0.5, 0.1]",-0.5,0,900.5,1,20.1,0'
    ).encode()


def _damaged(attack: Attack, row: bytes) -> bytes:
    at = attack.random.randrange(len(row))
    match attack.random.randrange(7):
        case 0:
            return row[:at]
        case 1:
            return row[:at] + bytes([attack.random.randrange(256)]) + row[at + 1 :]
        case 2:
            return row[:at] + attack.random.randbytes(attack.random.randrange(1, 30)) + row[at:]
        case 3:
            return row.replace(
                b"Road", attack.random.choice([b"Raod", b"\x1b[2J", b"", b"Road" * 100, "\u202e".encode()])
            )
        case 4:
            return row.replace(b",", attack.random.choice([b";", b",,", b"\t", b"\0"]), 1)
        case 5:
            fields = row.split(b",")
            fields[attack.random.randrange(len(fields))] = attack.random.choice(
                [b"nan", b"inf", b"1e999", b"-0", b"=1+1", b"9" * 400, b"[" * 5000, b"null", b'"', b"\xff"]
            )
            return b",".join(fields)
        case _:
            return row[at:] + row[:at]
