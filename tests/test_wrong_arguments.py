"""What a notebook's user gives in place of something else is named in one line, with what to give."""

import pytest
from sklearn.linear_model import Ridge

import geolive as gl
from geolive.errors import InputError


@pytest.fixture(scope="module")
def dataset():
    return gl.make_sample("goa", n_sites=3, most_images=5)


@pytest.fixture(scope="module")
def trained(dataset):
    return gl.train(dataset, gl.Mean(), "pov")


def said(call, *given, **named) -> str:
    with pytest.raises(InputError) as caught:
        call(*given, **named)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_model_in_place_of_a_trained_model(dataset, tmp_path):
    for call in (
        lambda: gl.predict(dataset, gl.Forest(), region="goa"),
        lambda: gl.save_model(gl.Forest(), tmp_path / "x"),
    ):
        assert said(call).startswith("trained=Forest: is not a trained model; give what train(")


def test_a_folder_in_place_of_a_dataset(dataset, trained):
    for call in (
        lambda: gl.train("data/goa", gl.Forest(), "pov"),
        lambda: gl.predict("data/goa", trained, region="goa"),
        lambda: gl.evaluate("data/goa", {"mean": gl.Mean()}, "pov"),
    ):
        assert said(call) == "dataset=str: is not a Dataset; read one with read_dataset(folder)"
    assert said(gl.predict, trained, dataset, region="goa").startswith("dataset=TrainedModel:")


@pytest.mark.parametrize("models", [gl.Forest(), gl.Forest, [gl.Forest()]])
def test_models_to_evaluate_have_names(dataset, models):
    assert said(gl.evaluate, dataset, models, "pov").endswith("give models={'forest': Forest()}")


def test_no_model_to_evaluate(dataset):
    assert said(gl.evaluate, dataset, {}, "pov").startswith("models={}: holds no model")
    assert "CountModel(Ridge())" in said(gl.evaluate, dataset, {"ridge": Ridge()}, "pov")
    assert "CountModel(estimator)" in said(gl.evaluate, dataset, {"ridge": "Ridge"}, "pov")


def test_a_name_in_place_of_an_estimator(dataset):
    assert "estimator='ridge' is not a scikit-learn regressor" in said(gl.train, dataset, gl.CountModel("ridge"), "pov")


def test_a_box_of_numbers_is_a_region():
    assert gl.find_region((85, 25, 85.3, 25.5)).districts.equals(gl.find_region("85,25,85.3,25.5").districts)
    assert "must be a name" in said(gl.find_region, 5)
    assert "must be a name" in said(gl.find_region, ("a", 1, 2, 3))


def test_numbers_names_and_columns(dataset, trained):
    assert said(gl.predict, dataset, trained, "goa", level="high") == "level='high': must be a number"
    assert said(gl.predict, dataset, trained, "goa", min_sites="a") == "min_sites='a': must be a number"
    assert "has no image features" in said(gl.train, dataset, gl.Forest(), "pov", features="zz")
    for values in ("wealth", ["wealth"]):
        message = said(gl.read_survey, "survey.csv", "x", "y", values)
        assert message.endswith("give values={'NAME': 'COLUMN'}")


def test_a_seed_is_a_whole_number():
    assert "must be a whole number" in said(gl.make_sample, "goa", seed="x")
    with pytest.raises(TypeError, match="make_sample"):
        gl.make_sample("goa", sed=1)  # type: ignore[call-arg]
