"""`report`: a brief on a region."""

from pathlib import Path
from typing import Annotated, Any

import typer

from geolive.cli.apps import Seed, app
from geolive.cli.drawn_maps import draw_maps, files_read
from geolive.cli.next_steps import say_open
from geolive.cli.parameters import with_options_of
from geolive.cli.predict import predict
from geolive.cli.predict_inputs import check_benchmark, indicator_words, named_indicators
from geolive.errors import InputError

# what predict writes and prints, and a brief does not
_OF_FILES = {"formats", "everything", "exports", "diagnostics", "language", "size"}


@app.command()
@with_options_of(predict, _OF_FILES)
def report(
    context: typer.Context,
    out: Annotated[
        list[Path],
        typer.Option(help="A .html or .pdf file to write; may be repeated.", metavar="FILE"),
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            help="What a programme could reach: a number of districts (10) or a share of the people (25%); by default a fifth of "
            "the districts."
        ),
    ] = None,
    seed: Seed = 0,
    **options: Any,
) -> None:
    """Write a brief on a region, of 2 to 4 pages: map, ranking, uncertainty, targets, method, passport."""
    from geolive.brief.files import check_brief_file, write_brief
    from geolive.brief.writing import make_brief
    from geolive.console import say, step
    from geolive.estimation.targeting import Budget
    from geolive.hexagons import area_noun
    from geolive.wording import count_of

    amount = None if budget is None else Budget.parse(budget)
    words = {name: options[name] for name in ("label", "unit", "higher_is")}
    known = indicator_words(options["indicators"], words)
    check_benchmark(*(options[name] for name in ("estimator", "benchmark", "people_column", "population")))
    indicator, indicators = options.pop("indicator"), options.pop("indicators")
    names = named_indicators(indicator, options["dataset"], {"title": options["title"], **words, "budget": budget})
    if len(names) > 1:
        raise InputError(f"--indicator {indicator}: a brief shows one indicator; give one of: {', '.join(names)}")
    read = files_read(
        options["region"], *(options[name] for name in ("dataset", "boundaries", "population")), indicators
    )
    for path in out:
        if any(path.resolve() == other.resolve() for other in read):
            raise InputError(f"{path}: is an input, and geolive would overwrite it; give another name to write to")
        check_brief_file(path)
    (drawn,) = draw_maps(context, names, known, seed=seed, **options)
    with step("Writing the brief"):
        brief = make_brief(drawn, budget=amount, seed=seed)
        for path in out:
            write_brief(brief, path)
    mark = "SIMULATED: " if drawn.provenance.simulated else ""
    say(f"{mark}{drawn.title}, {count_of(len(drawn.districts), area_noun(drawn.districts))}")
    say(f"Written: {', '.join(map(str, out))}")
    say_open(out[0])
