"""Results of partitions as files: work that was stopped continues, and what is damaged is computed again."""

import numpy as np
import pytest

from geolive.engine.choosing import choose_engine
from geolive.engine.local import LocalEngine
from geolive.engine.parts import PartFolder, run_parts
from geolive.errors import InputError, RestartWarning


class Stopped(Exception):
    pass


def computed(folder, partitions, calls, stop_at=None, made_by=None):
    def make():
        def square(n):
            if n == stop_at:
                raise Stopped
            calls.append(n)
            return {"square": np.array([n * n])}, {"n": n}

        return square

    with PartFolder(folder, made_by or {"model": "a"}) as parts:
        return [
            (int(arrays["square"][0]), about["n"])
            for arrays, about in run_parts(LocalEngine(), make, partitions, parts)
        ]


def test_what_was_done_is_not_computed_again(tmp_path):
    calls = []
    with pytest.raises(Stopped):
        computed(tmp_path / "work", [2, 3, 4, 5], calls, stop_at=4)
    assert calls == [2, 3]
    assert computed(tmp_path / "work", [2, 3, 4, 5], calls) == [(4, 2), (9, 3), (16, 4), (25, 5)]
    assert calls == [2, 3, 4, 5]


@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_a_damaged_part_is_computed_again(tmp_path, harm):
    calls = []
    before = computed(tmp_path / "work", [2, 3], calls)
    part = tmp_path / "work" / "part-00000001.npz"
    part.write_bytes(part.read_bytes()[:-9]) if harm == "cut" else part.unlink()
    with pytest.warns(RestartWarning, match="part-00000001.npz"):
        assert computed(tmp_path / "work", [2, 3], calls) == before
    assert calls == [2, 3, 3]


def test_work_with_other_settings_is_not_continued(tmp_path):
    computed(tmp_path / "work", [2], [])
    with pytest.raises(InputError, match="started with another model"):
        computed(tmp_path / "work", [2], [], made_by={"model": "b"})


@pytest.mark.parametrize(
    ("named", "said"), [(("spark", None), "must be one of local, ray"), (("local", "auto"), "add engine='ray'")]
)
def test_engines_that_do_not_exist_are_refused(named, said):
    with pytest.raises(InputError, match=said):
        choose_engine(*named)
