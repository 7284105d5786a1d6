import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.indicators import (
    RESERVED,
    check_indicator_names,
    class_breaks,
    class_colours,
    class_of,
    indicator,
    read_indicators,
)
from geolive.mapping.prediction import predict
from geolive.models.registry import make_model
from geolive.models.training import train
from tests.commands import run

finite = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 6))


@given(st.lists(st.one_of(finite, st.just(float("nan"))), min_size=1, max_size=60))
def test_breaks_enclose_every_value(values):
    values = np.array(values)
    breaks = class_breaks(values)
    known = values[np.isfinite(values)]
    if known.size == 0:
        assert len(breaks) == 0
        return
    assert breaks[0] <= known.min()
    assert known.max() <= breaks[-1]
    if known.min() < known.max():
        assert np.all(np.diff(breaks) > 0)
        assert 2 <= len(breaks) <= 6
    found = class_of(values, breaks)
    assert np.all((found >= 0) == np.isfinite(values))
    inside = found[np.isfinite(values)]
    assert np.all((breaks[inside] <= known) & (known <= breaks[inside + 1]))


def test_breaks_hold_about_as_many_values_each():
    values = np.random.default_rng(0).lognormal(size=1000)
    counts = np.bincount(class_of(values, class_breaks(values)))
    assert len(counts) == 5
    assert counts.min() > 150


def test_no_value_gives_no_class():
    assert class_of(np.array([1.0]), class_breaks(np.array([np.nan]))).tolist() == [-1]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_as_many_colours_as_classes(n):
    assert len(class_colours(indicator("pov").colours, n)) == n


def test_words_of_indicators():
    assert indicator("pov").legend_title == "Asset wealth (higher is wealthier)"
    assert "probability" in indicator("pov").as_probability.unit
    assert indicator("electricity").title == "electricity"


@pytest.mark.parametrize(
    "names",
    [
        ["n_sites"], ["rank_best"], ["official"], ["district"], ["District"], ["geom"], ["fid"], ["supported"], ["key"],
        ["pov", "pov_lower"], ["pov", "POV_direct"], ["pov", "Pov"], ["a b"], [""], ["a;b"], ["a\x1b[2J"], ["../a"],
    ],
)  # fmt: skip
def test_names_that_would_hide_another_column(names):
    with pytest.raises(InputError, match="choose another name"):
        check_indicator_names(names)


def test_every_column_of_a_map_is_reserved(small_folder):
    small_sample = read_dataset(small_folder)
    trained = train(small_sample, make_model("mean"), "pov")
    made = predict(small_sample, trained, "bihar")
    for table in (made.districts, made.sites, small_sample.clusters):
        others = {name for name in table.columns if not name.startswith(("pov", "pop", "bmi"))}
        assert others <= RESERVED
    # a dataset from someone else may hold such a name
    renamed = small_sample.clusters.rename(columns={"pov": "supported", "pov_label": "supported_label"})
    with pytest.raises(InputError, match="indicator 'supported'"):
        replace(small_sample, clusters=renamed, indicators=["supported", "pop", "bmi"])


def test_words_of_ones_own():
    own = indicator("stunted").with_words(label="Stunted children", unit="share of children", higher_is="worse")
    assert own.legend_title == "Stunted children (higher is worse)"
    brightness = [sum(bytes.fromhex(colour[1:])) for colour in own.colours]
    assert brightness == sorted(brightness, reverse=True), "what is worse is darker"
    assert indicator("pov").with_words(label="Wealth").direction == "higher is wealthier"
    with pytest.raises(InputError, match=r"higher_is='bad': must be 'better' or 'worse'"):
        own.with_words(higher_is="bad")
    with pytest.raises(InputError, match="label: is empty"):
        own.with_words(label=" ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "is not a TOML file"),
        ("\xff", "is not a TOML file"),
        ("a = 1", r"a: give a table of texts, \[a\] with label, unit and higher_is"),
        ("[a]\nlabel = 3", "a: give a table of texts"),
        ('[a]\nname = "x"', r"\[a\] has 'name'; it may have label, unit and higher_is"),
        ('[a]\nhigher_is = "x"', r"\[a\] higher_is='x': must be 'better' or 'worse'"),
    ],
)
def test_files_of_indicators_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "own.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_indicators(tmp_path / "own.toml")
    with pytest.raises(InputError, match=r"none\.toml: cannot be read \(No such file"):
        read_indicators(tmp_path / "none.toml")


def test_a_map_in_the_words_of_its_maker(small_folder, tmp_path):
    (tmp_path / "own.toml").write_text('[pov]\nlabel = "Wealth"\nunit = "points"\nhigher_is = "better"\n')
    words = [
        "--dataset",
        small_folder,
        "--model",
        "mean",
        "--indicators",
        tmp_path / "own.toml",
        "--unit",
        "index points",
    ]
    done = run(
        "predict", "--region", "bihar", *words, "--title", "Bihar & its <wealth>", "--out", tmp_path / "map.geojson"
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "map.geojson").read_text(encoding="utf-8"))
    assert written["name"] == "Bihar & its <wealth> (SIMULATED)"
    assert "Wealth (higher is better). Unit: index points." in written["description"]
    assert (tmp_path / "own.toml").read_text().startswith("[pov]")
    several = run(
        "predict", "--region", "bihar", *words[:4], "--indicator", "all", "--unit", "m", "--out", tmp_path / "no.html"
    )
    assert several.returncode == 2
    assert several.stderr.strip() == (
        "error: --unit m: is of one indicator, and 3 are mapped; give words for several in a file, with --indicators FILE"
    )
    over = run("predict", "--region", "bihar", *words, "--higher-is", "bad", "--out", tmp_path / "no.html")
    assert (over.returncode, over.stderr.strip()) == (2, "error: --higher-is bad: must be 'better' or 'worse'")
