"""`plugins`."""

from geolive.cli.apps import app
from geolive.cli.next_steps import say_next


@app.command()
def plugins() -> None:
    """List what other packages add to geolive: models, splitters, indicators and sources, and which of it cannot be used."""
    from geolive.console import note, say, show_table
    from geolive.indicators import ADDED_INDICATORS
    from geolive.models.registry import ADDED_MODELS
    from geolive.sources.added import ADDED_SOURCES
    from geolive.splits import ADDED_SPLITTERS

    found = [
        (group.what, plugin)
        for group in (ADDED_MODELS, ADDED_SPLITTERS, ADDED_INDICATORS, ADDED_SOURCES)
        for plugin in group.listed()
    ]
    if not found:
        say("No installed package adds anything to geolive.")
        return
    rows = [[what, one.name, one.package, "ready" if one.state == "ready" else "cannot be used"] for what, one in found]
    show_table("What other packages add", ["kind", "name", "package", "state"], rows)
    for _, one in found:
        if one.state != "ready":
            note(one.state)
    say_next("evaluate", "--help", to="shows where models and splitters are named")
