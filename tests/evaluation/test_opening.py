"""The sentences that open a report are true in every case. Made-up figures; whole evaluations are tested elsewhere."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from geolive.evaluation.opening import opening_sentences
from geolive.evaluation.ranking import mark_of, rank_models
from geolive.metrics import MAIN_METRIC
from geolive.splits import BlockSplit, BufferedSplit, OfficialSplit, RandomSplit

SPLITS = {
    "random": RandomSplit(),
    "blocks:50km": BufferedSplit(BlockSplit("50km"), 10.0),
    "official": OfficialSplit(),
}
NAN = float("nan")


def task_result(split, figures, gains=None, task="regression", optimistic=False, n_clusters=30):
    """A task's result with these figures; the best differs significantly from the models in `gains` by these differences."""
    names = list(figures)
    metric = MAIN_METRIC[task]
    results = pd.DataFrame(
        [
            {"model": name, "metric": metric, "value": v, "lower": low, "upper": up}
            for name, (v, low, up) in figures.items()
        ]
    )
    known = {name: figure for name, figure in figures.items() if np.isfinite(figure[0])}
    best = max(known, key=lambda name: known[name][0]) if known else ""
    differences = pd.DataFrame(
        [
            {"model": best, "other": other, "value": v, "lower": low, "upper": up}
            for other, (v, low, up) in (gains or {}).items()
        ],
        columns=["model", "other", "value", "lower", "upper"],
    )
    rows = [SimpleNamespace(model=name, is_optimistic=optimistic) for name in names]
    about = SimpleNamespace(
        indicator="pov", task=task, split=split, splitters=(SPLITS[split],), clusters=range(n_clusters)
    )
    return SimpleNamespace(task=about, results=results, differences=differences, predicted=rows, out_of_fold=rows)


def sentences(*results, protocol="nested"):
    return opening_sentences(results, protocol)["pov", results[0].task.task]


def test_one_model_is_compared_with_nothing():
    alone = task_result("random", {"mean": (0.0, 0.0, 0.0)})
    assert sentences(alone) == [
        "Only one model was evaluated: mean has an R² of 0.00 [0.00, 0.00] in random folds.",
        "It is the simplest model itself, so it is compared with nothing.",
        "Only random folds were evaluated: they show how well a model fills gaps between surveyed places, and not how well it "
        "predicts away from them; add a spatial split, such as blocks:100km.",
    ]
    forest = task_result("blocks:50km", {"forest": (0.4, 0.2, 0.5)})
    assert sentences(forest) == [
        "Only one model was evaluated: forest has an R² of 0.40 [0.20, 0.50] in spatial folds (blocks:50km).",
        "No simple model was evaluated, but R² itself compares with the mean of the training clusters: the interval of the best "
        "lies above 0 in spatial folds.",
        "Only spatial folds were evaluated: they show how well a model predicts away from surveyed places, and may understate "
        "how well it fills gaps between them; add the split random.",
    ]


def test_the_best_is_told_apart_in_random_folds_only_and_falls():
    random = task_result(
        "random",
        {"mean": (0.0, 0.0, 0.0), "forest": (0.5, 0.4, 0.6), "knn": (0.48, 0.3, 0.6)},
        {"mean": (0.5, 0.4, 0.6), "knn": (0.02, -0.1, 0.1)},
    )
    blocks = task_result(
        "blocks:50km",
        {"mean": (0.0, 0.0, 0.0), "forest": (0.1, -0.1, 0.3), "knn": (0.05, -0.1, 0.2)},
        {"mean": (0.1, -0.1, 0.3), "knn": (0.05, 0.01, 0.1)},
    )
    assert sentences(random, blocks) == [
        "forest has the highest R² of 3 models: 0.50 [0.40, 0.60] in random folds and 0.10 [−0.10, 0.30] in spatial folds "
        "(blocks:50km); 1 other model does not differ significantly from the best in each of them.",
        "The best model differs significantly from the simplest one, mean, in random folds (difference 0.50 [0.40, 0.60]) "
        "and does not differ significantly from it in spatial folds (difference 0.10 [−0.10, 0.30]).",
        "The R² of forest is 0.50 in random folds and 0.10 in spatial folds: it predicts less well away from "
        "surveyed places than between them.",
    ]


def test_two_bests_and_no_loss():
    random = task_result(
        "random",
        {"mean": (0.0, 0.0, 0.0), "forest": (0.5, 0.4, 0.6), "knn": (0.45, 0.3, 0.6)},
        {"mean": (0.5, 0.4, 0.6), "knn": (0.05, 0.01, 0.1)},
    )
    blocks = task_result(
        "blocks:50km",
        {"mean": (0.0, 0.0, 0.0), "forest": (0.45, 0.3, 0.55), "knn": (0.5, 0.3, 0.6)},
        {"mean": (0.5, 0.3, 0.6), "forest": (0.05, -0.1, 0.1)},
    )
    assert sentences(random, blocks) == [
        "forest has the highest R² of 3 models in random folds (0.50 [0.40, 0.60]) and knn in spatial folds (blocks:50km) "
        "(0.50 [0.30, 0.60]); of the other models, none in random folds and 1 in spatial folds do not differ "
        "significantly from the best.",
        "The best model differs significantly from the simplest one, mean, in random folds (difference 0.50 [0.40, 0.60]) "
        "and spatial folds (difference 0.50 [0.30, 0.60]).",
        "The R² of forest is 0.50 in random folds and 0.45 in spatial folds: each lies within the interval of the "
        "other, so these folds show no loss away from surveyed places.",
    ]


