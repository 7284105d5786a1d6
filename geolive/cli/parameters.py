"""Between the library's parameters and the command line's options: in messages, and in the command that a result records."""

import ast
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geolive.command_line import command_line

# parameters of the library whose option has another name
_OTHER_NAMES = {
    "random_state": ("seed",),
    "n_neighbors": ("neighbours",),
    "n_estimators": ("trees",),
    "n_splits": ("folds",),
    "indicator": ("indicators",),
    "model": ("models",),
    "task": ("tasks",),
    "radius_km": ("radius",),
    "learning_rate": ("lr",),
}
_ASSIGNED = re.compile(
    r"""(?<![\w.'"-])([a-z][a-z_0-9]*)=("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|-?[\w+/.:-]*\w)"""
)


def as_options(message: str, command: Any) -> str:
    """Rewrite a message of the library in the words of the command that runs: `level=7: …` becomes `--level 7: …`.

    Parameters
    ----------
    message : str
        Only a parameter at its beginning, and those in the remedy behind its first semicolon, are translated: what stands
        between may be the content of a file.
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
    options = _options(command)

    def translated(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        option = next((options[n] for n in (name, *_OTHER_NAMES.get(name, ())) if n in options), None)
        remedy = message.find(";")
        if option is None or not (match.start() == 0 or 0 <= remedy < match.start()):
            return match[0]
        if value == "True":
            return option
        if value == "False":
            return f"--no-{option.removeprefix('--')}"
        return f"{option} {_as_word(value)}"

    return _ASSIGNED.sub(translated, message)


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


def recorded_command(context: Any) -> str:
    """Return the running command as results record it: it works when pasted, and options at their default are left out.

    Files to write are recorded relative to the folder that holds them, so that equal results are equal wherever they are
    written, and a published page tells nothing of its author's folders.

    Parameters
    ----------
    context : typer.Context
        Of the command, whose options of files to write are named `out`.
    """
    names: list[str] = []
    above = context
    while above is not None and above.parent is not None:
        names.insert(0, above.info_name)
        above = above.parent
    words: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name)
        if value is None or value == parameter.default or value in ((), []):
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


def _as_word(value: str) -> str:
    """Write a Python value as a word of the shell."""
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if isinstance(read, list):
        return shlex.quote(",".join(map(str, read)))
    return shlex.quote(read) if isinstance(read, str) else value
