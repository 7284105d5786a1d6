"""Shares below a line: against counting by hand, and what must hold for any line."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.below_line import poverty_rates, share_below


def households(seed=0, n_clusters=60, size=20):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n_clusters), size)
    spent = np.exp(rng.normal(0, 0.5, n_clusters)[cluster] + rng.normal(0, 0.5, len(cluster)))
    columns = {
        "district_id": cluster % 4,
        "cluster": cluster,
        "spent": spent,
        "members": rng.integers(1, 9, len(cluster)),
    }
    return pd.DataFrame(columns | {"weight": rng.uniform(0.5, 2, len(cluster))})


def test_headcount_and_gap_are_the_weighted_counts():
    table = households()
    found = poverty_rates(table, "spent", 0.8, size="members", weight="weight", psu="cluster")
    people = table["members"] * table["weight"]
    for district, part in table.groupby("district_id"):
        w, y = people[part.index], part["spent"]
        assert found.loc[district, "headcount"] == pytest.approx(np.average(y < 0.8, weights=w))
        assert found.loc[district, "gap"] == pytest.approx(np.average(np.clip(1 - y / 0.8, 0, None), weights=w))


def test_clusters_widen_the_error():
    table = households()
    alone = poverty_rates(table, "spent", 0.8)
    clustered = poverty_rates(table, "spent", 0.8, psu="cluster")
    assert clustered["headcount"].to_list() == pytest.approx(alone["headcount"].to_list())
    assert (clustered["headcount_variance"] > 2 * alone["headcount_variance"]).all()


def test_a_higher_line_has_more_below_it():
    table = households()
    rates = [
        poverty_rates(table, "spent", line, psu="cluster")[["headcount", "gap"]].to_numpy() for line in (0.5, 1.0, 2.0)
    ]
    assert (np.diff(rates, axis=0) > 0).all()
    # welfare and line in another currency
    other = poverty_rates(table.assign(spent=80 * table["spent"]), "spent", 80.0, psu="cluster")
    assert other["gap"].to_numpy() == pytest.approx(rates[1][:, 1])


def test_share_of_clusters_below_has_an_error_even_at_zero_and_one():
    clusters = pd.DataFrame({"district_id": list("aaabbbcc"), "pov": [-1, -2, -3, 1, 2, 3, -1, 1.0]})
    found = share_below(clusters, "pov", 0.0)
    assert found["direct"].to_list() == [1, 0, 0.5]
    assert (found["variance"] > 0).all()
    assert (found.loc[["a", "b"], "variance_source"] == "pooled").all()
    missing = share_below(pd.concat([clusters, pd.DataFrame({"district_id": ["a"], "pov": [np.nan]})]), "pov", 0.0)
    assert missing["n_units"].to_list() == [3, 3, 2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: poverty_rates(t, "spent", 0.0), "line=0: a poverty line must be above 0"),
        (lambda t: poverty_rates(t.assign(spent=-1.0), "spent", 1.0), "spent: row 0: is -1"),
        (lambda t: poverty_rates(t, "spent", 1e-9), "no household is below it"),
        (lambda t: poverty_rates(t, "income", 1.0), "no column 'income'"),
        (lambda t: poverty_rates(t.assign(members=-1), "spent", 1.0, size="members"), "members: row 0: is negative"),
        (lambda t: share_below(t.assign(spent="a"), "spent", 1.0), "spent: is not numeric"),
        (lambda t: share_below(t, "spent", float("nan")), "line=nan: must be a number"),
    ],
)
def test_bad_input_is_told_in_one_line(call, words):
    with pytest.raises(InputError, match=words):
        call(households())
