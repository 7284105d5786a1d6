"""Choose the engine that options name."""

from geolive.engine.interface import Engine
from geolive.engine.local import LocalEngine
from geolive.errors import InputError

ENGINES = ("local", "ray")


def choose_engine(name: str = "local", address: str | None = None) -> Engine:
    """Return the engine of a name, which is started where it is used as a context manager.

    Parameters
    ----------
    name : {"local", "ray"}
    address : str, optional
        Of a Ray cluster; see `geolive.engine.ray_cluster.RayEngine`.

    Raises
    ------
    InputError
        There is no such engine, or an address is given for the local one.

    Examples
    --------
    >>> choose_engine().name
    'local'
    """
    if name not in ENGINES:
        raise InputError(f"engine={name!r}: must be one of {', '.join(ENGINES)}", parameter="engine")
    if name == "local":
        if address is not None:
            raise InputError(f"address={address!r}: is of a Ray cluster; add engine='ray'", parameter="address")
        return LocalEngine()
    from geolive.engine.ray_cluster import RayEngine

    return RayEngine(address)
