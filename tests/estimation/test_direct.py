"""Direct estimates: against another package's numbers, hand-made examples, and what must hold for any survey."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.estimation.direct import direct_estimates


def survey(seed=1, n=400):
    """A survey with four strata, whose primary sampling units lie in one stratum and in several districts."""
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 4, n)
    psu = stratum * 100 + rng.integers(0, 12, n)
    district = np.where(rng.random(n) < 0.7, stratum * 2 + psu % 2, rng.integers(0, 8, n))
    columns = {"h": stratum, "p": psu, "d": district, "w": rng.uniform(0.5, 3, n), "y": rng.normal(size=n) + district}
    table = pd.DataFrame(columns | {"x": rng.integers(1, 9, n)})
    return table.assign(e=rng.binomial(table["x"], 0.3))


def test_agrees_with_samplics():
    # samplics 0.6.1, TaylorEstimator, domain=d, stratum=h, psu=p; the same formulas as in R's survey package
    found = direct_estimates(survey(), "y", "d", weight="w", stratum="h", psu="p")
    assert found["direct"].to_list() == pytest.approx(
        [0.1632920206, 0.9850008730, 2.1850455301, 2.8227840601, 3.7002269290, 4.9571935564, 5.9600558166, 7.0758840484]
    )
    assert found["variance"].to_list() == pytest.approx(
        [
            0.0605912732,
            0.0248884526,
            0.0231125315,
            0.0164243978,
            0.0379103877,
            0.0516244254,
            0.0095846063,
            0.0166039521,
        ],
        rel=1e-6,
    )
    rate = direct_estimates(survey(), "e", "d", denominator="x", weight="w", stratum="h", psu="p")
    assert rate["direct"].to_list()[:2] == pytest.approx([0.2639547658, 0.3053294308])
    assert rate["variance"].to_list()[:3] == pytest.approx([0.00140109887, 0.00132785562, 0.00097724447], rel=1e-6)


def test_without_a_design_it_is_the_mean_and_the_variance_of_a_mean():
    units = pd.DataFrame({"district_id": list("aaabbbb"), "pov": [1.0, 2.0, 6.0, 1.0, 2.0, 3.0, 8.0]})
    found = direct_estimates(units, "pov")
    by = units.groupby("district_id")["pov"]
    assert found["direct"].to_list() == pytest.approx(by.mean().to_list())
    assert found["variance"].to_list() == pytest.approx((by.var() / by.size()).to_list())
    assert found["cv"].to_list() == pytest.approx((found["standard_error"] / found["direct"]).to_list())
    pooled = direct_estimates(units, "pov", variance="pooled")
    within = (2 * by.var()["a"] + 3 * by.var()["b"]) / 5
    assert pooled["variance"].to_list() == pytest.approx([within / 3, within / 4])


def test_variance_is_never_zero():
    units = pd.DataFrame({"district_id": list("aaabbc"), "pov": [1.0, 2.0, 6.0, 3.0, 3.0, 9.0]})
    found = direct_estimates(units, "pov")
    assert found["variance_source"].to_list() == ["design", "pooled", "pooled"]
    within = (2 * 7.0 + 0) / 3
    assert found["variance"].to_list() == pytest.approx([7 / 3, within / 2, within])


def test_generalised_variance_function_finds_the_law_of_variances():
    rng = np.random.default_rng(0)
    district = np.repeat(np.arange(300), rng.integers(2, 30, 300))
    units = pd.DataFrame({"district_id": district, "pov": rng.normal(0, 3, len(district))})
    found = direct_estimates(units, "pov", variance="gvf")
    # independent units of variance 9; without the correction of the logarithms it would be 0.3 times that where n is 2
    assert (found["variance"] * found["n_psus"] / 9).to_numpy() == pytest.approx(1, abs=0.22)
    lonely = pd.concat([units, pd.DataFrame({"district_id": [999], "pov": [0.0]})], ignore_index=True)
    last = direct_estimates(lonely, "pov", fallback="gvf").loc[999]
    assert last["variance_source"] == "gvf"
    assert last["variance"] == pytest.approx(9, rel=0.3)


def test_a_place_visited_twice_is_one_place():
    where = gpd.points_from_xy([80.0, 80.0, 81.0, 82.0, 83.0, 84.0], [25.0] * 6)
    units = gpd.GeoDataFrame({"district_id": list("aaabbb"), "pov": [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]}, geometry=where)
    found = direct_estimates(units, "pov")
    assert found["n_places"].to_list() == [2, 3]
    assert found["n_units"].to_list() == [3, 3]
    # totals of (y - 3) / 3 by place: -2/3 and 2/3; 2 / (2 - 1) times their squares
    assert found.loc["a", "variance"] == pytest.approx(16 / 9)


def test_rates_of_zero_and_one_have_an_error():
    units = pd.DataFrame({"district_id": list("aabbcc"), "sick": [0, 0, 5, 5, 1, 3], "seen": [5, 5, 5, 5, 5, 5]})
    found = direct_estimates(units, "sick", denominator="seen")
    assert found["direct"].to_list() == pytest.approx([0, 1, 0.4])
    assert (found["variance"] > 0).all()
    assert found["variance_source"].to_list() == ["pooled", "pooled", "design"]
    # smoothed p = 1/12; the design effect of c, 0.04 over 5/12 * 7/12 / 10, is above 1
    effect = 0.04 / (5 / 12 * 7 / 12 / 10)
    assert found.loc["a", "variance"] == pytest.approx(effect * 1 / 12 * 11 / 12 / 10)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-4, 1.0, 1e5]), shift=st.sampled_from([-3.0, 0.0, 10.0]))
def test_scale_shift_weights_and_order_do_not_matter(seed, scale, shift):
    units = survey(seed, 120)
    design = {"district": "d", "weight": "w", "stratum": "h", "psu": "p"}
    found = direct_estimates(units, "y", **design)
    moved = units.assign(y=scale * (units["y"] + shift), w=7 * units["w"]).sample(frac=1, random_state=seed)
    other = direct_estimates(moved, "y", **design)
    assert other["direct"].to_numpy() == pytest.approx(scale * (found["direct"].to_numpy() + shift), abs=1e-8 * scale)
    assert other["variance"].to_numpy() == pytest.approx(scale**2 * found["variance"].to_numpy(), rel=1e-6)
    assert other["n_effective"].to_numpy() == pytest.approx(found["n_effective"].to_numpy())


def test_intervals_hold_over_repeated_surveys():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        units = pd.DataFrame({"district_id": np.repeat(np.arange(10), 30), "y": rng.exponential(1, 300)})
        found = direct_estimates(units, "y")
        held.append((found["direct"] - 1).abs() <= 1.645 * found["standard_error"])
    # 2,000 intervals: a Monte-Carlo error of 0.7 points; means of 30 skewed values hold a little less than 90 %
    assert np.mean(held) == pytest.approx(0.88, abs=0.025)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda t: t.assign(w=-1.0), {"weight": "w"}, "w: row 0: is -1, and must not be negative"),
        (lambda t: t.assign(w=np.nan), {"weight": "w"}, "w: row 0: is missing"),
        (lambda t: t.assign(w=0.0), {"weight": "w"}, "all weights are 0"),
        (lambda t: t.assign(w=np.where(t["d"] == 0, 0.0, 1.0)), {"weight": "w"}, "district 0: adds up to 0"),
        (lambda t: t.assign(p=1), {"psu": "p", "stratum": "h"}, "1 lies in more than one stratum of h"),
        (lambda t: t.assign(d=None), {}, "d: row 0: is missing"),
        (lambda t: t.drop(columns="y"), {}, "no column 'y'"),
        (lambda t: t.assign(y="a"), {}, "y: is not numeric"),
        (lambda t: t.assign(d=np.arange(len(t))), {}, "no district has two primary sampling units"),
        (lambda t: t.assign(y=9), {"denominator": "x"}, "is not a rate"),
    ],
)
def test_bad_input_is_told_in_one_line(change, options, words):
    with pytest.raises(InputError, match=words) as error:
        direct_estimates(change(survey(n=60)), "y", "d", **options)
    assert "\n" not in str(error.value)
