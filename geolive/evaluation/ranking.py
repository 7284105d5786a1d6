"""Which models lead in a task, and which do not differ significantly from the best, by paired differences on equal clusters."""

from dataclasses import dataclass, field

from geolive.evaluation.comparison import TaskResult
from geolive.metrics import MAIN_METRIC

Ends = tuple[float, float, float]
NOT_KNOWN: Ends = (float("nan"), float("nan"), float("nan"))
# from the simplest on; the mean and the majority know nothing about a place
SIMPLE = ("mean", "majority", "random", "neighbours", "idw", "kriging")


@dataclass(frozen=True)
class Ranking:
    """The models of a task by their main figure.

    Parameters
    ----------
    models : tuple of str
        Names of the models that have a figure and are out of fold, the best first.
    figures : dict of str to tuple
        Value, lower and upper end of the 95 % interval of each model's main figure.
    level : frozenset of str
        The other models that do not differ significantly from the best: the interval of the paired difference holds 0.
    simplest : str
        The simplest of the models; "" where none of them is simple.
    gain : tuple of float
        The difference of the best and the simplest, with its interval; NaN where there is none.
    """

    models: tuple[str, ...] = ()
    figures: dict[str, Ends] = field(default_factory=dict)
    level: frozenset[str] = frozenset()
    simplest: str = ""
    gain: Ends = NOT_KNOWN

    @property
    def best(self) -> str:
        """Name of the model with the highest figure; "" where no model has one."""
        return self.models[0] if self.models else ""

    @property
    def beats_simplest(self) -> bool:
        """Whether the best differs significantly from the simplest model."""
        return self.gain[1] > 0


def rank_models(result: TaskResult) -> Ranking:
    """Rank the models of a task by R² or accuracy.

    Parameters
    ----------
    result : TaskResult

    Returns
    -------
    Ranking

    Examples
    --------
    >>> from geolive.evaluation.evaluate import evaluate
    >>> from geolive.simulation.sample import make_sample
    >>> evaluation = evaluate(make_sample("bihar", seed=0, n_clusters=60), ["mean", "random"], "pov", split="random")
    >>> ranking = rank_models(evaluation.task_results[0])
    >>> ranking.models, ranking.level, ranking.simplest
    (('mean', 'random'), frozenset(), 'mean')
    """
    names = {one.model for one in result.out_of_fold}
    main = result.results[result.results["metric"] == MAIN_METRIC[result.task.task]]
    main = main[main["model"].isin(names) & main["value"].notna()]
    main = main.sort_values("value", ascending=False, kind="stable")
    models = tuple(main["model"])
    figures: dict[str, Ends] = {
        str(name): (float(value), float(lower), float(upper))
        for name, value, lower, upper in main[["model", "value", "lower", "upper"]].itertuples(index=False)
    }
    if not models:
        return Ranking()
    gains = _differences_from(result, models[0])
    level = {name for name in models[1:] if not gains.get(name, NOT_KNOWN)[1] > 0}
    simplest = next((name for name in SIMPLE if name in figures), "")
    return Ranking(models, figures, frozenset(level), simplest, gains.get(simplest, NOT_KNOWN))


def _differences_from(result: TaskResult, best: str) -> dict[str, Ends]:
    """Return how much the figure of the best lies above that of each other model, with a paired interval."""
    gains: dict[str, Ends] = {}
    for row in result.differences.itertuples():
        if row.model == best:
            gains[row.other] = (row.value, row.lower, row.upper)
        elif row.other == best:
            gains[row.model] = (-row.value, -row.upper, -row.lower)
    return gains


def mark_of(ranking: Ranking, model: str) -> str:
    """Return "best", "level" (not significantly different from the best), or ""; a model alone has no mark.

    Examples
    --------
    >>> mark_of(Ranking(models=("a", "b"), level=frozenset(["b"])), "b")
    'level'
    """
    if len(ranking.models) < 2:
        return ""
    return "best" if model == ranking.best else "level" if model in ranking.level else ""
