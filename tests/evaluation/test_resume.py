import json

import numpy as np
import pytest

from geolive.errors import InputError, RestartWarning
from geolive.evaluation.cross_validation import BEST, LAST, Predicted
from geolive.evaluation.resume import ResumeFolder, check_report_folder


def test_rows_come_back_as_they_were_kept(tmp_path):
    curve = {"fold": 1, "train": [0.5], "validation": [0.6], "best": 1}
    best = Predicted(
        "gcn", {"k": 1}, np.array([[1.0, np.nan]]), [curve], selection=BEST, images=np.array([[0, 0, 1.5]])
    )
    last = Predicted("gcn+last", {}, np.array([[2.0, np.nan]]), uses_images=False, selection=LAST)
    resume = ResumeFolder(tmp_path / "report")
    resume.keep("a", [best, last])
    for kept, found in zip([best, last], resume.find("a"), strict=True):
        assert np.array_equal(found.values, kept.values, equal_nan=True)
        assert np.array_equal(found.images, kept.images)
        for name in ("model", "params", "curves", "out_of_fold", "uses_images", "selection"):
            assert getattr(found, name) == getattr(kept, name)


def test_a_file_of_an_older_form_is_computed_again(tmp_path):
    resume = ResumeFolder(tmp_path / "report")
    resume.path.mkdir()
    about = json.dumps({"model": "mean", "params": {}, "curves": [], "out_of_fold": True, "uses_images": True})
    np.savez(resume.path / "a.npz", values=np.ones((1, 2)), about=np.array(about))
    with pytest.warns(RestartWarning, match="computed again"):
        assert resume.find("a") is None


def test_rows_beside_a_finished_report_are_removed(tmp_path):
    """A run that was killed after its report was in place leaves rows that nothing would ever read."""
    resume = ResumeFolder(tmp_path / "report")
    resume.keep("a", [Predicted("mean", {}, np.ones((1, 2)))])
    check_report_folder(tmp_path / "report")
    assert resume.find("a") is not None
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "notes.txt").touch()
    with pytest.raises(InputError):
        check_report_folder(tmp_path / "report")
    assert resume.find("a") is not None
    (tmp_path / "report" / "report.html").touch()
    with pytest.raises(InputError, match="exists already"):
        check_report_folder(tmp_path / "report")
    assert not resume.path.exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text"])
def test_a_damaged_row_is_computed_again_with_a_note(tmp_path, damage):
    resume = ResumeFolder(tmp_path / "report")
    resume.keep("a", [Predicted("mean", {}, np.ones((3, 2)))])
    (file,) = resume.path.iterdir()
    content = bytearray(file.read_bytes())
    flipped = content.copy()
    flipped[150] ^= 0xFF
    file.write_bytes(
        {"cut": content[: len(content) // 2], "empty": b"", "flipped": flipped, "text": b"x" * 900}[damage]
    )
    with pytest.warns(RestartWarning, match="computed again"):
        assert resume.find("a") is None
    assert list(resume.path.iterdir()) == []
    resume.keep("a", [Predicted("mean", {}, np.ones((3, 2)))])
    assert resume.find("a")[0].values.tolist() == np.ones((3, 2)).tolist()
