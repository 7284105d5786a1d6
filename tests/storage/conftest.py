"""A server on loopback that speaks S3, with an empty bucket and a cache of its own."""

import logging
import os
import sys
from types import SimpleNamespace

import pytest

from geolive import cli

KEY, SECRET = "key-of-tests", "secret-of-tests"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """The bucket `maps` of moto's server: its file system, its endpoint, and the cache folder."""
    s3fs = pytest.importorskip("s3fs", reason="pip install s3fs")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = pytest.importorskip("moto.server", reason="pip install 'moto[s3]' flask flask-cors")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    cache = tmp_path_factory.mktemp("cache")
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "GEOLIVE_CACHE": str(cache),
    }
    former = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(use_listings_cache=False)
    # the buckets of moto belong to the process, not to a server
    if files.exists("maps"):
        files.rm("maps", recursive=True)
    files.mkdir("maps")
    yield SimpleNamespace(files=files, endpoint=settings["AWS_ENDPOINT_URL"], cache=cache)
    started.stop()
    s3fs.S3FileSystem.clear_instance_cache()
    for name, value in former.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture
def command(s3, monkeypatch, capfd):
    """A command in this process, which has loaded the libraries: exit code and what it printed; `environment` is its own."""
    s3fs = sys.modules["s3fs"]

    def run(*words, **environment):
        with monkeypatch.context() as changed:
            for name, value in environment.items():
                changed.setenv(name, value)
            if environment:
                s3fs.S3FileSystem.clear_instance_cache()
            changed.setattr(sys, "argv", ["geolive", *words])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        if environment:
            s3fs.S3FileSystem.clear_instance_cache()
        printed = capfd.readouterr()
        return SimpleNamespace(returncode=ended.value.code, stdout=printed.out, stderr=printed.err)

    return run
