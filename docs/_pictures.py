"""Loaded by the kernel that runs the tutorials: pictures of files in the programs that open them, where these are installed."""

import shutil
import subprocess
from pathlib import Path

from IPython.display import Image, Markdown

_QGIS = """
import sys
from qgis.core import QgsApplication, QgsLayoutExporter, QgsProject
application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
assert project.read(sys.argv[1])
layout = project.layoutManager().layouts()[0]
atlas = layout.atlas()
atlas.updateFeatures()
atlas.beginRender()
pages = [atlas.nameForPage(number) for number in range(atlas.count())]
atlas.seekTo(pages.index(sys.argv[3]))
settings = QgsLayoutExporter.ImageExportSettings()
settings.dpi = 110
assert QgsLayoutExporter(layout).exportToImage(sys.argv[2], settings) == QgsLayoutExporter.Success
atlas.endRender()
"""


def picture(path: str, width: int = 1440) -> Image:
    """Return a picture file, made smaller where it is wider than a page of the site needs."""
    from PIL import Image as Picture

    small = Path(path).with_suffix(".small.png")
    with Picture.open(path) as whole:
        whole.thumbnail((width, 2 * width))
        whole.convert("RGB").quantize(128, dither=Picture.Dither.NONE).save(small, optimize=True)
    return Image(filename=str(small))


def picture_of_page(path: str, width: int = 1280, height: int = 860) -> Image | Markdown:
    """Return a picture of a page in Chromium."""
    if shutil.which("chromium") is None:
        return _without("Chromium")
    drawn = Path(path).with_suffix(".page.png").resolve()
    size = f"--window-size={width},{height}"
    words = ["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", size, f"--screenshot={drawn}"]
    return _made(["chromium", *words, Path(path).resolve().as_uri()], drawn)


def picture_of_workbook(path: str) -> Image | Markdown:
    """Return a picture of a workbook's first sheet in LibreOffice."""
    if shutil.which("soffice") is None:
        return _without("LibreOffice")
    drawn = Path(Path(path).with_suffix(".png").name)
    words = ["--headless", f"-env:UserInstallation={Path('office').resolve().as_uri()}", "--convert-to", "png"]
    subprocess.run(["soffice", *words, path, "--outdir", "."], capture_output=True, timeout=120)
    # LibreOffice without Calc ends without a picture, and without an error
    return Image(filename=str(drawn)) if drawn.exists() else _without("LibreOffice Calc")


def picture_of_project(path: str, district: str) -> Image | Markdown:
    """Return a picture of the page of a district, as QGIS prints it from a project's layout."""
    python = "/usr/bin/python3"
    if not Path(python).exists() or subprocess.run([python, "-c", "import qgis.core"], capture_output=True).returncode:
        return _without("QGIS")
    drawn = Path(path).with_suffix(".qgis.png")
    alone = ["env", "-u", "PYTHONPATH", "QT_QPA_PLATFORM=offscreen"]
    return _made([*alone, python, "-c", _QGIS, path, str(drawn), district], drawn)


def _made(command: list[str], drawn: Path) -> Image:
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return Image(filename=str(drawn))


def _without(program: str) -> Markdown:
    return Markdown(f"*No picture here: this site was built on a machine without {program}.*")
