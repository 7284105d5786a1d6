"""What a model uses of places: object counts, image features, covariates, or several of these, in one notation."""

from geolive.errors import InputError

INPUTS = ("objects", "features", "covariates")
_SHORT = {
    ("objects",): "obj",
    ("features",): "feats",
    ("objects", "features"): "both",
    ("covariates",): "cov",
    ("objects", "covariates"): "obj+cov",
    ("features", "covariates"): "feats+cov",
    INPUTS: "all",
}
# inputs by their short names
INPUTS_OF_SHORT = {short: ",".join(names) for names, short in _SHORT.items()}


def parse_inputs(inputs: str | None) -> tuple[str, ...]:
    """Return the inputs that a model uses, in the order objects, features, covariates.

    Parameters
    ----------
    inputs : str or None
        Some of "objects", "features" and "covariates", separated by commas, in any order; None for a model
        that uses none of these.

    Raises
    ------
    InputError
        A word is none of these, or the text is empty.

    Examples
    --------
    >>> parse_inputs("covariates, objects")
    ('objects', 'covariates')
    >>> parse_inputs("objects,pixels")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: inputs='objects,pixels': must be one or more of objects, features and covariates, ...
    """
    if inputs is None:
        return ()
    words = {word.strip() for word in inputs.split(",")} if isinstance(inputs, str) else set()
    if not words or not words <= set(INPUTS):
        listed = f"{', '.join(INPUTS[:-1])} and {INPUTS[-1]}"
        raise InputError(f"inputs={inputs!r}: must be one or more of {listed}, separated by commas", parameter="inputs")
    return tuple(name for name in INPUTS if name in words)


def canonical_inputs(inputs: str) -> str:
    """Write inputs in the order objects, features, covariates.

    Examples
    --------
    >>> canonical_inputs("features,objects")
    'objects,features'
    """
    return ",".join(parse_inputs(inputs))


def photo_inputs(inputs: str | None) -> str:
    """Return the part of the inputs that each photo has: all but covariates, which belong to the place; "" where there is none.

    Examples
    --------
    >>> photo_inputs("covariates,features"), photo_inputs("covariates")
    ('features', '')
    """
    return ",".join(name for name in parse_inputs(inputs) if name != "covariates")


def short_name(inputs: str) -> str:
    """Return the short name of inputs, which the names of rows in results end in.

    Examples
    --------
    >>> [short_name(inputs) for inputs in ("objects", "features,objects", "covariates", "covariates,objects,features")]
    ['obj', 'both', 'cov', 'all']
    """
    return _SHORT[parse_inputs(inputs)]
