"""Debian's Chromium through Playwright, with every request to a network refused and written down."""

import contextlib
import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

CHROMIUM = shutil.which("chromium")

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing (apt install chromium)"),
    pytest.mark.skipif(
        importlib.util.find_spec("playwright") is None, reason="playwright is missing (pip install playwright)"
    ),
]

AXE = importlib.util.find_spec("axe_playwright_python")
needs_axe = pytest.mark.skipif(AXE is None, reason="axe-core is missing (pip install axe-playwright-python)")
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
TAGS = (*WCAG, "best-practice")


@contextlib.contextmanager
def browser() -> Iterator:
    """A running Chromium; start it once for many pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@contextlib.contextmanager
def opened(running, path: Path, width: int = 1400, height: int = 900, **options) -> Iterator[SimpleNamespace]:
    """A file opened in a fresh page.

    Yields
    ------
    namespace
        `page` (Playwright's), `errors` (console errors and uncaught exceptions), `requests` (addresses refused).
    """
    context = running.new_context(viewport={"width": width, "height": height}, **options)
    page, errors, requests = context.new_page(), [], []
    page.set_default_timeout(10_000)

    def decide(route) -> None:
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            requests.append(route.request.url)
            route.abort()

    page.route("**/*", decide)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.resolve().as_uri())
    yield SimpleNamespace(page=page, errors=errors, requests=requests)
    context.close()


def axe_violations(page, tags: tuple[str, ...] = TAGS) -> list[tuple[str, str, list[str]]]:
    """What axe-core finds on a page: rule, impact, and the first elements.

    A page whose policy lets no other script run must be opened with `bypass_csp`. Elements without a fault stay in the browser:
    it would take longer to describe them than to check them.
    """
    script = Path(AXE.submodule_search_locations[0]) / "axe.min.js"
    page.add_script_tag(content=script.read_text(encoding="utf-8"))
    options = {"runOnly": list(tags), "resultTypes": ["violations"]}
    found = page.evaluate("options => axe.run(options).then(result => result.violations)", options)
    return [(rule["id"], rule["impact"], [node["html"][:160] for node in rule["nodes"][:3]]) for rule in found]
