"""The commands' arguments: none is given twice by mistake, and addresses of object storage become local copies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.storage.outputs import Outputs

# parameters that name files or folders to write
WRITTEN = {"out", "errors_out", "plot", "map", "join_report", "diagnostics", "logs", "curves"}
# parameters that others read and these commands write
WRITTEN_BY = {("sample", "raster")}
# files that a command does not replace
NOT_REPLACED = {("boundaries", "out"), ("gcn", "curves")}
# commands that add to the dataset that they are given
ADDING = {"detect", "embed", "covariates", "objects", "features"}
# photos are read one by one, as they are needed
PHOTOS = "photos"
# inputs stay in the cache, where a token must not
SECRET = "token_file"
# numbers of processes and devices do not decide a result
_NOT_DECISIVE = {"workers", "device", "devices", "batch_size", "everything"}
# NAME=s3://…, as --raster has it
_NAMED = re.compile(r"(?P<name>[^=:/]+=)?(?P<address>(?:s3|gs):/{1,2}[^/].*?)(?P<band>:[^/:]*)?", re.IGNORECASE)


class StorageCommand(TyperCommand):
    """A command whose arguments may be addresses of object storage, and whose help fills the width of the terminal."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # typer's boxes leave a third of 80 columns to the help of an option
        super().__init__(*args, **options | {"rich_markup_mode": None})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an option that takes one value is an error where it is given twice."""
        _check_given_once(self.make_parser(ctx).parse_args(list(args))[2])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command on local files that stand for the addresses among its arguments."""
        _as_local_paths(ctx.params)
        addresses = _addresses(ctx.params)
        if not addresses:
            return super().invoke(ctx)
        from geolive.console import note, step
        from geolive.storage.outputs import Outputs

        kind = " ".join(_names(ctx))
        decisive = {name: value for name, value in ctx.params.items() if name not in _NOT_DECISIVE}
        written = [one for name, one in addresses if _is_written(ctx, name)]
        outputs = Outputs(written, kind, f"{kind} {decisive}") if written else None
        with step("Preparing files of object storage"):
            for name in {name for name, _ in addresses}:
                ctx.params[name] = _localised(ctx, name, ctx.params[name], outputs)
        if outputs is not None and outputs.finished:
            note("the command had finished, and its upload was stopped; the upload continues")
            ended = None
        else:
            ended = super().invoke(ctx)
        # of several processes that train together the first writes
        if outputs is not None and not _follows():
            with step(f"Uploading {', '.join(written)}"):
                outputs.upload()
        return ended


class StorageGroup(typer.Typer):
    """A group of commands whose arguments may be addresses of object storage."""

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Register a command."""
        return super().command(name, **{"cls": StorageCommand} | options)


def _check_given_once(given: list[Any]) -> None:
    """Raise where an option is given twice that takes one value: the last would win without a word."""
    for number, parameter in enumerate(given):
        if parameter.param_type_name != "option" or parameter.multiple or parameter not in given[:number]:
            continue
        name = parameter.opts[0]
        joined = "joined by commas" in (parameter.help or "")
        raise InputError(
            f"{name}: is given twice; " + (f"join its values by commas: {name} A,B" if joined else "give it once")
        )


def _as_local_paths(params: dict[str, Any]) -> None:
    """Replace file:///… by the path, and refuse other kinds of storage."""
    from geolive.remote_paths import local_path

    for name, value in params.items():
        if isinstance(value, Path | str):
            params[name] = local_path(value)
        elif isinstance(value, list | tuple) and any(isinstance(one, Path) for one in value):
            params[name] = [local_path(one) for one in value]


def _addresses(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the name and the address of each argument that has one.

    Raises
    ------
    InputError
        An address holds a key or a password.
    """
    from geolive.remote_paths import address_of

    found = []
    for name, value in params.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Path | str) and (match := _NAMED.fullmatch(str(one))):
                found.append((name, address_of(match["address"])))
    return found


def _is_written(ctx: Any, name: str) -> bool:
    command = ctx.command.name
    return name in WRITTEN or (command, name) in WRITTEN_BY or (name == "dataset" and command in ADDING)


def _localised(ctx: Any, name: str, value: Any, outputs: Outputs | None) -> Any:
    """Return the value of a parameter with local paths in place of addresses."""
    if isinstance(value, list | tuple):
        return [_localised(ctx, name, one, outputs) for one in value]
    match = _NAMED.fullmatch(str(value))
    if match is None:
        return value
    from geolive.remote_paths import address_of

    address = address_of(match["address"])
    local = _local(ctx, name, address, outputs)
    return local if isinstance(value, Path) else f"{match['name'] or ''}{local}{match['band'] or ''}"


def _local(ctx: Any, name: str, address: str, outputs: Outputs | None) -> Path:
    from geolive.storage.views import lazy_copy, local_copy

    if name == SECRET:
        raise InputError(
            f"token_file={address!r}: must be a file on this computer, since the cache keeps copies of inputs; "
            "or set MAPILLARY_TOKEN",
            parameter=name,
        )
    if name == PHOTOS:
        return lazy_copy(address)
    if not _is_written(ctx, name):
        return local_copy(address)
    assert outputs is not None
    if name == "dataset":
        return outputs.changed_dataset(address)
    metavar = next(parameter.metavar for parameter in ctx.command.params if parameter.name == name)
    if metavar == "DIR":
        return outputs.new_folder(address)
    return outputs.file(address, replace=(ctx.command.name, name) not in NOT_REPLACED)


def _follows() -> bool:
    """Whether this process is one of several that torchrun or srun started, and not the first."""
    from geolive.process_group import launched

    found = launched()
    return found is not None and found.rank > 0


def _names(context: Any) -> list[str]:
    names: list[str] = []
    while context is not None and context.parent is not None:
        names.insert(0, context.info_name)
        context = context.parent
    return names
