"""The table of models: each says in every language what it does."""

import pytest

from geolive.languages import LANGUAGES, open_language
from geolive.models.registry import MODEL_KINDS, describe, make_model

# these name the model that they are made of
SAY_IT_THEMSELVES = {"residual-kriging", "count-model"}


@pytest.mark.parametrize("name", sorted(set(MODEL_KINDS) - SAY_IT_THEMSELVES))
def test_every_model_says_what_it_does_in_every_language(name):
    assert all(f"models.{name}" in open_language(language).words for language in LANGUAGES)


@pytest.mark.parametrize("name", ["forest", "neighbours", "boosting-authors", "ridge", "mean"])
def test_parameters_stand_in_the_description(name):
    model = make_model(name)
    text = describe(model)
    assert "{" not in text
    assert text.endswith(".")
    french = open_language("fr").of(text)
    assert french != text
    for parameter in ("n_estimators", "n_neighbors", "max_depth"):
        if f"{{{parameter}}}" in open_language("en").words[f"models.{name}"]:
            assert str(model.params[parameter]) in text
            assert str(model.params[parameter]) in french


def test_covariates_are_named_in_the_description():
    forest = describe(make_model("forest", inputs="objects,covariates"))
    assert forest == "A random forest of 100 trees on the inputs of each place (objects, covariates)."
    kriging = describe(make_model("kriging", inputs="covariates"))
    assert kriging == "Kriging of the surveyed clusters with external drift (covariates); images are not used."
    assert open_language("fr").of(kriging).startswith("Krigeage des grappes")
