"""Storage that refuses, breaks off or is busy, as a command meets it: a server between the command and the bucket misbehaves."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import geolive
from geolive.storage.listing import UNFINISHED
from tests.storage.conftest import SECRET

# libraries try again for a while
pytestmark = pytest.mark.slow
ANSWERS = {
    "denied": (403, "AccessDenied", "Access Denied"),
    "busy": (503, "SlowDown", "Please reduce your request rate."),
}


class Middle(ThreadingHTTPServer):
    """Passes requests on to the bucket's server; those of one method, after some of them, meet a fault."""

    def __init__(self, endpoint):
        self.behind, self.method, self.after, self.fault = endpoint.removeprefix("http://"), "", 0, ""
        super().__init__(("127.0.0.1", 0), Handler)

    def fail(self, method, fault, after=0):
        self.method, self.fault, self.after = method, fault, after

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body, server = self.rfile.read(int(self.headers.get("Content-Length") or 0)), self.server
        if self.command == server.method:
            server.after -= 1
            if server.after < 0 and server.fault == "cut":
                self.close_connection = True
                return
            if server.after < 0:
                status, code, words = ANSWERS[server.fault]
                error = f"<Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()
                self.send(status, [("Content-Type", "application/xml")], error)
                return
        behind = http.client.HTTPConnection(server.behind, timeout=60)
        behind.request(self.command, self.path, body, dict(self.headers))
        answered = behind.getresponse()
        content = answered.read()
        kept = [
            (name, value)
            for name, value in answered.getheaders()
            if name.lower() not in ("connection", "transfer-encoding")
        ]
        self.send(answered.status, kept, content)

    def send(self, status, headers, content):
        self.send_response(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def middle(s3):
    with Middle(s3.endpoint) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def goa(tmp_path_factory):
    return geolive.write_dataset(geolive.make_sample("goa", most_images=1), tmp_path_factory.mktemp("data") / "goa")


def check_refused(done, address, said):
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {address}")
    assert said in last
    assert sum(line.startswith("error:") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout


FAULTS = [
    ("denied", "this key may not read or write there; ask the owner of the bucket 'maps', or use another key"),
    ("cut", "the server cannot be reached; check the network and AWS_ENDPOINT_URL, then run the same command again"),
    ("busy", "run the same command again"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_a_dataset_that_cannot_be_read_is_one_line(s3, command, middle, goa, fault, said):
    s3.files.put(str(goa), f"maps/{fault}/read", recursive=True)
    middle.fail("GET", fault)
    done = command("info", f"s3://maps/{fault}/read", AWS_ENDPOINT_URL=middle.address)
    check_refused(done, f"s3://maps/{fault}/read", said)


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_an_upload_that_breaks_off_leaves_nothing_that_is_read_and_goes_on(s3, command, middle, goa, fault, said):
    address = f"s3://maps/{fault}/written"
    words = ("partition", str(goa), "--by", "quadkey:9", "--out", address)
    middle.fail("PUT", fault, after=3)
    check_refused(command(*words, AWS_ENDPOINT_URL=middle.address), address, said)
    there = {path.removeprefix(f"maps/{fault}/written/") for path in s3.files.find(f"maps/{fault}/written")}
    assert UNFINISHED in there
    assert "dataset.json" not in there
    with pytest.raises(geolive.InputError, match="is not whole, since its upload was stopped; run the command"):
        geolive.read_dataset(address)
    again = command(*words)
    assert again.returncode == 0, again.stderr
    assert "the command had finished, and its upload was stopped; the upload continues" in " ".join(
        again.stderr.split()
    )
    assert geolive.read_dataset(address).images.equals(geolive.read_dataset(goa).images)
