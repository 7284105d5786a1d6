"""Checks that downloaded bytes are a photo."""

import io

MOST_PIXELS = 120_000_000


class PhotoError(ValueError):
    """The bytes are not a whole JPEG photo."""


def check_photo(data: bytes) -> None:
    """Raise PhotoError unless the bytes are a whole JPEG image of a sensible size; it is decoded to find images cut short.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    PhotoError

    Examples
    --------
    >>> check_photo(b"<html>not found</html>")
    Traceback (most recent call last):
    geolive.sources.imagery.photo_check.PhotoError: something other than a photo
    """
    from PIL import Image

    if not data:
        raise PhotoError("an empty photo")
    if not data.startswith(b"\xff\xd8\xff"):
        raise PhotoError("something other than a photo")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as photo:
            if photo.width * photo.height > MOST_PIXELS:
                raise PhotoError(f"a photo of more than {MOST_PIXELS // 10**6} million pixels")
            photo.load()
    except PhotoError:
        raise
    except Exception:  # Pillow has many errors for damaged bytes
        raise PhotoError("a photo that is damaged or cut short") from None
