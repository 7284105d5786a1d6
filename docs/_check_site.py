"""Check the built site: python docs/_check_site.py build/site

Every internal link leads to a file and an anchor that exist. axe-core finds no serious fault, and no page is wider than the
screen, on a wide and a narrow screen, light and dark. The search finds a word without a server. All but the links need Chromium
and the extra `test`, and are left out, with a reason, where these are missing.
"""

import importlib.util
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# one page of each kind; all of them take 12 s of a processor
PAGES = (
    "index", "tutorials/index", "tutorials/first_map", "tutorials/benin", "tutorials/hand_over", "gallery",
    "uncertainty", "paper", "api", "glossary", "changelog", "search",
)  # fmt: skip
SCREENS = ((1280, "light"), (390, "dark"))
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


class Links(HTMLParser):
    """The anchors of a page, and where its links and pictures lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one element's."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif value and ((name == "href" and tag in ("a", "link")) or (name == "src" and tag in ("img", "script"))):
                self.targets.append(value)


def dead_links(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere within the site."""
    pages = {
        path.resolve(): Links(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    dead = []
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            found = file.exists() and (not anchor or file not in pages or anchor in pages[file].anchors)
            # Sphinx's own links to the top of a page
            if not found and target != "#":
                dead.append(f"{path.relative_to(site.resolve())}: {target}")
    return sorted(set(dead))


def faults_in_browser(site: Path) -> list[str]:
    """Return a line for each fault of pages that a reader of the site would meet."""
    from playwright.sync_api import sync_playwright

    script = Path(importlib.util.find_spec("axe_playwright_python").submodule_search_locations[0]) / "axe.min.js"
    faults = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width, scheme in SCREENS:
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            for name in PAGES:
                page = context.new_page()
                page.goto((site / f"{name}.html").resolve().as_uri())
                page.add_script_tag(content=script.read_text(encoding="utf-8"))
                for rule in page.evaluate(
                    f"axe.run({{runOnly: {TAGS}, resultTypes: ['violations']}}).then(r => r.violations)"
                ):
                    if rule["impact"] in ("serious", "critical"):
                        nodes = "; ".join(node["html"][:100] for node in rule["nodes"][:3])
                        faults.append(f"{name}, {width} {scheme}: {rule['id']}, {len(rule['nodes'])} times: {nodes}")
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    faults.append(f"{name}, {width} {scheme}: the page is wider than the screen")
                page.close()
            context.close()
        faults += _search(browser, site)
        browser.close()
    return faults


def _search(browser, site: Path) -> list[str]:
    page = browser.new_page()
    page.goto((site / "search.html").resolve().as_uri() + "?q=kriging")
    try:
        page.wait_for_selector("#search-results li a", timeout=20_000)
    except Exception:
        return ["search: finds nothing for 'kriging' without a server"]
    return []


def main() -> None:
    """Print what is wrong; exit code 1 if anything is."""
    site = Path(sys.argv[1])
    faults = [f"dead link in {line}" for line in dead_links(site)]
    needed = ("playwright", "axe_playwright_python")
    if shutil.which("chromium") is None or not all(map(importlib.util.find_spec, needed)):
        print("not looked at in a browser: Chromium, playwright or axe-playwright-python is missing")
    else:
        faults += faults_in_browser(site)
    print("\n".join(faults) or "the site has no dead links and no serious faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
