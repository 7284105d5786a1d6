"""Small SVG files: a page holds dozens of plots, and people send it by mail."""

import base64
import io
import re

_COLOURS = 64
_PNG = re.compile(r'data:image/png;base64,([^"]+)"')
# outlines of many points are rounded to a tenth of a point; markers, which are drawn many times, need a hundredth
_MANY = 400
_AFTER_ONE, _AFTER_TWO = re.compile(r"(?<=\.\d)\d+"), re.compile(r"(?<=\.\d\d)\d+")


def minify_svg(svg: str) -> str:
    """Shrink a plot to a fraction of its bytes: pictures in it get a palette, and positions one or two decimals.

    Parameters
    ----------
    svg : str
        As matplotlib writes it.

    Examples
    --------
    >>> minify_svg('<svg><!-- a -->\\n <metadata>b</metadata>\\n <path d="M 0.123456 1\\nL 2 3"/>\\n</svg>')
    '<svg><path d="M 0.12 1 L 2 3"/></svg>'
    """
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _PNG.sub(lambda match: f'data:image/png;base64,{_with_palette(match[1])}"', svg)
    svg = re.sub(r'(?<= d=")[^"]+', lambda match: _rounded(" ".join(match[0].split())), svg)
    return re.sub(r">\s+<", "><", svg)


def _rounded(path: str) -> str:
    return (_AFTER_ONE if len(path) > _MANY else _AFTER_TWO).sub("", path)


def _with_palette(encoded: str) -> str:
    """Return a PNG as base64 with a palette of 64 colours, or the PNG itself where that is smaller."""
    from PIL import Image

    encoded = "".join(encoded.split())
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        # dithering would make the file larger and not visibly better
        few = picture.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return min(base64.b64encode(file.getvalue()).decode(), encoded, key=len)
