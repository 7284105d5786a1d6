"""Draw command lines from each command's own options, valid values mixed with odd ones."""

from typing import Any

from benchmarks.attacks.base import Attack, make_dataset

ODD = [
    "", " ", "-", "--", "0", "-1", "1e999", "nan", "None", "\x1b[2J", "\u202e", "💥", "a" * 5000, "/", ".", "..", "/dev/null",
    "/dev/full", "/proc/self/environ", "~", "*", "pov,pov", "random", "blocks:0km", "blocks:1e9km", "knn:0", "85,25,86,26",
    "cli.py", "no/such/file", "=1+1", "%s%n", "'; ls", "[red]", "http://127.0.0.1:9/a.geojson", "/vsicurl/http://127.0.0.1:9/a",
]  # fmt: skip
SKIPPED = {"images", "boundaries", "imagewise", "gcn", "detect", "embed"}


def run(attack: Attack) -> None:
    data = make_dataset(attack.folder / "data", 4)
    survey = attack.folder / "survey.csv"
    survey.write_text("lon,lat,wealth\n" + "".join(f"{73.8 + i * 0.01},{15.3 + i * 0.01},{i}\n" for i in range(30)))
    good = {
        "dataset": [str(data)], "region": ["goa"], "model": ["idw", "mean", "neighbours"], "models": ["mean", "idw,mean"],
        "indicator": ["pov", "bmi"], "indicators": ["pov", "bmi,pop"], "split": ["random", "district", "blocks:50km", "rows"],
        "task": ["regression", "classification"], "lon": ["lon"], "lat": ["lat"], "value": ["wealth=wealth", "wealth"],
        "table": [str(survey)], "file": [str(survey)], "survey": [str(survey)], "path": [str(survey)],
        "level": ["0.9", "0.5"], "trees": ["5"], "min_sites": ["1"], "min_images": ["1"], "folds": ["3"],
    }  # fmt: skip
    commands = [c for c in _leaves() if c[0][-1] not in SKIPPED]
    number = 0
    while attack.more():
        names, command = attack.random.choice(commands)
        number += 1
        words = [*names]
        for parameter in command.params:
            words += _words(attack, parameter, good, number)
        attack.run(*words)


def _leaves() -> list[tuple[list[str], Any]]:
    """Each command with its names."""
    import typer

    from geolive.cli import app

    found, waiting = [], [([], typer.main.get_command(app))]
    while waiting:
        names, command = waiting.pop()
        below = getattr(command, "commands", None)
        if below is None:
            found.append((names, command))
        else:
            waiting += [([*names, name], one) for name, one in sorted(below.items())]
    return found


def _words(attack: Attack, parameter: Any, good: dict[str, list[str]], number: int) -> list[str]:
    """The words that give a parameter, valid nine times of ten; options that are not needed are left out two times of three."""
    needed = parameter.required
    if parameter.name in ("help",) or not (needed or attack.random.random() < 0.33):
        return []
    if getattr(parameter, "is_flag", False):
        return [attack.random.choice([*parameter.opts, *parameter.secondary_opts])]
    if parameter.opts[0] == "--out":
        value = str(attack.folder / f"out-{number}{attack.random.choice(['', '.html', '.csv', '.geojson', '.gpkg'])}")
    elif parameter.name in good:
        value = attack.random.choice(good[parameter.name])
    elif parameter.default not in (None, (), []) and not callable(parameter.default):
        value = str(parameter.default)
    else:
        value = attack.random.choice(ODD)
    if attack.random.random() < 0.1:
        value = attack.random.choice(ODD)
    # an argument that begins with a dash would be taken for an option, and a text with NUL is no argument of a process
    return [value] if parameter.param_type_name == "argument" else [parameter.opts[0], value]
