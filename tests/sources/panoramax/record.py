"""Records what the real server answers, for tests on machines without it: `python -m tests.sources.panoramax.record`.

Identifiers and times of the upload become the same in every recording; the address of the API becomes API.
"""

import json
import re
import tempfile
from pathlib import Path

from tests.sources.panoramax.photos import draw_photos
from tests.sources.panoramax.real_server import panoramax, what_is_missing

RECORDED = Path(__file__).parent / "recorded"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main():
    if missing := what_is_missing():
        raise SystemExit(f"missing: {missing}")
    with tempfile.TemporaryDirectory() as folder, panoramax(Path(folder) / "server") as server:
        server.upload(draw_photos(Path(folder) / "photos"))
        first = min(server.get("/search?limit=100")["features"], key=lambda item: item["properties"]["datetime"])
        server.tag(first, **{"osm|traffic_sign": "stop", "surface": "asphalt"})
        RECORDED.mkdir(exist_ok=True)
        texts = {"landing": json.dumps(server.get("")), "search": json.dumps(ordered(server.get("/search?limit=100")))}
        for name, text in scrubbed(texts, server.api).items():
            (RECORDED / f"{name}.json").write_text(json.dumps(json.loads(text), indent=1) + "\n", encoding="utf-8")


def ordered(reply):
    """The reply with its items in the order of their times."""
    return reply | {"features": sorted(reply["features"], key=lambda item: item["properties"]["datetime"])}


def scrubbed(texts, api):
    """The texts with made-up identifiers and times of the upload."""
    names = {}
    for text in texts.values():
        for found in UUID.findall(text):
            names.setdefault(found, f"{len(names) + 1:08x}-0000-4000-8000-{len(names) + 1:012x}")
    for name, text in texts.items():
        text = UUID.sub(lambda found: names[found[0]], text.replace(api, "API"))
        texts[name] = re.sub(r'"(created|updated)": "[^"]*"', r'"\1": "2021-05-05T00:00:00+00:00"', text)
    return texts


if __name__ == "__main__":
    main()
