"""Between the library's parameters and the command line's options: in messages, and in the command that a result records."""

import ast
import inspect
import os
import re
import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from geolive.command_line import command_line

# parameters of the library whose option has another name
_OTHER_NAMES = {
    "random_state": ("seed",),
    "n_neighbors": ("neighbours",),
    "n_neighbor_images": ("neighbour_images",),
    "max_depth": ("depth",),
    "n_estimators": ("trees",),
    "n_splits": ("folds",),
    "indicator": ("indicators",),
    "model": ("models",),
    "task": ("tasks",),
    "radius_km": ("radius",),
    "reach_km": ("reach",),
    "learning_rate": ("lr",),
    "values": ("value",),
    "recodes": ("recode",),
    "rasters": ("raster",),
    "buffer_km": ("buffer",),
    "folder": ("dataset",),
    "path": ("file",),
}
# functions of the library that a command calls, as messages name them: `read_survey(group='COLUMN')`
_COMMANDS = {
    "read_survey": ("ingest", "survey"),
    "read_dhs": ("ingest", "dhs"),
    "read_paper": ("ingest", "paper"),
    "read_photos": ("ingest", "photos"),
    "read_images": ("ingest", "images"),
    "add_object_counts": ("ingest", "objects"),
    "fetch_boundaries": ("fetch", "boundaries"),
    "fetch_images": ("fetch", "images"),
    "detect_objects": ("detect",),
    "embed_photos": ("embed",),
    "train_imagewise": ("train", "imagewise"),
    "predict": ("predict",),
}
_CALLED = re.compile(rf"\b({'|'.join(_COMMANDS)})\(([^()]+)\)")
_ASSIGNED = re.compile(
    r"""(?<![\w.'"-])([a-z][a-z_0-9]*)=("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|\{[^}]*\}|-?[\w+/.:-]*\w)"""
)


def as_options(message: str, command: Any) -> str:
    """Rewrite a message of the library in the words of the command that runs: `level=7: …` becomes `--level 7: …`.

    Parameters
    ----------
    message : str
        Only a parameter at its beginning, and parameters and calls of functions in the remedy behind its first semicolon, are
        translated: what stands between may be the content of a file.
    command : click.Command
        Its options decide which names are translated.

    Examples
    --------
    >>> import typer
    >>> app = typer.Typer()
    >>> @app.command()
    ... def predict(indicator: str = "pov", seed: int = 0): ...
    >>> as_options("indicator='a b' is not in the dataset; give indicator='pov' or random_state=1", typer.main.get_command(app))
    "--indicator 'a b' is not in the dataset; give --indicator pov or --seed 1"
    """
    cause, semicolon, remedy = message.partition(";")
    options = _options(command)
    first = _ASSIGNED.match(cause)
    if first is not None:
        cause = _as_option(first, options) + cause[first.end() :]
    remedy = _CALLED.sub(_as_command, remedy)
    return cause + semicolon + _ASSIGNED.sub(lambda match: _as_option(match, options), remedy)


def _as_option(match: re.Match[str], options: dict[str, str]) -> str:
    """Rewrite `name=value` as an option, if the command has it."""
    name, value = match[1], match[2]
    option = next((options[n] for n in (name, *_OTHER_NAMES.get(name, ())) if n in options), None)
    if option is None:
        return match[0]
    if value == "True":
        return option
    if value == "False":
        return f"--no-{option.removeprefix('--')}"
    return " ".join(f"{option} {word}".strip() for word in _as_words(value))


def _as_command(match: re.Match[str]) -> str:
    """Rewrite the call of a function as the command that calls it."""
    from geolive.cli.apps import app

    words = _COMMANDS[match[1]]
    command = running_command(app, words)
    arguments = {parameter.name: "" for parameter in command.params if parameter.param_type_name == "argument"}
    options = _options(command) | arguments
    given = re.sub(r",\s*(?=[a-z][a-z_0-9]*=)", " ", match[2])
    return f"{' '.join(words)} {_ASSIGNED.sub(lambda one: _as_option(one, options), given)}"


