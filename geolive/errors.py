"""The errors and warnings that reach a user as one line."""


class InputError(ValueError):
    """An input of the user cannot be used.

    The message is one line with the input, the cause and, after a semicolon, the remedy. It names parameters as in
    Python, for example `level=7: must be between 0 and 1`. The command line replaces the parameters by its own
    options (`--level 7`) and ends with exit code 2.

    Parameters
    ----------
    message : str
    parameter : str, optional
        Name of the parameter of the called function that cannot be used.

    Examples
    --------
    >>> raise InputError("survey.csv: no column 'lon'; its columns are: x, y")
    Traceback (most recent call last):
    geolive.errors.InputError: survey.csv: no column 'lon'; its columns are: x, y
    >>> InputError("level=7: must be between 0 and 1", parameter="level").parameter
    'level'
    """

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class RestartWarning(UserWarning):
    """A file of unfinished work is damaged, and the work is done again; the result is the same.

    Examples
    --------
    >>> issubclass(RestartWarning, UserWarning)
    True
    """


class PluginWarning(UserWarning):
    """A part that another package adds cannot be used, and is left out.

    Examples
    --------
    >>> issubclass(PluginWarning, UserWarning)
    True
    """


class ConvergenceError(InputError):
    """An estimation has no solution for these data.

    Examples
    --------
    >>> issubclass(ConvergenceError, InputError)
    True
    """
