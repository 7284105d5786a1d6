"""Find the encoding of texts in files that do not state it."""

import codecs
from dataclasses import dataclass
from pathlib import Path

from geolive.errors import InputError

# Western European: what most files in one byte a letter are in
FALLBACK = "CP1252"
_MOST_BYTES = 32 * 2**20
_BLOCK = 1 << 20
# the beginnings of .xlsx and .ods (ZIP), and of .xls (OLE)
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SPREADSHEETS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
# a table's code of its language that says no more than "as on this computer"
_VAGUE_CODES = {0x00, 0x57}


@dataclass(frozen=True)
class Encoding:
    """The encoding of a file's texts, and whether it is a guess.

    Parameters
    ----------
    name : str
    guessed : bool
        Whether the file does not state it, and other encodings would be possible.
    """

    name: str
    guessed: bool = False

    def note(self, path: str | Path) -> str:
        """Return the sentence that names the guess and the way to choose another encoding.

        Examples
        --------
        >>> Encoding("CP1252", guessed=True).note("benin.shp")
        "benin.shp does not state the encoding of its texts: read as CP1252; choose another with encoding='NAME'"
        """
        return (
            f"{Path(path).name} does not state the encoding of its texts: read as {self.name}; choose another with "
            "encoding='NAME'"
        )


def check_encoding(name: str) -> str:
    """Return the name of an encoding; raise InputError where there is none of that name.

    Examples
    --------
    >>> check_encoding("latin-1")
    'latin-1'
    >>> check_encoding("latin-99")
    Traceback (most recent call last):
    geolive.errors.InputError: encoding='latin-99': is not known; give for example encoding='UTF-8', 'CP1252', 'CP1251' or 'GBK'
    """
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):  # a name with a null character is a ValueError
        raise InputError(
            f"encoding={name!r}: is not known; give for example encoding='UTF-8', 'CP1252', 'CP1251' or 'GBK'",
            parameter="encoding",
        ) from None
    return name


def not_text(path: str | Path, encoding: str) -> InputError:
    """Return the error of a file whose bytes are no text in an encoding; a workbook of Excel or LibreOffice is named so.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "images.xlsx"
    >>> _ = path.write_bytes(b"PK\\x03\\x04")
    >>> str(not_text(path, "CP1252")).removeprefix(str(path))
    ": is a workbook of Excel or LibreOffice; save its sheet as 'CSV UTF-8 (comma-delimited)' and give that file"
    """
    # by its name first, for a pipe cannot be read again
    if Path(path).suffix.lower() in _SPREADSHEETS and _begins_as_workbook(Path(path)):
        return InputError(
            f"{path}: is a workbook of Excel or LibreOffice; save its sheet as 'CSV UTF-8 (comma-delimited)' and give that file"
        )
    return InputError(
        f"{path}: is not a text file in {encoding}; save the table as 'CSV UTF-8 (comma-delimited)', or give its "
        "encoding='NAME'"
    )


def not_decoded(path: str | Path, error: UnicodeDecodeError) -> InputError:
    """Make the error for a file of a known format whose texts are in another encoding than it says.

    Examples
    --------
    >>> try:
    ...     b"\\xe9".decode("utf-8")
    ... except UnicodeDecodeError as error:
    ...     print(not_decoded("a.shp", error))  # doctest: +ELLIPSIS
    a.shp: its texts are not encoded in utf-8, as the file says or by default; give encoding='CP1252', or the encoding ...
    """
    return InputError(
        f"{path}: its texts are not encoded in {error.encoding}, as the file says or by default; give encoding='CP1252', or the "
        "encoding that it was written in",
        parameter="encoding",
    )


def _begins_as_workbook(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(_WORKBOOKS)


def encoding_of_text(path: str | Path, encoding: str | None = None) -> Encoding:
    """Return the encoding of a text file: UTF-8, UTF-16 where it begins so, or else CP1252 as a guess.

    Parameters
    ----------
    path : str or Path
    encoding : str, optional
        The encoding that the user named; then nothing is guessed.

    Raises
    ------
    InputError
        The named encoding is not known, or the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = path.write_bytes("Ouémé".encode("latin-1"))
    >>> encoding_of_text(path)
    Encoding(name='CP1252', guessed=True)
    """
    if encoding is not None:
        return Encoding(check_encoding(encoding))
    decoder = codecs.getincrementaldecoder("utf-8")()
    with Path(path).open("rb") as file:
        block = file.read(_BLOCK)
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return Encoding("UTF-16")
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return Encoding(FALLBACK, guessed=True)
    return Encoding("UTF-8")


def encoding_of_table(dbf: str | Path) -> Encoding | None:
    """Return the encoding of a shapefile's table that has no .cpg file.

    Parameters
    ----------
    dbf : str or Path
        The .dbf file.

    Returns
    -------
    Encoding or None
        UTF-8 where all texts can be read so; CP1252 as a guess where they cannot; None where all are ASCII, where the table
        states its language, or where it cannot be read.
    """
    texts, code = _texts_of_table(Path(dbf))
    if all(text.isascii() for text in texts):
        return None
    try:
        for text in texts:
            # a long text may be cut within a letter
            codecs.getincrementaldecoder("utf-8")().decode(text)
        return Encoding("UTF-8")
    except UnicodeDecodeError:
        return Encoding(FALLBACK, guessed=True) if code in _VAGUE_CODES else None


def _texts_of_table(dbf: Path) -> tuple[list[bytes], int]:
    """Return the cells of the columns of text, and the table's code of its language."""
    try:
        with dbf.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError:
        return [], 0
    head, length = int.from_bytes(content[8:10], "little"), int.from_bytes(content[10:12], "little")
    if len(content) < 32 or length == 0:
        return [], 0
    columns, start = [], 1
    for at in range(32, min(head, len(content)) - 31, 32):
        width = content[at + 16]
        if content[at + 11 : at + 12] == b"C":
            columns.append((start, start + width))
        start += width
    rows = range(head, len(content), length)
    return [content[row + first : row + last].rstrip(b" \0") for row in rows for first, last in columns], content[29]