def running_command(app: Any, words: Sequence[str]) -> Any:
    """Find the click command or group that the first words of a command line call.

    Examples
    --------
    >>> from geolive.cli.apps import app
    >>> running_command(app, ["fetch", "images", "--region", "goa"]).name
    'images'
    """
    import typer

    command = typer.main.get_command(app)
    for word in words:
        below = getattr(command, "commands", {}).get(word)
        if below is None:
            break
        command = below
    return command


# where the work ran, which changes no result
_WHERE = ("engine", "address")


def recorded_command(context: Any, leaving_out: Collection[str] = ()) -> str:
    """Return the running command as results record it: it works when pasted, and options at their default are left out.

    Files to write are recorded relative to the folder that holds them, so that equal results are equal wherever they are
    written, and a published page reveals nothing about its author's folders.

    Parameters
    ----------
    context : typer.Context
        Of the command, whose options of files to write are named `out`.
    leaving_out : collection of str
        Parameters that a later step records.
    """
    names: list[str] = []
    above = context
    while above is not None and above.parent is not None:
        names.insert(0, above.info_name)
        above = above.parent
    words: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name)
        if (
            parameter.name in (*_WHERE, *leaving_out)
            or value is None
            or value == parameter.default
            or value in ((), [])
        ):
            continue
        if parameter.param_type_name == "argument":
            words.append(str(value))
        elif value is False:
            words.append(parameter.secondary_opts[0])
        elif value is True:
            words.append(parameter.opts[0])
        else:
            values = list(value) if isinstance(value, list | tuple) else [value]
            for text in _without_folder(values) if parameter.opts[0] == "--out" else map(str, values):
                words += [parameter.opts[0], text]
    return command_line(*names, *words)


def with_options_of(other: Callable[..., Any], leaving_out: Collection[str]) -> Callable[[Callable], Callable]:
    """Give a command the options of another one besides its own, so that both always take the same.

    Parameters
    ----------
    other : callable
        A function that is a command.
    leaving_out : collection of str
        Its parameters that the new command does not take.

    Returns
    -------
    callable
        A decorator for a function that takes these options as `**options`.

    Examples
    --------
    >>> def first(a: int = 1, b: int = 2): ...
    >>> @with_options_of(first, {"b"})
    ... def second(c: str, **options): ...
    >>> inspect.signature(second)
    <Signature (*, c: str, a: int = 1)>
    """

    def decorate(function: Callable) -> Callable:
        own = inspect.signature(function).parameters.values()
        kept = {p.name: p for p in own if p.kind is not inspect.Parameter.VAR_KEYWORD}
        kept |= {
            name: p
            for name, p in inspect.signature(other).parameters.items()
            if name not in kept and name not in leaving_out
        }
        chosen = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept.values()]
        function.__signature__ = inspect.Signature(chosen)  # type: ignore[attr-defined]
        function.__annotations__ = {p.name: p.annotation for p in chosen}
        return function

    return decorate


def _without_folder(paths: list[Path]) -> list[str]:
    common = os.path.commonpath([Path(path).absolute().parent for path in paths])
    return [os.path.relpath(Path(path).absolute(), common) for path in paths]


def _options(command: Any) -> dict[str, str]:
    """Return the options of a command by the names that the library may give them."""
    options: dict[str, str] = {}
    for parameter in command.params:
        if parameter.param_type_name == "option":
            options[parameter.name] = parameter.opts[0]
            options |= {name.removeprefix("--").replace("-", "_"): name for name in parameter.opts}
    return options


def _as_words(value: str) -> list[str]:
    """Write a Python value as words of the shell: one, or one for each item of a dict."""
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return [value]
    if isinstance(read, dict):
        return [shlex.quote(f"{name}={text}") for name, text in read.items()]
    if isinstance(read, list):
        return [shlex.quote(",".join(map(str, read)))]
    return [shlex.quote(read) if isinstance(read, str) else value]
