"""The files of a map on disks of several sizes: all new, or all as they were."""

import shutil

from geolive.errors import InputError
from geolive.mapping.exports import write_files
from tests.mapping.districtmaps import fake_district_map
from tests.small_disk import small_disk


def test_all_files_are_new_or_all_are_as_they_were(tmp_path):
    names = ["pov.html", "pov.csv", "pov.gpkg"]
    former, new = fake_district_map(seed=1), fake_district_map(seed=2)
    written = write_files(new, [tmp_path / "whole" / name for name in names], exports=True)
    expected = {path.name: path.read_bytes() for path in written}
    size = sum(map(len, expected.values()))
    ended = set()
    with small_disk(tmp_path / "disk", f"{4 * size + (1 << 20)}") as disk:
        outs = [disk / name for name in names]
        for share in (0.02, 0.2, 0.4, 0.6, 0.8, 0.95, 1.5):
            write_files(former, outs, exports=True)
            before = {path.name: path.read_bytes() for path in disk.iterdir()}
            free = shutil.disk_usage(disk).free
            (disk / "filling").write_bytes(bytes(max(0, free - int(share * size))))
            try:
                write_files(new, outs, exports=True)
            except InputError as error:
                ended.add("full")
                assert "disk is full" in str(error), error
                assert "\n" not in str(error)
                wanted = before
            else:
                ended.add("written")
                wanted = expected
            (disk / "filling").unlink()
            assert {path.name: path.read_bytes() for path in disk.iterdir()} == wanted, share
    assert ended == {"full", "written"}
