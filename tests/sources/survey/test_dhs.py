"""A DHS survey from its files to a dataset; every mean and error is worked out by hand beside it."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.sources.survey.dhs import read_dhs
from geolive.sources.survey.dhs_recodes import BMI, POV, cluster_means, read_recode
from tests.sources.survey.data.make_dhs import CLUSTERS, HOUSEHOLDS, WOMEN, make_dhs, write_gps, write_recode


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_dhs(tmp_path_factory.mktemp("dhs"))


@pytest.fixture(scope="module")
def survey(files):
    return read_dhs(files["gps"], [files["households"], files["women"]])


def error(*given, **options):
    with pytest.raises(InputError) as caught:
        read_dhs(*given, **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_means_are_those_of_the_weights(survey):
    clusters = survey.clusters.set_index("unique_cluster")
    assert clusters.index.tolist() == ["ia_1", "ia_2"]
    # (0.5 · 1 + 1.5 · -0.5) / 2; the household with code 99999998 has no value
    assert clusters.loc["ia_1", "pov"] == pytest.approx(-0.125)
    # √(2 / 1 · (0.5² · 1.125² + 1.5² · 0.375²)) / 2
    assert clusters.loc["ia_1", "pov_se"] == pytest.approx(np.sqrt(2 * (0.31640625 + 0.31640625)) / 2)
    assert clusters["pov_n"].tolist() == [2, 1]
    # (1 · 20 + 3 · 24) / 4; pregnant, a birth 1 month ago, and code 9994 are left out, a birth 2 months ago is not
    assert clusters.loc["ia_1", "bmi"] == pytest.approx(23)
    assert clusters.loc["ia_1", "bmi_se"] == pytest.approx(np.sqrt(2 * (1 * 9 + 9 * 1)) / 4)
    assert clusters.loc["ia_2", ["pov", "bmi", "bmi_n"]].tolist() == [-1, 21.5, 1]
    assert clusters.loc["ia_2", ["pov_se", "bmi_se"]].isna().all()
    assert clusters["weight"].tolist() == [3, 2]
    assert (clusters["n_households"] >= clusters["pov_n"]).all()
    assert survey.thresholds == {"pov": pytest.approx(-0.5625), "bmi": 22.25}


def test_places_come_from_the_gps_file(survey):
    clusters = survey.clusters
    assert clusters.geometry.to_wkt().tolist() == ["POINT (85.1 25.6)", "POINT (84 25)"]
    assert clusters["urban"].tolist() == [True, False]
    assert clusters[["country", "state", "year"]].values.tolist() == [["ia", "Bihar", 2020]] * 2


def test_everything_left_out_is_counted(survey):
    assert survey.rejects.values.tolist() == [
        [3, "cluster 3: not located (0, 0)"],
        [4, "cluster 4: no value in the recode files"],
        [5, "cluster 5: no value in the recode files"],
    ]
    facts = survey.extra["dhs"]
    assert (facts["survey"], facts["clusters_not_located"], facts["clusters_without_values"]) == ("IA7", 1, 2)
    assert facts["recode_clusters_not_in_gps_file"] == 1
    assert facts["rows"] == {"IAHR7EFL.DTA": 7, "IAIR7EFL.DTA": 8}
    assert facts["rows_left_out"]["IAIR7EFL.DTA"]["bmi"] == {
        "no value": 1,
        "special code": 2,
        "pregnant": 1,
        "birth in the last two months": 1,
        "no weight": 0,
    }
    assert facts["rows_left_out"]["IAHR7EFL.DTA"]["pov"] == {"no value": 0, "special code": 1, "no weight": 1}


def test_written_and_read_again(survey, tmp_path):
    read = read_dataset(write_dataset(survey, tmp_path / "dhs"))
    pd.testing.assert_frame_equal(
        pd.DataFrame(read.clusters.drop(columns="geometry")), pd.DataFrame(survey.clusters.drop(columns="geometry")),
        check_dtype=False,
    )  # fmt: skip
    assert read.extra == survey.extra
    assert read.indicators == ["pov", "bmi"]


def test_one_recode_is_enough(files):
    only = read_dhs(files["gps"], [files["women"]])
    assert only.indicators == ["bmi"]
    assert only.clusters["weight"].tolist() == [7, 2]


def test_a_gps_file_as_csv_and_in_lower_case(files, survey, tmp_path):
    path = tmp_path / "ge.csv"
    CLUSTERS.rename(columns=str.lower).to_csv(path, index=False)
    same = read_dhs(path, [files["households"], files["women"]])
    pd.testing.assert_frame_equal(same.clusters, survey.clusters)
    assert same.rejects["row"].tolist() == [4, 5, 6]
    CLUSTERS[["DHSCLUST", "LATNUM", "LONGNUM"]].to_csv(path, index=False)
    bare = read_dhs(path, [files["women"]])
    assert bare.clusters["urban"].isna().all()
    assert "year" not in bare.clusters
    assert bare.clusters["country"].tolist() == ["ia", "ia"]


def test_indicators_of_ones_own(files):
    values = {"members": ("HV009", 98.0), "months": ("v222", None)}
    survey = read_dhs(files["gps"], [files["households"], files["women"]], values)
    assert survey.indicators == ["pov", "bmi", "members", "months"]
    first = survey.clusters.iloc[0]
    assert first["members"] == pytest.approx((0.5 * 4 + 1.5 * 6) / 2)
    assert first[["months", "months_n"]].tolist() == [(3 * 2 + 1 * 1) / 4, 2]  # other rules than bmi's
    assert "--value members=HV009:98 --value months=v222" in survey.command
    assert "no recode file has values of 'x' in a column 'hv999'" in error(
        files["gps"], [files["women"]], {"x": ("hv999", None)}
    )
    for name in ("pov", "bmi_n", "year", "1st"):
        assert "values" in error(files["gps"], [files["women"]], {name: ("v012", None)})


def test_a_recode_in_parts_is_put_together(files, survey, tmp_path):
    parts = [
        write_recode(tmp_path / f"HR{number}.dta", rows)
        for number, rows in HOUSEHOLDS.groupby(HOUSEHOLDS["hv001"] == 1)
    ]
    whole = read_dhs(files["gps"], [*parts, files["women"]])
    pd.testing.assert_frame_equal(whole.clusters, survey.clusters)
    assert "cluster 1 is also in" in error(files["gps"], [files["households"], parts[1]])


@pytest.mark.parametrize("births", [{"b19_01": WOMEN["v222"]}, {"v008": 1440.0, "b3_01": 1440 - WOMEN["v222"]}])
def test_other_columns_tell_when_the_last_birth_was(files, tmp_path, births):
    other = write_recode(tmp_path / "IR.dta", WOMEN.drop(columns="v222"), **births)
    expected, found = (read_recode(path, [BMI]) for path in (files["women"], other))
    np.testing.assert_array_equal(found.values["bmi"], expected.values["bmi"])


def test_files_that_do_not_belong_together(files, tmp_path):
    earlier = write_recode(tmp_path / "HR6.dta", HOUSEHOLDS, survey="IA6")
    assert "IA6" in error(files["gps"], [files["women"], earlier])
    kenya = write_recode(tmp_path / "HRKE.dta", HOUSEHOLDS, survey="KE7")
    assert "row 1, column 'DHSCC': 'IA', but" in error(files["gps"], [kenya])
    elsewhere = write_recode(tmp_path / "HR99.dta", HOUSEHOLDS.assign(hv001=99))
    assert "no cluster is located and has values" in error(files["gps"], [elsewhere])


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (HOUSEHOLDS.assign(hvidx=1), "household members"),
        (WOMEN.assign(bidx=1), "births or children"),
        (WOMEN.assign(mv001=1), "men or couples"),
        (pd.DataFrame({"mv001": [1]}), "men or couples"),
        (pd.DataFrame({"x": [1]}), "neither column 'hv001' nor 'v001'"),
        (HOUSEHOLDS.drop(columns="hv005"), "no column 'hv005'"),
        (WOMEN.drop(columns="v213"), "no column 'v213'"),
        (WOMEN.drop(columns="v222"), "when the last birth was"),
        (HOUSEHOLDS.assign(hv271="poor"), "row 1, column 'hv271': not a number 'poor'"),
        (HOUSEHOLDS.assign(hv001=np.nan), "row 1, column 'hv001': not the number of a cluster"),
        (WOMEN.assign(v445=9998), "values of neither wealth (hv271) nor body-mass index"),
        (HOUSEHOLDS.assign(hv005=0), "column 'hv005': no row has a weight above 0"),
        (HOUSEHOLDS.drop(columns="hv271"), "values of neither wealth (hv271) nor body-mass index"),
    ],
)
def test_recodes_that_cannot_be_used(files, tmp_path, rows, cause):
    assert cause in error(files["gps"], [write_recode(tmp_path / "recode.dta", rows)])


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"DHSCLUST": [1, 1, 3, 4, 5]}, "row 2, column 'DHSCLUST': occurs already"),
        ({"DHSCLUST": [1.5, 2, 3, 4, 5]}, "row 1, column 'DHSCLUST': not a whole number"),
        ({"LATNUM": [95.0, 25, 0, 25, 25]}, "out of range"),
        ({"LONGNUM": [np.nan, 84, 0, 84, 84]}, "row 1, column 'LONGNUM': missing coordinate"),
        ({"URBAN_RURA": ["X", "R", "R", "R", "R"]}, "row 1, column 'URBAN_RURA': neither urban"),
        ({"DHSYEAR": 20}, "row 1, column 'DHSYEAR': not a year"),
    ],
)
def test_gps_files_that_cannot_be_used(files, tmp_path, change, cause):
    path = write_gps(tmp_path / "ge.gpkg", CLUSTERS.assign(**change))
    said = error(path, [files["women"]])
    assert cause in said
    assert "--drop-invalid" not in said


def test_files_that_are_none(files, tmp_path):
    assert "no recode file" in error(files["gps"], [])
    assert "no such file" in error(files["gps"], [tmp_path / "none.dta"])
    assert "unzip it" in error(files["gps"], [files["gps"]])
    assert "no column 'DHSCLUST'" in error(write_gps(tmp_path / "x.shp", CLUSTERS.drop(columns="DHSCLUST")), [])


# each starts a process; benchmarks/damaged_files.py tries many more
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_damaged_stata_file_is_a_recode_or_an_input_error(files, tmp_path_factory, data):
    whole = bytearray(files["households"].read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.dta"
    path.write_bytes(
        bytes(whole[: data.draw(st.integers(0, len(whole)))]) if data.draw(st.booleans()) else bytes(whole)
    )
    try:
        assert len(read_recode(path, [POV]).cluster) > 0
    except InputError as failure:
        assert "damaged.dta" in str(failure)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.integers(1, 3), st.floats(0.01, 100), st.floats(-100, 100)), min_size=1, max_size=30))
def test_means_equal_the_plain_loop(rows):
    cluster, weight, value = map(np.array, zip(*rows, strict=True))
    means = cluster_means(cluster, weight, value)
    for number in np.unique(cluster):
        w, x = weight[cluster == number], value[cluster == number]
        mean = np.average(x, weights=w)
        assert means.loc[number, "mean"] == pytest.approx(mean, abs=1e-9)
        assert means.loc[number, "n"] == len(x)
        if len(x) > 1:
            se = np.sqrt(len(x) / (len(x) - 1) * sum((w * (x - mean)) ** 2)) / w.sum()
            assert means.loc[number, "se"] == pytest.approx(se, abs=1e-9)
    equal = cluster_means(np.zeros(len(value), int), np.ones(len(value)), value)
    if len(value) > 1:
        assert equal["se"].iloc[0] == pytest.approx(value.std(ddof=1) / np.sqrt(len(value)), abs=1e-9)


def test_the_surveys_design_is_kept(files, tmp_path):
    design = {"hv021": HOUSEHOLDS["hv001"] + 100.0, "hv022": [7.0, 7.0, 7.0, np.nan, 8.0, 8.0, 8.0]}
    households = write_recode(tmp_path / "IAHR7EFL.DTA", HOUSEHOLDS, **design)
    clusters = read_dhs(files["gps"], [files["women"], households]).clusters
    assert clusters["psu"].tolist() == ["ia_101", "ia_102"]
    assert clusters["stratum"].tolist()[0] == "ia_7"
    assert pd.isna(clusters["stratum"][1])
    women = write_recode(tmp_path / "IAIR7EFL.DTA", WOMEN, v021=WOMEN["v001"], v022=3)
    clusters = read_dhs(files["gps"], [women]).clusters
    assert clusters[["psu", "stratum"]].values.tolist() == [["ia_1", "ia_3"], ["ia_2", "ia_3"]]
    # the design is of the household recodes, which give the weights too
    assert "psu" not in read_dhs(files["gps"], [women, files["households"]]).clusters


def test_known_codes_of_further_columns_are_left_out(files, tmp_path):
    schooling = HOUSEHOLDS.assign(hv108_01=[5, 98, 7, 4, 3, 2, 1])
    recode = write_recode(tmp_path / "HR.dta", schooling)
    read = read_dhs(files["gps"], [recode], {"school": ("hv108_01", None)})
    # (1.0 · 5 of weight 0.5 and 7 of weight 1): the household with code 98 has no value
    assert read.clusters["school"][0] == pytest.approx((0.5 * 5 + 1.0 * 7) / 1.5)
    assert read.extra["dhs"]["rows_left_out"]["HR.dta"]["school"]["special code"] == 1


def test_a_gps_file_in_another_encoding(files, tmp_path):
    places = gpd.points_from_xy(CLUSTERS["LONGNUM"], CLUSTERS["LATNUM"], crs="EPSG:4326")
    path = tmp_path / "BJGE.shp"
    gpd.GeoDataFrame(CLUSTERS.assign(ADM1NAME="Ouémé"), geometry=places).to_file(path, encoding="ISO-8859-1")
    path.with_suffix(".cpg").unlink()
    read = read_dhs(path, [files["households"]])
    assert set(read.clusters["state"]) == {"Ouémé"}
    assert read.extra["survey"] == {"encoding": "CP1252"}
    assert read_dhs(path, [files["households"]], encoding="CP1251").clusters["state"][0] == "Ouйmй"


def test_recodes_of_spss_give_the_same_survey_as_those_of_stata(files, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    schooling = HOUSEHOLDS.assign(hv108_01=np.arange(len(HOUSEHOLDS)) * 2)
    values = {"school": ("hv108_01", 97)}
    stata = [write_recode(tmp_path / "hr.dta", schooling), files["women"]]
    expected = read_dhs(files["gps"], stata, values)
    spss = []
    for rows, code in ((schooling, "hv000"), (WOMEN, "v000")):
        # names as in the Program's SPSS files, which have hv108$01 where those of Stata have hv108_01
        named = rows.astype(float).assign(**{code: "IA7"})
        named.columns = [column.upper().replace("_", "$") for column in named]
        spss.append(tmp_path / f"{code}.sav")
        pyreadstat.write_sav(named, spss[-1])
    found = read_dhs(files["gps"], spss, values)
    assert "school" in found.indicators
    pd.testing.assert_frame_equal(pd.DataFrame(found.clusters), pd.DataFrame(expected.clusters))
