"""The addresses of Mapillary's API, and the token."""

import dataclasses
import re
from pathlib import Path

from geolive.errors import InputError
from geolive.sources.imagery.addresses import is_https, is_own_machine

GRAPH = "https://graph.mapillary.com"
TILES = "https://tiles.mapillary.com/maps/vtp/mly1_public/2/{z}/{x}/{y}"
TOKEN_REMEDY = "make one at mapillary.com/dashboard/developers and put it into MAPILLARY_TOKEN or a token file"


@dataclasses.dataclass(frozen=True)
class Access:
    """The addresses of the API, and the token.

    Parameters
    ----------
    token : str
        The access token; it is never shown.
    graph : str
        Base address of the graph API.
    tiles : str
        Address of the tiles, with {z}, {x} and {y}.

    Raises
    ------
    InputError
        The token is empty or malformed, or an address is not encrypted.

    Examples
    --------
    >>> Access("MLY|1|abc")
    Access(graph='https://graph.mapillary.com', tiles='https://tiles.mapillary.com/maps/vtp/mly1_public/2/{z}/{x}/{y}')
    """

    token: str = dataclasses.field(repr=False)
    graph: str = GRAPH
    tiles: str = TILES

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[!-~]{1,1000}", self.token):
            raise InputError(f"the Mapillary token is empty or has spaces or line breaks in it; {TOKEN_REMEDY}")
        for address in (self.graph, self.tiles):
            if not (is_https(address) or is_own_machine(address)):
                raise InputError(
                    "an address of Mapillary's API is not encrypted; it must start with https://, since requests carry the token"
                )
        if not all(part in self.tiles for part in ("{z}", "{x}", "{y}")):
            raise InputError("the address of Mapillary's tiles must contain {z}, {x} and {y}")


def find_token(file: str | Path | None, environment: str | None) -> str:
    """Read the token from a file, or else from the environment.

    Parameters
    ----------
    file : str or Path or None
        A file whose first line is the token.
    environment : str or None
        The value of MAPILLARY_TOKEN.

    Raises
    ------
    InputError
        There is no token.

    Examples
    --------
    >>> find_token(None, " MLY|1|abc ")
    'MLY|1|abc'
    """
    if file is not None:
        try:
            with Path(file).open(encoding="utf-8") as lines:
                return lines.readline(10_000).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"token_file={str(file)!r}: cannot be read ({type(error).__name__}); {TOKEN_REMEDY}"
            ) from None
    token = (environment or "").strip()
    if not token:
        raise InputError(f"no Mapillary token; {TOKEN_REMEDY}")
    return token
