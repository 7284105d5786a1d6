"""What the names in a report mean: models, figures, and marks."""

from geolive.models.interface import Model

_VARIANTS = {
    "pooled-50": "It is fitted on half of each country's training clusters.",
    "pooled-100": "It is fitted on the training clusters of all countries.",
    "own-country": "It is fitted on each country alone.",
}
_LABEL_1 = "label 1 is predicted where its probability is 0.5 or more"
METRIC_WORDS = {
    "r2": "Coefficient of determination: 1 minus the squared error over that of the mean of each fold's training clusters. "
    "0 is no better than that mean, 1 is perfect.",
    "r2_own_mean": "Coefficient of determination against the mean of the test clusters themselves, as scikit-learn's r2_score "
    "computes it.",
    "pearson_r2": "Square of Pearson's correlation, which the field often calls R². It ignores bias and scale, and is never "
    "below 0.",
    "rmse": "Root of the mean squared error, in the indicator's unit; lower is better.",
    "pearson_r": "Pearson's correlation of predicted and measured values.",
    "accuracy": f"Share of clusters whose label is predicted; {_LABEL_1}.",
    "auc": "Area under the ROC curve: how often a cluster with label 1 has the higher probability than one with label 0. 0.5 is "
    "chance.",
    "balanced_accuracy": "Mean of the shares of rightly predicted clusters among those with label 1 and those with label 0.",
    "precision": f"Share of clusters with label 1 among those predicted as 1; {_LABEL_1}.",
    "recall": f"Share of clusters predicted as 1 among those with label 1; {_LABEL_1}.",
    "f1": "Harmonic mean of precision and recall of label 1.",
    "brier": "Mean squared difference of probability and label; lower is better.",
    "calibration_slope": "Slope of measured on predicted values, or of labels on log odds; below 1 where predictions vary too "
    "much.",
    "true_positives": "Label 1, predicted as 1.",
    "false_positives": "Label 0, predicted as 1.",
    "false_negatives": "Label 1, predicted as 0.",
    "true_negatives": "Label 0, predicted as 0.",
    "r2_within_country": "R² against the mean of the training clusters of the same country.",
    "log_density": "Log of the probability that the model gave to the measured counts, summed over clusters; higher is better.",
}


def model_words(model: Model, variant: str = "") -> str:
    """Say in a sentence or two what a model does and what it uses.

    Parameters
    ----------
    model : Model
    variant : str
        What is done to it besides fitting, as in `geolive.evaluation.model_specs.VARIANTS`.

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> model_words(Mean(), "own-country")
    'The mean of the training clusters at every place; for labels, the share of label 1, so the majority decides. It is \
fitted on each country alone.'
    """
    uses = f"It uses {model.input_words}." if model.input_words else ""
    return " ".join(filter(None, (f"{model.about.rstrip('.:')}.", uses, _VARIANTS.get(variant, ""))))
