"""The one door to object storage: file systems of fsspec, and their errors in one line with a remedy."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from geolive.errors import InputError
from geolive.extras import require_package

if TYPE_CHECKING:
    import fsspec

_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
_KEYS = {
    "s3": (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for a public bucket set FSSPEC_S3_ANON=true"
    ),
    "gs": "run: gcloud auth application-default login; for a public bucket set FSSPEC_GS_TOKEN=anon",
}
_ENDPOINTS = {"s3": "AWS_ENDPOINT_URL", "gs": "STORAGE_EMULATOR_HOST"}
# words of the servers and libraries, in lower case; the first that is found decides
_NO_KEY = (
    "unable to locate credentials",
    "nocredentials",
    "could not automatically determine credentials",
    "profile (",
)
_REFUSED_KEY = (
    "invalidaccesskeyid", "access key id you provided does not exist", "signaturedoesnotmatch", "signature we calculated",
    "expiredtoken", "token has expired", "invalid credentials", "anonymous caller", "invalidtoken",
)  # fmt: skip
_NO_CONNECTION = (
    "could not connect", "cannot connect", "connection refused", "connect timeout", "endpointconnection",
    "name or service not known", "name resolution", "connection was closed", "connection broken", "connection reset",
    "read timeout", "temporary failure", "server disconnected",
)  # fmt: skip


def filesystem(address: str) -> "fsspec.AbstractFileSystem":
    """Open the file system of an address.

    Keys come from the environment and from profiles alone, as Amazon's and Google's own programs find them;
    `AWS_ENDPOINT_URL` names another server that speaks S3.

    Parameters
    ----------
    address : str
        `s3://…` or `gs://…`.

    Returns
    -------
    fsspec.AbstractFileSystem
        Not to be kept across a fork: ask again in each process.

    Raises
    ------
    InputError
        The package for this kind of storage is not installed.
    """
    scheme = address.partition(":")[0]
    require_package(_PACKAGES[scheme])
    import fsspec

    if scheme == "gs":
        return fsspec.filesystem("gs", use_listings_cache=False)
    settings = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3, "mode": "standard"}}
    return fsspec.filesystem("s3", use_listings_cache=False, config_kwargs=settings)


@contextlib.contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """Turn errors of object storage into one line that names the address, the cause and a remedy.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with storage_errors("s3://surveys/benin"):
    ...     raise FileNotFoundError("The specified bucket does not exist")
    Traceback (most recent call last):
    geolive.errors.InputError: s3://surveys/benin: there is no bucket 'surveys'; check its name, and that AWS_ENDPOINT_URL names \
the server that holds it
    """
    try:
        yield
    except (InputError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = _reason(address, error)
        if reason is None:
            raise
        # the library's own text is left out of the chain: it may repeat headers of the request
        raise InputError(f"{address}: {reason}") from None


def _reason(address: str, error: BaseException) -> str | None:
    """Cause and remedy; None where the error does not come from the storage."""
    scheme, bucket = address.partition(":")[0], address.split("/")[2]
    said = " ".join(f"{type(one).__name__} {one}" for one in _chain(error)).lower()
    endpoint = _ENDPOINTS[scheme]
    if any(words in said for words in _NO_KEY):
        return f"no key for this storage was found; {_KEYS[scheme]}"
    if any(words in said for words in _REFUSED_KEY):
        return f"the server does not know this key, or it has expired; {_KEYS[scheme]}"
    if any(words in said for words in _NO_CONNECTION):
        return f"the server cannot be reached; check the network and {endpoint}, then run the same command again"
    if "bucket does not exist" in said or "nosuchbucket" in said or "bucket not found" in said:
        return f"there is no bucket {bucket!r}; check its name, and that {endpoint} names the server that holds it"
    if isinstance(error, PermissionError) or "forbidden" in said or "access denied" in said or "accessdenied" in said:
        return f"this key may not read or write there; ask the owner of the bucket {bucket!r}, or use another key"
    if isinstance(error, FileNotFoundError):
        return "no such object or folder; check the address"
    of_library = type(error).__module__.split(".")[0] in ("botocore", "aiobotocore", "gcsfs", "aiohttp")
    # an OSError of the local disk names a file; s3fs makes one without from an answer of the server
    if of_library or (isinstance(error, OSError) and error.filename is None):
        return f"the storage answered with an error ({type(error).__name__}); run the same command again"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__
