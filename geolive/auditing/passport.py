"""A passport: the checks of a dataset, a model or a map, and their form as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geolive.auditing.rules import FAIL, PASS, RULES, STATUSES, UNKNOWN, WARN
from geolive.errors import InputError
from geolive.wording import count_of

FORMAT = "geolive passport 1"
SUBJECTS = ("dataset", "model", "map")
# what a passport that is read from a file may hold at most
_MOST_CHECKS, _MOST_FACTS, _LONGEST = 100, 40, 2_000


@dataclass(frozen=True)
class Check:
    """One check and its outcome.

    Parameters
    ----------
    id : str
        One of `geolive.auditing.rules.RULES`.
    subject : {"dataset", "model", "map"}
        What was checked.
    status : {"FAIL", "WARN", "PASS", "NOT KNOWN"}
    says : str
        The finding in one sentence.
    figure : float or None
        The number that the rule is about.
    remedy : str
        What to do; empty where nothing is to be done.
    title, figure_text, threshold : str
        For people; without them those of the rule.
    """

    id: str
    subject: str
    status: str
    says: str
    figure: float | None = None
    remedy: str = ""
    title: str = ""
    figure_text: str = ""
    threshold: str = ""

    def __post_init__(self) -> None:
        rule = RULES.get(self.id)
        if rule is None:
            return
        if self.figure is not None and not math.isfinite(self.figure):
            object.__setattr__(self, "figure", None)
        own = {"title": rule.title, "threshold": rule.threshold, "figure_text": rule.text(self.figure)}
        for name, text in own.items():
            object.__setattr__(self, name, getattr(self, name) or text)


def measured(id: str, subject: str, figure: float | None, says: str, remedy: str = "") -> Check:
    """Make a check whose status follows from its figure; a check that passes has no remedy.

    Examples
    --------
    >>> check = measured("imagery_age", "dataset", 12.0, "Half of the photos are 12 years or more from the survey.")
    >>> check.status, check.figure_text, check.threshold
    ('FAIL', '12 years', 'PASS at most 3 years, FAIL above 10 years')
    """
    status = RULES[id].status(figure)
    return Check(id, subject, status, says, figure, "" if status == PASS else remedy)


@dataclass(frozen=True)
class Passport:
    """What is known about the quality of a dataset, a model or a map.

    Parameters
    ----------
    name : str
        What was checked, for titles.
    subject : {"dataset", "model", "map"}
        A map's passport also has the checks of its dataset and its model.
    checks : tuple of Check
    facts : dict of str to str
        Sources, commands and checksums.
    simulated : bool
    made : str
        Date, ISO 8601.
    version : str
        Version of geolive.

    Examples
    --------
    >>> import geolive as gl
    >>> passport = gl.audit(gl.make_sample("goa"))
    >>> passport.status, passport.check("simulation").status
    ('FAIL', 'FAIL')
    >>> Passport.from_json(passport.to_json()) == passport
    True
    """

    name: str
    subject: str
    checks: tuple[Check, ...]
    facts: dict[str, str]
    simulated: bool
    made: str
    version: str

    @property
    def status(self) -> str:
        """The worst status; NOT KNOWN counts as better than WARN and worse than PASS."""
        found = {check.status for check in self.checks}
        return next((status for status in (FAIL, WARN, UNKNOWN) if status in found), PASS)

    @property
    def summary(self) -> str:
        """How many checks have which status, in one line."""
        counts = [sum(check.status == status for check in self.checks) for status in STATUSES]
        words = [f"{n:,} {status}" for n, status in zip(counts, STATUSES, strict=True) if n]
        simulated = "SIMULATED. " if self.simulated else ""
        return f"{simulated}{count_of(len(self.checks), 'check')}: {', '.join(words) or 'none'}"

    @property
    def worst_first(self) -> list[Check]:
        """The checks, those that fail first; within a status in the order in which they were made."""
        order = (FAIL, WARN, UNKNOWN, PASS)
        return sorted(self.checks, key=lambda check: order.index(check.status))

    def check(self, id: str) -> Check:
        """Return the first check of an id.

        Raises
        ------
        KeyError
            There is no such check.
        """
        for check in self.checks:
            if check.id == id:
                return check
        raise KeyError(id)

    def to_json(self) -> dict[str, Any]:
        """Return the passport as strings, numbers, lists and dicts."""
        return {
            "format": FORMAT,
            "name": self.name,
            "subject": self.subject,
            "status": self.status,
            "summary": self.summary,
            "simulated": self.simulated,
            "checks": [_check_json(check) for check in self.checks],
            "facts": dict(self.facts),
            "made": self.made,
            "generator": f"geolive {self.version}",
        }

    @classmethod
    def from_json(cls, data: Any, where: str = "passport") -> "Passport":
        """Read what `to_json` gave. Nothing in it is trusted: kinds, numbers and lengths are checked.

        Parameters
        ----------
        data
        where : str
            What to call the source in an error.

        Raises
        ------
        InputError
            The value is not a passport.
        """
        try:
            if data["format"] != FORMAT or len(data["checks"]) > _MOST_CHECKS or len(data["facts"]) > _MOST_FACTS:
                raise ValueError
            return cls(
                name=_text(data["name"]),
                subject=_one_of(data["subject"], SUBJECTS),
                checks=tuple(_read_check(check) for check in data["checks"]),
                facts={_text(name): _text(fact) for name, fact in data["facts"].items()},
                simulated=_one_of(data["simulated"], (True, False)),
                made=_text(data["made"]),
                version=_text(data["generator"]).removeprefix("geolive "),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{where}: its passport is not in geolive's format; make the file again with predict"
            ) from error

    def __repr__(self) -> str:
        return f"<Passport of {self.name}: {self.summary}>"

    def _repr_html_(self) -> str:
        from geolive.auditing.page import table_html

        return table_html(self)


def _check_json(check: Check) -> dict[str, Any]:
    facts = {
        "id": check.id,
        "subject": check.subject,
        "title": check.title,
        "status": check.status,
        "figure": check.figure,
        "figure_text": check.figure_text,
        "threshold": check.threshold,
        "says": check.says,
        "remedy": check.remedy,
    }
    # a map's files hold it, so what says nothing is left out
    return {name: fact for name, fact in facts.items() if fact not in ("", None)}


def _read_check(data: dict[str, Any]) -> Check:
    figure = data.get("figure")
    if figure is not None and (isinstance(figure, bool) or not isinstance(figure, int | float)):
        raise TypeError("figure")
    return Check(
        id=_text(data["id"]),
        subject=_one_of(data["subject"], SUBJECTS),
        status=_one_of(data["status"], STATUSES),
        says=_text(data["says"]),
        figure=None if figure is None else float(figure),
        **{name: _text(data.get(name, "")) for name in ("remedy", "title", "figure_text", "threshold")},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise TypeError("text")
    return value


def _one_of(value: Any, known: Sequence) -> Any:
    if value not in known or type(value) is not type(known[0]):
        raise ValueError(f"{value!r}")
    return value
