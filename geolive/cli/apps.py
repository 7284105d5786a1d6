"""The command line's groups, and the options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.remote_arguments import StorageGroup
from geolive.errors import InputError

app = StorageGroup(
    help="District maps of poverty, population and women's BMI from street-level photos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import geolive

        typer.echo(f"geolive {geolive.__version__}")
        raise typer.Exit


ingest = StorageGroup(help="Read a source into a dataset.", no_args_is_help=True)
fetch = StorageGroup(help="Download imagery or boundaries.", no_args_is_help=True)
train = StorageGroup(help="Train a model on a dataset's surveyed clusters.", no_args_is_help=True)
estimate = StorageGroup(help="Small-area estimates from a survey and covariates.", no_args_is_help=True)


@app.callback()
def _options_of_all(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


app.add_typer(ingest, name="ingest")
app.add_typer(fetch, name="fetch")
app.add_typer(train, name="train")
app.add_typer(estimate, name="estimate")

DatasetArgument = Annotated[
    Path, typer.Argument(help="A dataset folder, as sample and ingest make them.", metavar="DATASET")
]
NewFolder = Annotated[
    Path, typer.Option("--out", help="Folder to make. It must not exist, or must be empty.", metavar="DIR")
]
Seed = Annotated[int, typer.Option(help="Seed of the random number generator; equal seeds give equal results.", min=0)]
Indicator = Annotated[str, typer.Option(help="pov, pop, bmi, or another indicator of the dataset.")]
Task = Annotated[str, typer.Option(help="regression (the value) or classification (at or above the median).")]
MinImages = Annotated[
    int, typer.Option(help="Leave out clusters with fewer images; the command says how many.", min=0, metavar="N")
]
Nodes = Annotated[
    int | None,
    typer.Option(help="Number of hosts. On each host, torchrun or srun starts one process for each device.", min=1),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue a training that was stopped, and never begin a new one. Without this option, the command does "
        "either.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        help="Number of processes at the same time; by default one for each core, at most 8. Each process needs its "
        "own memory. The results do not depend on this number.",
        min=1,
        metavar="N",
    ),
]
# options of the commands that read photos
PhotosFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the photos, in which the paths of img_path begin; needed if the photos have moved.",
        metavar="DIR",
    ),
]
INPUTS_HELP = "Inputs of the model, joined by commas: objects (object counts), features (image features), covariates."
FEATURES_HELP = "Feature set, if --inputs contains features; you can leave this out if the dataset has only one."
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(help="auto (bfloat16 or float16 if the device is faster with it), float32, bfloat16 or float16."),
]
BatchSize = Annotated[int | None, typer.Option(help="Number of images in a batch.", min=1)]
Workers = Annotated[int | None, typer.Option(help="Number of processes that decode photos.", min=0)]

EngineName = Annotated[
    str,
    typer.Option(
        "--engine", help="Where the work runs: local (on this computer) or ray (on a cluster).", metavar="local|ray"
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="With --engine ray: auto, HOST:PORT or ray://HOST:PORT of a cluster; by default Ray starts on this "
        "computer.",
        metavar="ADDRESS",
    ),
]


def check_resume(resume: bool, work: Path, out: Path) -> None:
    """Raise InputError where a training is to go on and there is none."""
    if resume and not work.is_dir():
        raise InputError(
            f"--resume: no unfinished training of {out} is there ({work}); leave --resume out to begin one"
        )


def check_task(task: str) -> None:
    """Raise InputError where a task is neither regression nor classification."""
    if task not in ("regression", "classification"):
        raise InputError(f"--task {task!r}: must be regression or classification")
