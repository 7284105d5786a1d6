"""The errors that reach a user as one line."""


class InputError(Exception):
    """Something the user gave cannot be used; the message names what, where and the remedy (exit code 2).

    Examples
    --------
    >>> raise InputError("survey.csv: no column 'lon'; its columns are: x, y")
    Traceback (most recent call last):
    geolive.errors.InputError: survey.csv: no column 'lon'; its columns are: x, y
    """
