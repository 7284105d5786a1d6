"""Small tables in the format of the paper's data.csv, for tests."""

import csv
import io
import json

NAMES = {0: "Curb", 2: "Guard Rail", 10: "Road", 64: "Ego Vehicle", 255: "Void"}
SURVEYED = {"pov": -0.5, "pov_label": 0, "pop": 900.5, "pop_label": 1, "bmi": 20.25, "bmi_label": 0}


def row(key="a", unique_cluster="ia_50001", objects=(2, 10, 255), **changed):
    """A row by column; lists are Python lists, or text as it stands."""
    lists = {
        "features": list(objects),
        "features_name": [NAMES.get(i, "?") for i in objects],
        "confidence": [0.5 + i / 1000 for i in objects],
    }
    return {
        "key": key,
        "country": unique_cluster[:2],
        "unique_cluster": unique_cluster,
        "ilon": 85.1,
        "ilat": 25.6,
        "lon": 85.0,
        "lat": 25.5,
        **lists,
        **SURVEYED,
    } | changed


def text(rows, columns=None, quoting=csv.QUOTE_MINIMAL):
    """The rows as CSV, with the columns of the first unless told."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns or list(rows[0]), extrasaction="ignore", lineterminator="\n", quoting=quoting)
    writer.writeheader()
    for each in rows:
        writer.writerow({name: json.dumps(v) if isinstance(v, list) else v for name, v in each.items()})
    return file.getvalue()


def write(folder, rows, train=("ia_50001",), val=(), **options):
    """A folder with data.csv and split lists, whose last lines lack a newline."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.csv").write_text(text(rows, **options), encoding="utf-8")
    (folder / "train_clusters_ia.txt").write_text("\n".join(train))
    (folder / "val_clusters_ia.txt").write_text("\n".join(val))
    return folder / "data.csv"
