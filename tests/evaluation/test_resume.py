import numpy as np
import pytest

from geolive.errors import RestartWarning
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.resume import ResumeFolder


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "text"])
def test_a_damaged_row_is_computed_again_with_a_note(tmp_path, damage):
    resume = ResumeFolder(tmp_path / "report")
    resume.keep("a", Predicted("mean", {}, np.ones((3, 2))))
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
    resume.keep("a", Predicted("mean", {}, np.ones((3, 2))))
    assert resume.find("a").values.tolist() == np.ones((3, 2)).tolist()
