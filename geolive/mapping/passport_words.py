"""The passport of a map in the words of the page: how many checks fail, warn and pass, and which do."""

from geolive.auditing.passport import Passport
from geolive.auditing.rules import FAIL, PASS, RULES, UNKNOWN, WARN
from geolive.languages import phrase
from geolive.phrases import Phrase, sentences

_COUNTS = {FAIL: "passport.fail", WARN: "passport.warn", PASS: "passport.pass", UNKNOWN: "passport.unknown"}
_NAMES = {FAIL: "passport.fails", WARN: "passport.warns", UNKNOWN: "passport.not_known"}


def passport_words(passport: Passport) -> Phrase:
    """Say how many checks have which status, and name those that do not pass.

    Parameters
    ----------
    passport : Passport

    Returns
    -------
    Phrase
        It can be written in every language of the page.

    Examples
    --------
    >>> import geolive as gl
    >>> print(passport_words(gl.audit(gl.make_sample("goa"))))
    11 checks: 1 fails, 7 pass, 3 are not known. Fails: Simulated data. Not known: Displacement of survey points, Age of the
    imagery, Urban and rural coverage.
    """
    by_status = {status: [c for c in passport.checks if c.status == status] for status in _COUNTS}
    found = [phrase(_COUNTS[status], count=len(checks)) for status, checks in by_status.items() if checks]
    named = [
        phrase(
            key, names=[phrase(f"passport.check_{check.id}") if check.id in RULES else check.title for check in checks]
        )
        for status, key in _NAMES.items()
        if (checks := by_status[status])
    ]
    return sentences(phrase("passport.summary", count=len(passport.checks), found=found), *named)
