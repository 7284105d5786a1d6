"""A small, seeded part of benchmarks/attack.py."""

import pytest

from benchmarks.attack import FAULTS, attack


@pytest.mark.parametrize(("kind", "tries"), [("rows", 4000), ("bundles", 12), ("command_lines", 25), ("disks", 6)])
def test_attacked_a_little_nothing_is_found(kind, tries):
    done = attack(kind, 1, 11, tries)
    assert done.counts["tries"] > 0
    assert not [done.counts[fault] for fault in FAULTS if done.counts[fault]], "\n".join(done.faults)


@pytest.mark.slow
def test_killed_a_little_nothing_is_lost():
    done = attack("kills", 2, 11, 10)
    assert not [done.counts[fault] for fault in FAULTS if done.counts[fault]], "\n".join(done.faults)
