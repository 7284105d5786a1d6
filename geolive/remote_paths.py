"""Addresses of files and folders in object storage, and the local copies that stand for them while a command runs."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from geolive.errors import InputError

# a Path writes s3://bucket as s3:/bucket
_REMOTE = re.compile(r"(s3|gs):/{1,2}(?=[^/])", re.IGNORECASE)
_FILE = re.compile(r"file:(//localhost(?=/)|//)?(?=/)", re.IGNORECASE)
_OTHER = re.compile(r"(s3a|s3n|gcs|az|abfss?|wasbs?|hdfs|ftp|sftp|ssh|oss|swift|webhdfs):/+(?=[^/])", re.IGNORECASE)
# local path of a copy or of an output that is not yet uploaded: its address
_ADDRESSES: dict[str, str] = {}


def is_remote(path: object) -> bool:
    """Return whether a path is an address in object storage.

    Parameters
    ----------
    path : str or Path
        A `Path` of an address, whose slashes pathlib has merged, counts as well.

    Examples
    --------
    >>> is_remote("s3://surveys/benin"), is_remote(Path("gs://surveys/benin")), is_remote("data/benin")
    (True, True, False)
    """
    return _REMOTE.match(str(path)) is not None


def address_of(path: object) -> str:
    """Return an address as geolive writes it: with both slashes, and none at its end.

    Parameters
    ----------
    path : str or Path
        An address (`is_remote`).

    Raises
    ------
    InputError
        The address holds a key, a password or a signature, or names no bucket.

    Examples
    --------
    >>> address_of(Path("s3://surveys/benin/"))
    's3://surveys/benin'
    >>> address_of("s3://key:secret@surveys/benin")
    Traceback (most recent call last):
    geolive.errors.InputError: an address of object storage must not hold a key or a password; write s3://BUCKET/NAME, and give \
the key by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or by AWS_PROFILE
    """
    text = str(path)
    begin = _REMOTE.match(text)
    if begin is None:
        raise InputError(f"{text}: not an address of object storage; write s3://BUCKET/NAME or gs://BUCKET/NAME")
    scheme, rest = begin[1].lower(), text[begin.end() :]
    bucket = re.split(r"[/?#]", rest)[0]
    # the text is not repeated: messages end in logs
    if "@" in bucket or ":" in bucket or re.search(r"[?&](x-amz-|x-goog-|awsaccesskeyid|signature)", rest, re.I):
        key = (
            "by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or by AWS_PROFILE"
            if scheme == "s3"
            else "by GOOGLE_APPLICATION_CREDENTIALS"
        )
        raise InputError(
            "an address of object storage must not hold a key or a password; "
            f"write {scheme}://BUCKET/NAME, and give the key {key}"
        )
    if ".." in rest.split("/"):
        raise InputError(f"{scheme}://{rest}: an address has no '..'; write it out")
    return f"{scheme}://{re.sub('/+', '/', rest).rstrip('/')}"


def local_path(path: str | Path) -> str | Path:
    """Return the path that an address of a local file, `file:///data/benin`, stands for; any other path as it is.

    Raises
    ------
    InputError
        The address is of a kind of storage that geolive does not read.

    Examples
    --------
    >>> local_path("file:///data/benin"), local_path("data/benin")
    ('/data/benin', 'data/benin')
    >>> local_path("hdfs://node/benin")
    Traceback (most recent call last):
    geolive.errors.InputError: hdfs://node/benin: this kind of storage is not read; copy it to s3://, gs:// or a folder
    """
    text = str(path)
    if found := _FILE.match(text):
        local = unquote(text[found.end() :])
        return Path(local) if isinstance(path, Path) else local
    if found := _OTHER.match(text):
        shown = text if isinstance(path, str) else text.replace(":/", "://", 1)
        raise InputError(
            f"{_without_secret(shown)}: this kind of storage is not read; copy it to s3://, gs:// or a folder"
        )
    return path


def inside(address: str, *names: str) -> str:
    """Return the address of a name within a folder.

    Examples
    --------
    >>> inside("s3://surveys/benin", "features", "resnet34.npy")
    's3://surveys/benin/features/resnet34.npy'
    """
    return "/".join([address.rstrip("/"), *(name.strip("/") for name in names if name)])


def parent_and_name(address: str) -> tuple[str, str]:
    """Split an address into its folder and its last name.

    Examples
    --------
    >>> parent_and_name("s3://surveys/benin/clusters.parquet")
    ('s3://surveys/benin', 'clusters.parquet')
    """
    parent, _, name = address.rpartition("/")
    return parent, name


def stands_for(local: Path, address: str) -> None:
    """Remember that a local path stands for an address, so that messages and results name the address.

    Examples
    --------
    >>> stands_for(Path("/cache/views/1f/benin"), "s3://surveys/benin")
    >>> with_addresses("reading /cache/views/1f/benin/clusters.parquet")
    'reading s3://surveys/benin/clusters.parquet'
    """
    _ADDRESSES[str(local)] = address


def remote_origin(local: str | Path | None) -> str | None:
    """Return the address that a local path stands for, or lies within; None where it is a path of the user's own.

    Examples
    --------
    >>> stands_for(Path("/cache/views/2f/goa"), "s3://photos/goa")
    >>> remote_origin("/cache/views/2f/goa/a/1.jpg"), remote_origin("data/goa")
    ('s3://photos/goa/a/1.jpg', None)
    """
    if local is None or not _ADDRESSES:
        return None
    path = Path(local)
    for one in (path, *path.parents):
        if address := _ADDRESSES.get(str(one)):
            return inside(address, path.relative_to(one).as_posix()) if path != one else address
    return None


def with_addresses(text: str) -> str:
    """Write addresses in place of the local paths that stand for them.

    Examples
    --------
    >>> with_addresses("data/benin")
    'data/benin'
    """
    for local in sorted(_ADDRESSES, key=len, reverse=True):
        text = text.replace(local, _ADDRESSES[local])
    return text


@contextlib.contextmanager
def addresses_in_errors() -> Iterator[None]:
    """Name addresses in place of their local copies in the errors of the block, or of the function that this decorates.

    Examples
    --------
    >>> stands_for(Path("/cache/views/3f/pune"), "s3://surveys/pune")
    >>> with addresses_in_errors():
    ...     raise InputError("/cache/views/3f/pune: has no clusters; ingest a survey")
    Traceback (most recent call last):
    geolive.errors.InputError: s3://surveys/pune: has no clusters; ingest a survey
    """
    try:
        yield
    except InputError as error:
        named = with_addresses(str(error))
        if named == str(error) or type(error) is not InputError:
            raise
        raise InputError(named, error.parameter) from error


def local_only(path: str | Path) -> None:
    """Raise where a function that writes to the local disk is given an address.

    Examples
    --------
    >>> local_only("s3://maps/goa.html")
    Traceback (most recent call last):
    geolive.errors.InputError: s3://maps/goa.html: is written by the command line only; write to a local path and upload it, or \
run the command with that address
    """
    if is_remote(path):
        raise InputError(
            f"{address_of(path)}: is written by the command line only; write to a local path and upload it, or run the command "
            "with that address",
            parameter="out",
        )


def _without_secret(text: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", text)
