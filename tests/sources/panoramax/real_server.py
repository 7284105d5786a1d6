"""The real Panoramax server (`geovisio`) on this machine, with a PostgreSQL of its own, and the real `panoramax_cli` to fill it.

Both need an environment of their own, because their pins do not meet geolive's. `.ci/run` makes it and names its Python in
`GEOLIVE_TEST_PANORAMAX`.
"""

import contextlib
import dataclasses
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

LICENCE = "etalab-2.0"
# for a machine that does other work, too
WAIT_S = 180


def python():
    """The Python of the environment with geovisio and panoramax_cli."""
    return Path(os.environ.get("GEOLIVE_TEST_PANORAMAX") or sys.executable)


def what_is_missing():
    """What the server needs and this machine lacks; empty if it can run."""
    missing = []
    code = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('geovisio', 'panoramax_cli', 'gunicorn'))))"
    if not python().is_file() or subprocess.run([python(), "-c", code], check=False).returncode:
        missing.append("geovisio and panoramax_cli (in the environment whose Python GEOLIVE_TEST_PANORAMAX names)")
    if not programs():
        missing.append("PostgreSQL")
    elif not list(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        missing.append("PostGIS")
    if os.geteuid() == 0 and not _has_user("postgres"):
        missing.append("the user postgres (PostgreSQL does not run as root)")
    return ", ".join(missing)


def programs():
    """The folder of PostgreSQL's programs, of its newest version; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextlib.contextmanager
def panoramax(folder):
    """Yield the address of the API of a new, empty server whose files are below `folder`."""
    (folder / "pictures").mkdir(parents=True)
    with _database() as database:
        host = f"127.0.0.1:{_free_port()}"
        environment = _environment_of(database, host, folder)
        upgrade = [_program("flask"), "--app", "geovisio", "db", "upgrade"]
        subprocess.run(upgrade, env=environment, check=True, capture_output=True, timeout=WAIT_S)
        serve = [_program("gunicorn"), "--bind", host, "--threads", "8", "geovisio:create_app()"]
        with (folder / "server.log").open("wb") as log:
            server = subprocess.Popen(serve, env=environment, stdout=log, stderr=log)
        try:
            _wait_until(lambda: _answers(f"http://{host}/api"), server)
            yield Server(f"http://{host}/api", environment)
        finally:
            server.terminate()
            server.wait(WAIT_S)


@dataclasses.dataclass
class Server:
    """A running server: the address of its API."""

    api: str
    environment: dict

    def upload(self, folder):
        """Upload the photos of a folder with panoramax_cli, and wait until the server has prepared them."""
        # it asks the internet for its newest version: that ends here at once
        environment = _clean_environment() | {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        words = ["upload", "--api-url", self.api.removesuffix("/api"), "--wait", "--is-blurred", "--no-deduplication"]
        with tempfile.TemporaryDirectory() as copies:
            # it writes a file of its own beside the photos
            photos = shutil.copytree(folder, Path(copies) / "walk")
            command = [_program("panoramax_cli"), *words, photos]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr

    def get(self, path):
        """What the API answers, as JSON."""
        with urllib.request.urlopen(f"{self.api}{path}", timeout=WAIT_S) as reply:
            return json.load(reply)

    def tag(self, item, **tags):
        """Give an item semantic tags, as the owner of the server."""
        command = [_program("flask"), "--app", "geovisio", "default-account-tokens", "get"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=WAIT_S)
        body = json.dumps({"semantics": [{"key": key, "value": value} for key, value in tags.items()]}).encode()
        headers = {"Authorization": f"Bearer {done.stdout.split()[-1]}", "Content-Type": "application/json"}
        address = f"{self.api}/collections/{item['collection']}/items/{item['id']}"
        request = urllib.request.Request(address, body, headers, method="PATCH")
        with urllib.request.urlopen(request, timeout=WAIT_S) as reply:
            assert reply.status == 200


def _environment_of(database, host, folder):
    return _clean_environment() | {
        "DB_URL": database,
        "FS_URL": str(folder / "pictures"),
        "SERVER_NAME": host,
        "FLASK_SECRET_KEY": "no secret: a server for tests on this machine",
        "PICTURE_PROCESS_DERIVATES_STRATEGY": "PREPROCESS",
        "PICTURE_PROCESS_THREADS_LIMIT": "2",
        "API_PICTURES_LICENSE_SPDX_ID": LICENCE,
        "API_PICTURES_LICENSE_URL": f"https://example.org/{LICENCE}",
    }


@contextlib.contextmanager
def _database():
    """Yield the address of a new PostgreSQL database on a socket in a temporary folder."""
    # a short path, because the names of sockets may have at most 107 characters
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = {"user": user} if os.geteuid() == 0 else {}
    shutil.chown(home, user)

    def run(program, *words):
        subprocess.run(
            [programs() / program, *words], check=True, capture_output=True, cwd=home, timeout=WAIT_S, **as_user
        )

    try:
        run(
            "initdb",
            "--pgdata",
            home / "data",
            "--auth",
            "trust",
            "--username",
            "postgres",
            "--no-sync",
            "--encoding",
            "UTF8",
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off -c shared_buffers=32MB"
        run("pg_ctl", "--pgdata", home / "data", "--options", options, "--log", home / "log", "--wait", "start")
        try:
            run("createdb", "--host", home, "--username", "postgres", "panoramax")
            run("psql", "--host", home, "--username", "postgres", "--command", "CREATE EXTENSION postgis", "panoramax")
            run("psql", "--host", home, "--username", "postgres", "--command", "SET timezone TO 'UTC'", "panoramax")
            yield f"postgres://postgres@/panoramax?host={home}"
        finally:
            run("pg_ctl", "--pgdata", home / "data", "--mode", "immediate", "--wait", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _program(name):
    return python().parent / name


def _clean_environment():
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return kept | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _has_user(name):
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _wait_until(ready, server):
    end = time.monotonic() + WAIT_S
    while not ready():
        assert server.poll() is None, "the server ended at its start"
        assert time.monotonic() < end, "the server does not answer"
        time.sleep(0.2)