def test_all_models_at_chance():
    worse = {"mean": (0.0, 0.0, 0.0), "random": (-1.0, -1.2, -0.8)}
    gains = {"random": (1.0, 0.8, 1.2)}
    assert sentences(task_result("random", worse, gains), task_result("blocks:50km", worse, gains))[1:] == [
        "That is the simplest model itself: no other model has a higher figure than mean.",
        "So neither random nor spatial folds show that a place can be predicted better than by the simplest model.",
    ]
    level = {"majority": (0.5, 0.4, 0.6), "forest": (0.52, 0.4, 0.6)}
    gains = {"majority": (0.02, -0.1, 0.1)}
    found = sentences(
        task_result("random", level, gains, "classification"),
        task_result("blocks:50km", level, gains, "classification"),
    )
    assert found[1].startswith(
        "The best model does not differ significantly from the simplest one, majority, in random folds"
    )
    assert (
        found[2]
        == "Random and spatial folds agree: in neither does a model differ significantly from the simplest one."
    )


def test_labels_without_a_simple_model_and_a_list_of_the_dataset():
    official = task_result("official", {"forest": (0.8, 0.7, 0.9)}, task="classification")
    assert sentences(official) == [
        "Only one model was evaluated: forest has an accuracy of 0.80 [0.70, 0.90] in the split official.",
        "No simple model was evaluated, so these figures do not show whether the best is better than the more frequent label; "
        "add mean to the models.",
        "Neither random nor spatial folds were evaluated: the figures are of the split official alone, and do not show how "
        "errors grow with the distance to surveyed places.",
    ]


def test_figures_of_the_best_checkpoint_are_called_optimistic():
    figures = {"mean": (0.0, 0.0, 0.0), "gcn": (0.5, 0.4, 0.6)}
    gains = {"mean": (0.5, 0.4, 0.6)}
    first = sentences(task_result("random", figures, gains, optimistic=True))[0]
    assert "(optimistic, because the tested clusters chose the checkpoint or the settings)" in first
    assert "optimistic" not in sentences(task_result("random", figures, gains))[0]


def test_few_clusters_and_the_authors_protocol_are_warned_of():
    figures = {"mean": (0.0, 0.0, 0.0), "gcn": (0.5, 0.4, 0.6)}
    gains = {"mean": (0.5, 0.4, 0.6)}
    few = task_result("random", figures, gains, n_clusters=29)
    enough = task_result("random", figures, gains, n_clusters=30)
    warned = "29 clusters say little: with so few, another sample may give very different figures."
    flatter = (
        "Figures under the protocol authors flatter where the tested clusters chose a model's checkpoint or settings."
    )
    assert sentences(few)[1] == warned
    assert len(sentences(enough)) == 3
    assert sentences(few, protocol="authors")[1:3] == [flatter, warned]
    assert sentences(enough, protocol="authors")[1] == flatter
    assert len(sentences(enough, protocol="authors")) == 4


def test_no_figures_and_no_intervals():
    assert sentences(task_result("random", {"forest": (NAN, NAN, NAN)})) == [
        "No model has figures; the list of rows without figures says why."
    ]
    figures = {"mean": (0.0, NAN, NAN), "forest": (0.3, NAN, NAN)}
    one_unit = task_result("random", figures, {"mean": (0.3, NAN, NAN)})
    assert sentences(one_unit)[:2] == [
        "forest has the highest R² of 2 models: 0.30 in random folds; 1 other model does not differ significantly from the best.",
        "The best model does not differ significantly from the simplest one, mean, in random folds (difference 0.30).",
    ]


@pytest.mark.parametrize("swapped", [False, True])
def test_the_best_is_marked_with_all_that_are_not_told_apart(swapped):
    figures = {"mean": (0.0, 0.0, 0.0), "forest": (0.5, 0.4, 0.6), "knn": (0.48, 0.3, 0.6), "gcn": (NAN, NAN, NAN)}
    result = task_result("random", figures, {"mean": (0.5, 0.4, 0.6), "knn": (0.02, -0.1, 0.1)})
    if swapped:
        table = result.differences
        result.differences = pd.DataFrame(
            {
                "model": table["other"],
                "other": table["model"],
                "value": -table["value"],
                "lower": -table["upper"],
                "upper": -table["lower"],
            }
        )
    ranking = rank_models(result)
    assert ranking.models == ("forest", "knn", "mean")
    assert {name: mark_of(ranking, name) for name in figures} == {
        "forest": "best",
        "knn": "level",
        "mean": "",
        "gcn": "",
    }
    assert ranking.gain == (0.5, 0.4, 0.6)
