"""The passport's checks: what each one measures, and from which figure on it passes or fails."""

import math
from dataclasses import dataclass

from geolive.wording import number_text, percent_text

FAIL, WARN, PASS, UNKNOWN = "FAIL", "WARN", "PASS", "NOT KNOWN"
STATUSES = (FAIL, WARN, PASS, UNKNOWN)
_NEGLIGIBLE = 1e-9


def figure_text(value: float) -> str:
    """Write a figure of a passport with three significant digits and a true minus sign; what is smaller than 1e-9 is 0.

    Examples
    --------
    >>> figure_text(-213.4), figure_text(0.04213), figure_text(-3.65e-17)
    ('−213', '0.0421', '0')
    """
    # what is left of a difference of equal numbers is no finding
    return number_text(0.0 if abs(value) < _NEGLIGIBLE else value).replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Rule:
    """What a check measures, and its thresholds.

    Parameters
    ----------
    title : str
        Name of the check for people.
    figure : str
        What the figure is.
    unit : str
        "share" (0 to 1, shown in percent), a unit such as "years", or empty.
    passes, fails : float or None
        A figure of at most `passes` passes, and one above `fails` fails; without `fails` none does. Without `passes` the rule is
        not about a number.
    least : bool
        Turns the rule round: a figure of at least `passes` passes, and one below `fails` fails.
    otherwise : str
        The rule in words where it is not about a number.

    Examples
    --------
    >>> RULES["imagery_age"].status(4.0), RULES["imagery_age"].threshold
    ('WARN', 'PASS at most 3 years, FAIL above 10 years')
    >>> RULES["calibration"].status(0.01)
    'PASS'
    """

    title: str
    figure: str = ""
    unit: str = ""
    passes: float | None = None
    fails: float | None = None
    least: bool = False
    otherwise: str = ""

    def status(self, figure: float | None) -> str:
        """Return PASS, WARN or FAIL for a figure, and NOT KNOWN where there is none."""
        if figure is None or not math.isfinite(figure) or self.passes is None:
            return UNKNOWN
        # a share of exactly the threshold must not fail for its last digit
        sign, near = (-1 if self.least else 1), 1e-9
        if sign * figure <= sign * self.passes + near:
            return PASS
        return FAIL if self.fails is not None and sign * figure > sign * self.fails + near else WARN

    def text(self, figure: float | None) -> str:
        """Write a figure with its unit; empty where there is none."""
        if figure is None or not math.isfinite(figure):
            return ""
        if self.unit == "share":
            return percent_text(figure)
        return f"{figure_text(figure)} {self.unit}".strip()

    @property
    def threshold(self) -> str:
        """The thresholds in words."""
        if self.passes is None:
            return self.otherwise
        good, bad = ("at least", "below") if self.least else ("at most", "above")
        fails = "else WARN" if self.fails is None else f"FAIL {bad} {self.text(self.fails)}"
        return f"PASS {good} {self.text(self.passes)}, {fails}"


# in the order in which a passport shows them
RULES: dict[str, Rule] = {
    "simulation": Rule("Simulated data", otherwise="FAIL where survey or imagery are simulated"),
    "displacement": Rule(
        "Displacement of survey points",
        "join radius of photos over displacement of points, or the inverse where that is larger",
        "times",
        1.5,
        4,
    ),
    "imagery_age": Rule("Age of the imagery", "median years between photos and survey", "years", 3, 10),
    "image_coverage": Rule(
        "Surveyed places with photos", "share of survey clusters that have photos", "share", 0.8, 0.5, True
    ),
    "urban_rural_coverage": Rule(
        "Urban and rural coverage", "difference between the shares of clusters with photos", "share", 0.1, 0.3
    ),
    "duplicate_clusters": Rule(
        "Duplicate survey clusters", "share of clusters that repeat another one", "share", 0, 0.02
    ),
    "duplicate_images": Rule("Duplicate photos", "share of photos that repeat another one", "share", 0.001, 0.05),
    "shared_sequences": Rule(
        "Photo sequences at several clusters", "share of clusters that share a photo sequence with another", "share", 0
    ),
    "split_leaks": Rule("Leaks between train, val and test", otherwise="FAIL at any leak"),
    "labels": Rule("Labels", otherwise="PASS where one known threshold explains all labels, FAIL where none does"),
    "photo_licence": Rule(
        "Licence of the photos", otherwise="PASS where the dataset states it for all photos, WARN where some have none"
    ),
    "faces": Rule("Faces in photos", otherwise="PASS where the provider blurs faces, or where there are no photos"),
    "training_size": Rule("Size of the training data", "surveyed clusters", "clusters", 100, 30, True),
    "skill_regression": Rule(
        "Skill (lower end of R²)", "lower end of the 95 % interval of R² at places that the model had not seen", "", 0.01, -0.1,
        True,
    ),
    "skill_classification": Rule(
        "Skill (lower end of AUC)", "lower end of the 95 % interval of the AUC at places that the model had not seen", "", 0.51,
        0.45, True,
    ),
    "calibration": Rule(
        "Calibration", "difference between the level of intervals (90 %) and their coverage out of fold", "share", 0.05, 0.1
    ),
    "calibration_slope": Rule(
        "Calibration", "distance of the slope of labels on predicted log odds from 1, out of fold", "", 0.25, 0.6
    ),
    "urban_rural_error": Rule(
        "Urban and rural error", "larger of the typical errors over the smaller one, out of fold", "times", 1.25, 2
    ),
    "fold_leaks": Rule("Leaks between folds", otherwise="FAIL at shared places or copies, WARN at shared photo sequences"),
    "training_data": Rule("Training data", otherwise="WARN where the model was trained on another state of the dataset"),
    "true_labels": Rule("Labels of the training", otherwise="FAIL where the labels were permuted"),
    "unlike_sites": Rule(
        "Sites unlike the surveyed places", "share of sites that are left out", "share", 0.05, 0.25
    ),
    "unsupported_districts": Rule(
        "Districts without a value", "share of districts that are not supported", "share", 0.1, 0.33
    ),
    "people_reached": Rule(
        "People within reach", "share of the region's people within reach of a supported prediction", "share", 0.9, 0.67, True
    ),
    "distinguishable": Rule(
        "Districts distinguished from the mean", "share of districts whose interval leaves out the region's mean", "share",
        0.33, 0.05, True,
    ),
    "boundary_licence": Rule("Licence of the boundaries", otherwise="PASS where their source states it"),
}  # fmt: skip
