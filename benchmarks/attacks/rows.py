"""Damage rows of the paper's table and of a survey: every row is kept or rejected, and no error but one line."""

import itertools

from benchmarks.attacks.base import Attack

BLOCK = 2000


def run(attack: Attack) -> None:
    from geolive.errors import InputError
    from geolive.sources.paper.reader import read_paper

    lists = attack.folder / "lists"
    lists.mkdir()
    (lists / "train_clusters_ia.txt").write_text("ia_50001\n")
    for number in itertools.count():
        if not attack.more():
            return
        path = attack.folder / "data.csv"
        lines = [_row(f"{number}-{i}") for i in range(BLOCK)]
        lines = [_damaged(attack, line) if attack.random.random() < 0.7 else line for line in lines]
        path.write_bytes(HEADER + b"\n" + b"\n".join(lines) + b"\n")
        n_rows = sum(1 for line in path.read_bytes().split(b"\n")[1:] if line.removesuffix(b"\r"))
        attack.counts["tries"] += n_rows
        try:
            dataset, _ = read_paper(path, lists)
        except InputError as error:
            attack.fault("crashes", f"block {number}: the whole table is refused: {error}")
            continue
        except Exception as error:
            attack.fault("crashes", f"block {number}: {error!r}")
            continue
        kept, rejected = len(dataset.images), len(dataset.rejects)
        if kept + rejected != n_rows or kept < 0.25 * n_rows:
            attack.fault("mismatches", f"block {number}: of {n_rows} rows {kept} are kept and {rejected} rejected")


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
