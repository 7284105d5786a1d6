"""The sentences that open a report: which model is best, whether it beats the simplest one, what the splits say together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geolive.evaluation.comparison import TaskResult
from geolive.evaluation.ranking import Ranking, rank_models
from geolive.evaluation.tables import figure_words
from geolive.evaluation.tasks import SPATIAL, EvaluationTask
from geolive.metrics import MAIN_METRIC, NAMES
from geolive.splits import RandomSplit
from geolive.wording import count_of


@dataclass(frozen=True)
class _Split:
    """A split of one indicator and task, with the ranking of its models."""

    words: str
    again: str
    kind: str
    ranking: Ranking
    optimistic: frozenset[str]


# with fewer clusters, a difference and its interval depend on a few of them
FEW_CLUSTERS = 30


def opening_sentences(results: tuple[TaskResult, ...], protocol: str = "nested") -> dict[tuple[str, str], list[str]]:
    """Write the sentences that open a report, for each indicator and task.

    Parameters
    ----------
    results : tuple of TaskResult
    protocol : {"nested", "authors"}
        That of the evaluation.

    Returns
    -------
    dict of (str, str) to list of str
        By indicator and task: three sentences, or one where no model has a figure; further ones warn of the authors' protocol
        and of few clusters.

    Examples
    --------
    >>> from geolive.evaluation.evaluate import evaluate
    >>> from geolive.simulation.sample import make_sample
    >>> evaluation = evaluate(make_sample("goa", seed=0), ["mean"], "pov", split="random")
    >>> opening_sentences(evaluation.task_results)["pov", "regression"][1]
    '14 clusters say little: with so few, another sample may give very different figures.'
    """
    groups: dict[tuple[str, str], list[TaskResult]] = {}
    for one in results:
        groups.setdefault((one.task.indicator, one.task.task), []).append(one)
    return {key: _sentences(key[1], group, protocol) for key, group in groups.items()}


def split_kind(task: EvaluationTask) -> str:
    """Return whether the folds of a task are "random", "spatial" or "other".

    Examples
    --------
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.simulation.sample import make_sample
    >>> split_kind(make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit()))
    'random'
    """
    inner = getattr(task.splitters[0], "splitter", task.splitters[0])
    return "spatial" if isinstance(inner, SPATIAL) else "random" if isinstance(inner, RandomSplit) else "other"


def _sentences(task: str, results: list[TaskResult], protocol: str) -> list[str]:
    kinds = [split_kind(one.task) for one in results]
    splits = [_split(one, kinds.count(kind) == 1) for one, kind in zip(results, kinds, strict=True)]
    splits = [split for split in splits if split.ranking.models]
    if not splits:
        return ["No model has figures; the list of rows without figures says why."]
    metric = NAMES[MAIN_METRIC[task]]
    found = [_which_is_best(splits, metric), _against_the_simplest(splits, task), _splits_together(splits, metric)]
    return [found[0], *_warnings(min(len(one.task.clusters) for one in results), protocol), *found[1:]]


def _warnings(n_clusters: int, protocol: str) -> list[str]:
    """Warn of figures that flatter, and of figures that so few clusters can hardly carry."""
    warnings = []
    if protocol == "authors":
        warnings.append(
            "Figures under the protocol authors flatter where the tested clusters chose a model's checkpoint or settings."
        )
    if n_clusters < FEW_CLUSTERS:
        clusters = count_of(n_clusters, "cluster")
        warnings.append(f"{clusters} say little: with so few, another sample may give very different figures.")
    return warnings


def _split(result: TaskResult, alone: bool) -> _Split:
    """Describe a split; the name is not repeated where it is the only one of its kind."""
    kind, name = split_kind(result.task), result.task.split
    words = {"random": "random folds", "spatial": "spatial folds", "other": "the split"}[kind]
    words += "" if name == "random" else f" {name}" if kind == "other" else f" ({name})"
    optimistic = {one.model for one in result.predicted if one.is_optimistic}
    again = words.partition(" (")[0] if alone else words
    return _Split(words, again, kind, rank_models(result), frozenset(optimistic))


def _which_is_best(splits: list[_Split], metric: str) -> str:
    models = {model for split in splits for model in split.ranking.models}
    bests = list(dict.fromkeys(split.ranking.best for split in splits))
    article = "an" if metric[0] in "aR" else "a"
    if len(models) == 1:
        found = _joined([f"{_figure(split.ranking)} in {split.words}" for split in splits])
        return f"Only one model was evaluated: {bests[0]} has {article} {metric} of {found}{_flatters(splits)}."
    among = f"of {count_of(len(models), 'model')}"
    if len(bests) == 1:
        found = _joined([f"{_figure(split.ranking)} in {split.words}" for split in splits])
        return f"{bests[0]} has the highest {metric} {among}: {found}{_flatters(splits)}; {_not_told_apart(splits)}."
    first, *others = splits
    parts = [f"{first.ranking.best} has the highest {metric} {among} in {first.words} ({_figure(first.ranking)})"]
    parts += [f"{split.ranking.best} in {split.words} ({_figure(split.ranking)})" for split in others]
    return f"{_joined(parts)}{_flatters(splits)}; {_not_told_apart(splits)}."


def _not_told_apart(splits: list[_Split]) -> str:
    """Count the models that do not differ significantly from the best of each split."""
    numbers = [len(split.ranking.level) for split in splits]
    if not any(numbers):
        return "every other model differs significantly from the best"
    if len(set(numbers)) == 1:
        several = "does" if numbers[0] == 1 else "do"
        each = " in each of them" if len(splits) > 1 else ""
        return f"{count_of(numbers[0], 'other model')} {several} not differ significantly from the best{each}"
    parts = [f"{number or 'none'} in {split.again}" for number, split in zip(numbers, splits, strict=True)]
    return f"of the other models, {_joined(parts)} do not differ significantly from the best"


def _flatters(splits: list[_Split]) -> str:
    """Say that a best figure is optimistic where the tested clusters chose the model."""
    chosen = [split.ranking.best in split.optimistic for split in splits]
    if not any(chosen):
        return ""
    return " (optimistic, because the tested clusters chose the checkpoint or the settings)"


def _against_the_simplest(splits: list[_Split], task: str) -> str:
    with_simplest = [split for split in splits if split.ranking.simplest]
    if not with_simplest:
        return _against_none(splits, task)
    simplest = with_simplest[0].ranking.simplest
    others = {model for split in splits for model in split.ranking.models} - {simplest}
    if not others:
        return "It is the simplest model itself, so it is compared with nothing."
    itself = [split for split in with_simplest if split.ranking.best == simplest]
    if len(itself) == len(with_simplest):
        return f"That is the simplest model itself: no other model has a higher figure than {simplest}."
    apart, level = _parted(
        [split for split in with_simplest if split not in itself], lambda split: split.ranking.beats_simplest
    )
    parts = [f"differs significantly from the simplest one, {simplest}, in {_gains(apart)}"] if apart else []
    if level:
        words = (
            "does not differ significantly from it in"
            if apart
            else f"does not differ significantly from the simplest one, {simplest}, in"
        )
        parts.append(f"{words} {_gains(level)}")
    if itself:
        parts.append(f"is {simplest} itself in {_joined([split.again for split in itself])}")
    return f"The best model {_joined(parts)}."


def _against_none(splits: list[_Split], task: str) -> str:
    """Compare with the training mean, which R² does by itself, where no simple model was evaluated."""
    if task == "classification":
        return (
            "No simple model was evaluated, so these figures do not show whether the best is better than the more frequent "
            "label; add mean to the models."
        )
    above, others = _parted(splits, lambda split: split.ranking.figures[split.ranking.best][1] > 0)
    parts = [f"lies above 0 in {_joined([split.again for split in above])}"] if above else []
    parts += [f"does not lie above 0 in {_joined([split.again for split in others])}"] if others else []
    return (
        "No simple model was evaluated, but R² itself compares with the mean of the training clusters: the interval of the best "
        f"{_joined(parts)}."
    )


def _splits_together(splits: list[_Split], metric: str) -> str:
    random, spatial = ([split for split in splits if split.kind == kind] for kind in ("random", "spatial"))
    if not random and not spatial:
        names = _joined([split.words for split in splits])
        return (
            f"Neither random nor spatial folds were evaluated: the figures are of {names} alone, and do not show how errors grow "
            "with the distance to surveyed places."
        )
    if not spatial:
        return (
            "Only random folds were evaluated: they show how well a model fills gaps between surveyed places, and not how well "
            "it predicts away from them; add a spatial split, such as blocks:100km."
        )
    if not random:
        return (
            "Only spatial folds were evaluated: they show how well a model predicts away from surveyed places, and may "
            "understate how well it fills gaps between them; add the split random."
        )
    both = [*random, *spatial]
    if all(split.ranking.simplest == split.ranking.best for split in both):
        return (
            "So neither random nor spatial folds show that a place can be predicted better than by the simplest model."
        )
    if all(split.ranking.simplest and not split.ranking.beats_simplest for split in both):
        return "Random and spatial folds agree: in neither does a model differ significantly from the simplest one."
    return _from_random_to_spatial(random[0], spatial, metric)


def _from_random_to_spatial(random: _Split, spatial: list[_Split], metric: str) -> str:
    model = random.ranking.best
    known = [split for split in spatial if model in split.ranking.figures]
    if not known:
        return f"{model} has no figure in spatial folds, so the two kinds of folds cannot be compared."
    before, low, high = random.ranking.figures[model]
    after = [split.ranking.figures[model] for split in known]
    words = _joined([f"{_number(figures[0])} in {split.again}" for figures, split in zip(after, known, strict=True)])
    found = f"The {metric} of {model} is {_number(before)} in {random.again} and {words}"
    alike = [low <= value <= high and lower <= before <= upper for value, lower, upper in after]
    falls = [value < before for value, _, _ in after]
    if all(alike):
        return f"{found}: each lies within the interval of the other, so these folds show no loss away from surveyed places."
    if all(fell and not same for fell, same in zip(falls, alike, strict=True)):
        return f"{found}: it predicts less well away from surveyed places than between them."
    if not any(falls):
        return f"{found}: these folds show no loss away from surveyed places."
    return f"{found}: how much is lost away from surveyed places depends on how the folds are made."


def _gains(splits: list[_Split]) -> str:
    return _joined([f"{split.again} (difference {figure_words(*split.ranking.gain)})" for split in splits])


def _figure(ranking: Ranking) -> str:
    return figure_words(*ranking.figures[ranking.best])


def _number(value: float) -> str:
    return figure_words(value, np.nan, np.nan)


def _parted(splits: list[_Split], rule: Callable[[_Split], bool]) -> tuple[list[_Split], list[_Split]]:
    return [split for split in splits if rule(split)], [split for split in splits if not rule(split)]


def _joined(parts: list[str]) -> str:
    """Join words as a sentence does: a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
