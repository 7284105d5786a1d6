"""The part of `info --boundaries` that compares names of districts."""

from pathlib import Path
from typing import TYPE_CHECKING

from geolive.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from geolive.boundary_files import BoundaryFile
    from geolive.dataset import Dataset

_MOST_SHOWN = 30
_KINDS = (".csv", ".json")


def check_report(dataset: Path, boundaries: Path | None, column: str | None, report: Path | None) -> None:
    """Raise InputError where options about the comparison of names do not go together, or its file cannot be written.

    Examples
    --------
    >>> check_report(Path("survey"), None, None, Path("names.csv"))
    Traceback (most recent call last):
    geolive.errors.InputError: --join-report needs a file of districts; add --boundaries FILE
    """
    from geolive.files import check_new_folder

    for option, value in (("--join-report", report), ("--column", column)):
        if value is not None and boundaries is None:
            raise InputError(f"{option} needs a file of districts; add --boundaries FILE")
    if boundaries is not None and dataset.is_file() and column is None:
        raise InputError(f"{dataset}: is a table; name its column of districts with --column COLUMN")
    if column is not None and dataset.is_dir():
        raise InputError(f"{dataset}: is a dataset, whose columns of districts are known; leave out --column")
    if report is not None:
        if report.suffix.lower() not in _KINDS:
            raise InputError(f"--join-report {report}: must be named .csv or .json")
        check_new_folder(report)


def show_report(data: "Dataset | Path", file: "BoundaryFile", column: str | None, report: Path | None) -> None:
    """Show which names of a dataset, or of a table's column, are those of a file of districts; write all rows if asked to.

    Parameters
    ----------
    data : Dataset or Path
        A dataset, or a table with `column`.
    file : BoundaryFile
    column, report : str and Path, optional
    """
    import pandas as pd

    from geolive.console import say, show_table
    from geolive.join_report import MATCHED, UNUSED

    parts = []
    for name, found in _reports(data, file, column):
        parts.append(found.assign(column=name))
        counts = found.groupby("status", sort=False)["name"].size()
        rows = found.groupby("status", sort=False)["rows"].sum()
        told = ", ".join(
            f"{n:,} {status}" + (f" ({rows[status]:,} rows)" if rows[status] else "") for status, n in counts.items()
        )
        say("")
        say(f"Names of {name!r} in {file.path.name}: {told}")
        wrong = found[~found["status"].isin([MATCHED, UNUSED])]
        shown = wrong[["status", "name", "rows", "districts"]].head(_MOST_SHOWN).astype(str)
        if len(shown):
            title = "Names that are not those of the file"
            show_table(title, ["status", "name", "rows", "districts of the file"], shown.to_numpy(object).tolist())
        unused = found.loc[found["status"] == UNUSED, "districts"].tolist()
        if unused:
            more = f" and {len(unused) - _MOST_SHOWN:,} more" if len(unused) > _MOST_SHOWN else ""
            say(f"Districts of the file without rows: {', '.join(unused[:_MOST_SHOWN])}{more}")
        if len(wrong) > _MOST_SHOWN:
            say(f"and {len(wrong) - _MOST_SHOWN:,} further names; --join-report FILE.csv writes all")
    if not isinstance(data, Path):
        _show_positions(data, file)
    if report is not None:
        _write(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(), report)
        say(f"Written: {report}")


def _reports(data: "Dataset | Path", file: "BoundaryFile", column: str | None) -> "list[tuple[str, pd.DataFrame]]":
    """Return for each column of names its comparison with the file."""
    from geolive.join_report import join_report
    from geolive.sources.survey.tables import read_table, require

    if isinstance(data, Path):
        assert column is not None  # check_report saw to it
        texts = read_table(data, lambda header: require(data, header, [column]), with_positions=False).texts[column]
        return [(column, join_report(texts, file.districts))]
    clusters = data.clusters
    has_states = bool((file.districts["state"].astype(str) != "").any())
    named = [("district_id", "district"), ("state", "state" if has_states else "district")]
    return [
        (name, join_report(clusters[name].tolist(), file.districts, level))
        for name, level in named
        if clusters[name].notna().any()
    ]


def _show_positions(data: "Dataset", file: "BoundaryFile") -> None:
    """Say how many surveyed places lie in the file's districts, and how many districts have none."""
    from geolive.console import say
    from geolive.regions import assign_districts

    at = assign_districts(data.clusters.geometry, file.districts)
    within, used = int(at.notna().sum()), at.dropna().nunique()
    say("")
    say(
        f"Positions: {within:,} of {len(at):,} clusters lie in {used:,} of the {len(file.districts):,} districts of "
        f"{file.path.name}"
    )


def _write(table: "pd.DataFrame", path: Path) -> None:
    import json

    from geolive.files import replacing, write_csv

    columns = ["column", "status", "name", "rows", "districts"]
    table = table.reindex(columns=columns)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            write_csv(table, temporary)
        else:
            records = table.astype({"rows": object}).to_dict("records")
            temporary.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
