"""A small, seeded part of benchmarks/attack.py: each kind of attack, on commands that take little time."""

import pytest

from benchmarks.attack import FAULTS, KINDS, attack

QUICK = ["sample", "ingest survey", "predict"]
# kind: tries, and the commands where the kind has them
PARTS = {
    "kills": (4, QUICK),
    "crash_points": (6, QUICK),
    "disks": (6, QUICK),
    "rows": (8000, []),
    "bundles": (12, []),
    "command_lines": (
        12,
        [*QUICK, "ingest paper", "info", "target", "estimate areas", "covariates", "train clusterwise"],
    ),
}


def test_each_kind_of_attack_has_a_small_part():
    assert PARTS.keys() == KINDS.keys()


SLOW = {"command_lines", "bundles", "crash_points", "disks"}


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW)) for kind in PARTS])
def test_attacked_a_little_nothing_is_found(kind):
    tries, commands = PARTS[kind]
    done = attack(kind, 5, 11, tries, commands)
    assert done.counts["tries"] >= tries
    assert not [done.counts[fault] for fault in FAULTS if done.counts[fault]], "\n".join(done.faults)
