"""benchmarks/results.py: what docs/performance.md includes."""

from benchmarks.measured import Measured
from benchmarks.results import Results

MACHINE = ["a machine", "numpy 2"]
TABLE = "| step | s |\n|---|---|\n| read | {} |"


def test_results_of_one_benchmark_replace_its_own_and_leave_the_others(tmp_path):
    results = Results(tmp_path, ["first", "second --threads 2"])
    results.replace(
        "second --threads 2", MACHINE, [Measured("two", [3.0, 1.0, 2.0], "s", at_most=2.5)], TABLE.format(8)
    )
    results.replace("first", MACHINE, [Measured("one", [5.0], "s", at_most=4)], "only words")
    results.replace("second --threads 2", MACHINE, [Measured("two", [7.0], "s")], f"words\n{TABLE.format(9)}\nwords")
    assert (tmp_path / "table.md").read_text().splitlines() == [
        *MACHINE,
        "",
        "| what | median | lowest to highest | rounds | wanted | kept |",
        "| --- | --- | --- | --- | --- | --- |",
        "| one | 5 s |  | 1 | ≤ 4 s | **no** |",
        "| two | 7 s |  | 1 |  |  |",
    ]
    assert (tmp_path / "second_threads_2.md").read_text().strip() == TABLE.format(9)
    assert not (tmp_path / "first.md").exists()


def test_figures_of_two_machines_stand_in_two_tables(tmp_path):
    results = Results(tmp_path, ["first", "second"])
    results.replace("first", MACHINE, [Measured("one", [5.0])], "")
    results.replace("second", ["another machine"], [Measured("two", [1.0])], "")
    text = (tmp_path / "table.md").read_text()
    assert text.index("a machine") < text.index("| one |") < text.index("another machine") < text.index("| two |")
