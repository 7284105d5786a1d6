"""The districts as a table without borders."""

import csv
import io

from geolive.files import spreadsheet_safe
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_columns


def csv_bytes(district_map: DistrictMap) -> bytes:
    """Write the districts table as CSV in UTF-8, one district in each row; a missing value is an empty field.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.

    Parameters
    ----------
    district_map : DistrictMap

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> csv_bytes(result).decode().splitlines()[0][:40]
    'district_id,district,state,pov,pov_lower'
    """
    columns = district_columns(district_map)
    columns["made_with"] = [f"geolive {district_map.provenance.version}"] * len(district_map.districts)
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(map(spreadsheet_safe, columns))
    writer.writerows([spreadsheet_safe(value) for value in row] for row in zip(*columns.values(), strict=True))
    return lines.getvalue().encode("utf-8", "replace")
