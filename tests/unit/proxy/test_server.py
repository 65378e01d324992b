# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The default HTTP server, over real sockets on the loopback interface."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from certificates import make_certificate
from ovirt_ovn_proxy import connection as connection_module
from ovirt_ovn_proxy import server as server_module
from ovirt_ovn_proxy.client_certificate import KEY
from ovirt_ovn_proxy.http1 import SEND_SIZE, Answer
from ovirt_ovn_proxy.server import Limits, Listener, ListenError, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

Environ = dict[str, Any]
Address = tuple[str, int]

PATIENCE_S = 5.0  # no test gets near it unless it fails
DEADLINE_S = 0.3  # the server's, where a test waits for it
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
JSON = [("Content-Type", "application/json")]


class Recorder:
    """An application that notes its calls, with the body, and answers "hello"."""

    def __init__(self) -> None:
        self.calls: list[Environ] = []
        self.bodies: list[bytes] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.calls.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        start_response("200 OK", list(JSON))
        return [b"hello"]


class Gate(Recorder):
    """An application that answers only once the gate is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self.entered.release()
        assert self.open.wait(PATIENCE_S)
        return super().__call__(environ, start_response)


class Blocks:
    """A body that is produced block by block and notes that it was closed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)

    def close(self) -> None:
        self.closed.set()


def answering(body: Iterable[bytes], headers: Iterable[tuple[str, str]] = JSON) -> WSGIApplication:
    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", list(headers))
        return body

    return application


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, PATIENCE_S)


def read_all(sock: socket.socket) -> bytes:
    data = bytearray()
    while True:
        block = sock.recv(1 << 18)
        if not block:
            return bytes(data)
        data += block


def exchange(address: Address, request: bytes = GET) -> bytes:
    with connect(address) as sock:
        sock.sendall(request)
        return read_all(sock)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.split(b"\r\n\r\n", 1)[1]


def ends(sock: socket.socket) -> bool:
    """Tell whether the server ends this connection before patience does, saying nothing."""
    try:
        return sock.recv(100) == b""
    except ConnectionResetError:
        return True


def eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, failure: Exception) -> None:
    """Let the next call of a method raise `failure`."""
    method = getattr(owner, name)

    def failing_method(*args: Any) -> Any:
        monkeypatch.setattr(owner, name, method)
        raise failure

    monkeypatch.setattr(owner, name, failing_method)


def server_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("http-")]


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not server_threads())


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server for one or more applications on free ports; stop it at the end."""
    with contextlib.ExitStack() as stack:

        def start(
            *applications: WSGIApplication,
            host: str = "127.0.0.1",
            tls: Callable[[], ssl.SSLContext] | None = None,
            **limits: Any,
        ) -> Server:
            listeners = [Listener(host, 0, application, tls) for application in applications]
            server = Server(listeners, Limits(**limits))
            server.start()
            stack.callback(server.stop, 0.2)
            return server

        yield start


def make_context(folder: Path) -> ssl.SSLContext:
    make_certificate(folder, "test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "test.pem", folder / "test.key")
    return context


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> list[ssl.SSLContext]:
    """Two server contexts with different certificates."""
    return [make_context(tmp_path_factory.mktemp("tls")) for _ in range(2)]


@pytest.fixture
def tls(contexts: list[ssl.SSLContext]) -> Callable[[], ssl.SSLContext]:
    return lambda: contexts[0]


def connect_tls(address: Address) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # A truncated stream raises instead of looking like its end.
    return context.wrap_socket(connect(address), suppress_ragged_eofs=False)


# --- requests --------------------------------------------------------------


def test_an_answer_is_complete_and_ends_the_connection(serve: Serve) -> None:
    """The connection is closed after one answer even if the client asks to keep it."""
    server = serve(Recorder())
    answer = exchange(
        server.addresses[0], b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive\r\n\r\n"
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert b"Connection: close" in headers
    assert b"Content-Length: 5" in headers
    assert any(header.startswith(b"Date: ") for header in headers)
    assert body == b"hello"


def test_the_environ_says_what_the_request_said(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path, query, fields and addresses are as PEP 3333 wants them, and nothing else is."""
    monkeypatch.setenv("LEAKED", "secret")
    application = Recorder()
    address = serve(application).addresses[0]
    exchange(
        address,
        b"GET //v2.0/caf%C3%A9?name=%2f&a HTTP/1.1\r\nHost: api:1\r\nX-Auth-Token:  t \r\n"
        b"Accept: a\r\naccept: b\r\nCookie: c\r\nCookie: d\r\nX_Auth_Token: forged\r\n"
        b"Content-Type: application/json\r\n\r\n",
    )
    (environ,) = application.calls
    remote_port = environ.pop("REMOTE_PORT")
    assert remote_port.isdigit()
    assert {key: value for key, value in environ.items() if not key.startswith("wsgi.")} == {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "//v2.0/caf\xc3\xa9",
        "QUERY_STRING": "name=%2f&a",
        "CONTENT_TYPE": "application/json",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(address[1]),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "api:1",
        "HTTP_X_AUTH_TOKEN": "t",
        "HTTP_ACCEPT": "a, b",
        "HTTP_COOKIE": "c; d",
    }
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"]


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"http://other:9/v2.0//ports?x=http://y", "/v2.0//ports", "x=http://y"),
        (b"HTTPS://other:9", "/", ""),
        (b"http://other:9?x", "/", "x"),
    ],
)
def test_an_absolute_target_gives_path_and_host(
    serve: Serve, target: bytes, path: str, query: str
) -> None:
    """A URL as target counts as its path, and its host outranks the Host field."""
    application = Recorder()
    server = serve(application)
    exchange(server.addresses[0], b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    (environ,) = application.calls
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    assert environ["HTTP_HOST"] == "other:9"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET ports HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\nC: d\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\nab", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n", 411),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 65536 + b"\r\n\r\n", 400),
        (b"a" * 70000, 400),
    ],
)
def test_a_bad_request_is_refused_in_json(serve: Serve, request_bytes: bytes, status: int) -> None:
    """What cannot be trusted to mean one thing never reaches the application."""
    application = Recorder()
    server = serve(application, max_body_bytes=100)
    with connect(server.addresses[0]) as sock:
        sock.sendall(request_bytes)
        sock.shutdown(socket.SHUT_WR)
        answer = read_all(sock)
    assert status_of(answer) == status
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(body_of(answer))["error"]["code"] == status
    assert not application.calls


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        b"DELETE / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 60000 + b"\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\n",
    ],
)
def test_an_unusual_request_is_served(serve: Serve, request_bytes: bytes) -> None:
    """Old versions, agreeing lengths, unknown methods and bytes too many are all fine."""
    application = Recorder()
    answer = exchange(serve(application).addresses[0], request_bytes)
    assert status_of(answer) == 200
    assert len(application.calls) == 1


def test_head_gets_no_body(serve: Serve) -> None:
    """HEAD reaches the application, whose body is left out and whose length stays."""
    closed = Blocks([b"hello"])
    application = answering(closed, [*JSON, ("Content-Length", "5")])
    answer = exchange(serve(application).addresses[0], GET.replace(b"GET", b"HEAD"))
    assert b"\r\nContent-Length: 5\r\n" in answer
    assert body_of(answer) == b""
    assert closed.closed.is_set()


def test_a_body_comes_whole_before_the_application_runs(serve: Serve) -> None:
    """A slow body holds no resources of the application, which then reads just the body."""
    application = Recorder()
    server = serve(application)
    with connect(server.addresses[0]) as sock:
        sock.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        time.sleep(0.05)
        assert not application.calls
        sock.sendall(b"defTOO MUCH")
        assert status_of(read_all(sock)) == 200
    assert application.bodies == [b"abcdef"]
    assert application.calls[0]["CONTENT_LENGTH"] == "6"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"",
        b"DELETE / HTTP/1.1\r\nHost: x\r\n",
        b"DELETE / HTTP/1.1\r\nHost: x\r\nX-Auth-Tok",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc",
    ],
)
def test_a_request_cut_short_is_never_executed(serve: Serve, request_bytes: bytes) -> None:
    """The end of the stream ends neither a head nor a body."""
    application = Recorder()
    server = serve(application)
    with connect(server.addresses[0]) as sock:
        sock.sendall(request_bytes)
        sock.shutdown(socket.SHUT_WR)
        assert ends(sock)
    assert not application.calls


def test_a_client_that_asks_before_sending_is_told_to_continue(serve: Serve) -> None:
    """`Expect: 100-continue` is answered before the body, then the request is served."""
    application = Recorder()
    server = serve(application)
    with connect(server.addresses[0]) as sock:
        sock.sendall(
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n"
        )
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert status_of(read_all(sock)) == 200
    assert application.bodies == [b"abc"]


def test_a_client_that_asks_before_sending_too_much_is_refused(serve: Serve) -> None:
    """A body over the limit is refused without inviting it."""
    server = serve(Recorder(), max_body_bytes=2)
    request = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with connect(server.addresses[0]) as sock:
        sock.sendall(request)
        assert status_of(sock.recv(1000)) == 413


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("field", "status"),
    [(b"Content-Length: 4000000", 413), (b"Transfer-Encoding: chunked", 411)],
)
def test_a_client_that_sends_on_gets_its_refusal(
    serve: Serve, tls: Callable[[], ssl.SSLContext], field: bytes, status: int, secure: bool
) -> None:
    """Who reads only after having sent everything finds an answer, not a reset."""
    server = serve(Recorder(), tls=tls if secure else None)
    address = server.addresses[0]
    with connect_tls(address) if secure else connect(address) as sock:
        sock.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\n" + field + b"\r\n\r\n")
        for _ in range(40):
            sock.sendall(bytes(100_000))
        assert status_of(sock.recv(1000)) == status


# --- deadlines -------------------------------------------------------------

SILENT = [
    b"",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc",
]


@pytest.mark.parametrize("beginning", SILENT)
def test_a_silent_client_is_closed_at_the_deadline(serve: Serve, beginning: bytes) -> None:
    """A connection without a complete request ends in time, and nothing is executed."""
    application = Recorder()
    server = serve(application, request_timeout_s=DEADLINE_S)
    with connect(server.addresses[0]) as sock:
        start = time.monotonic()
        sock.sendall(beginning)
        assert ends(sock)
    assert DEADLINE_S * 0.8 < time.monotonic() - start < DEADLINE_S + 1
    assert not application.calls


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    "beginning",
    [b"GET / HTTP/1.1\r\nA: ", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"],
)
def test_feeding_byte_by_byte_does_not_move_the_deadline(
    serve: Serve, tls: Callable[[], ssl.SSLContext], beginning: bytes, secure: bool
) -> None:
    """There is one deadline for the whole request, however often something arrives."""
    server = serve(Recorder(), tls=tls if secure else None, request_timeout_s=DEADLINE_S)
    address = server.addresses[0]
    start = time.monotonic()
    with connect_tls(address) if secure else connect(address) as sock:
        sock.sendall(beginning)
        with contextlib.suppress(OSError):
            while time.monotonic() - start < PATIENCE_S:
                sock.sendall(b"a")
                time.sleep(0.01)
    assert time.monotonic() - start < DEADLINE_S + 1


def test_a_silent_handshake_is_closed_and_disturbs_nobody(
    serve: Serve, tls: Callable[[], ssl.SSLContext]
) -> None:
    """Others are served at once while clients keep silent before or within a handshake."""
    server = serve(Recorder(), tls=tls, request_timeout_s=DEADLINE_S)
    address = server.addresses[0]
    with connect(address) as silent, connect(address) as halfway:
        halfway.sendall(b"\x16\x03\x01\x02\x00")
        start = time.monotonic()
        with connect_tls(address) as sock:
            sock.sendall(GET)
            assert status_of(read_all(sock)) == 200
        assert time.monotonic() - start < DEADLINE_S
        assert ends(silent)
        assert ends(halfway)


@pytest.mark.parametrize("secure", [False, True])
def test_a_client_that_does_not_read_is_cut_at_the_deadline(
    serve: Serve, tls: Callable[[], ssl.SSLContext], secure: bool
) -> None:
    """An answer that nobody takes ends in time, and its iterable is closed."""
    blocks = Blocks(bytes(1_000_000) for _ in range(1000))
    server = serve(answering(blocks), tls=tls if secure else None, write_timeout_s=DEADLINE_S)
    address = server.addresses[0]
    with connect_tls(address) if secure else connect(address) as sock:
        sock.sendall(GET)
        assert blocks.closed.wait(DEADLINE_S + 1)
        with pytest.raises(OSError, match=r"reset|EOF"):
            read_all(sock)


def test_reading_sip_by_sip_does_not_move_the_deadline(serve: Serve) -> None:
    """There is one deadline for the whole answer, however often something is taken."""
    blocks = Blocks(bytes(1_000_000) for _ in range(1000))
    server = serve(answering(blocks), write_timeout_s=DEADLINE_S)
    with connect(server.addresses[0]) as sock:
        sock.sendall(GET)
        start = time.monotonic()
        while not blocks.closed.is_set() and time.monotonic() - start < PATIENCE_S:
            with contextlib.suppress(ConnectionResetError):
                sock.recv(10_000)
            time.sleep(0.01)
    assert time.monotonic() - start < DEADLINE_S + 1


def test_lingering_after_a_refusal_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused client that neither sends nor closes is not waited for any longer."""
    monkeypatch.setattr(connection_module, "LINGER_S", DEADLINE_S)
    monkeypatch.setattr(server_module, "LINGER_S", DEADLINE_S)
    server = serve(Recorder())
    with connect(server.addresses[0]) as sock:
        sock.sendall(b"nonsense\r\n\r\n")
        assert status_of(read_all(sock)) == 400
        assert len(server_threads()) == 2
        assert eventually(lambda: len(server_threads()) == 1)


def test_waiting_costs_no_cpu(serve: Serve) -> None:
    """Silent, running and queueing clients together keep nothing busy."""
    gate = Gate()
    server = serve(gate, max_connections=1)
    with connect(server.addresses[0]) as running:
        running.sendall(GET)
        assert gate.entered.acquire(timeout=PATIENCE_S)
        waiting = connect(server.addresses[0])
        waiting.sendall(GET)
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.1
        gate.open.set()
        with waiting:
            assert status_of(read_all(waiting)) == 200


# --- the cap ---------------------------------------------------------------


def test_at_the_cap_the_oldest_silent_connection_makes_room(serve: Serve) -> None:
    """Silent clients lose their place in order of age; all listeners share the cap."""
    server = serve(Recorder(), Recorder(), max_connections=3)
    first_port, second_port = server.addresses
    with contextlib.ExitStack() as stack:
        silent = []
        for address in (first_port, second_port, first_port):
            silent.append(stack.enter_context(connect(address)))
            assert eventually(lambda: len(server_threads()) == 1 + len(silent))
        assert status_of(exchange(second_port)) == 200
        assert ends(silent[0])
        for sock in silent[1:]:
            sock.sendall(GET)
            assert status_of(read_all(sock)) == 200


def test_at_the_cap_a_running_request_keeps_its_place(serve: Serve) -> None:
    """With nobody to close, a newcomer waits in the backlog until a request is done."""
    gate = Gate()
    server = serve(gate, max_connections=2)
    address = server.addresses[0]
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(2):
            clients.append(stack.enter_context(connect(address)))
            clients[-1].sendall(GET)
            assert gate.entered.acquire(timeout=PATIENCE_S)
        clients.append(stack.enter_context(connect(address)))
        clients[-1].sendall(GET)
        assert not gate.entered.acquire(timeout=0.1)
        assert len(server_threads()) == 1 + 2
        gate.open.set()
        for sock in clients:
            assert status_of(read_all(sock)) == 200


def test_a_flood_of_silent_clients_locks_nobody_out(
    serve: Serve, tls: Callable[[], ssl.SSLContext]
) -> None:
    """Far more silent clients than places still leave room for who speaks."""
    server = serve(Recorder(), tls=tls, max_connections=8)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(connect(server.addresses[0]))
        sock = stack.enter_context(connect_tls(server.addresses[0]))
        sock.sendall(GET)
        assert status_of(read_all(sock)) == 200
        assert len(server_threads()) <= 1 + 8


def test_a_shortage_of_descriptors_passes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When no more can be accepted the server pauses, then serves who waited."""
    monkeypatch.setattr(server_module, "_ACCEPT_PAUSE_S", 0.05)
    server = serve(Recorder())
    fail_once(monkeypatch, socket.socket, "accept", OSError(errno.EMFILE, "no files"))
    assert status_of(exchange(server.addresses[0])) == 200
    assert "no files" in caplog.text


def test_a_shortage_of_threads_passes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who cannot be given a thread is closed, and the next one is served."""
    monkeypatch.setattr(server_module, "_ACCEPT_PAUSE_S", 0.05)
    server = serve(Recorder())
    fail_once(monkeypatch, threading.Thread, "start", RuntimeError("no threads"))
    with connect(server.addresses[0]) as sock:
        assert ends(sock)
    assert status_of(exchange(server.addresses[0])) == 200
    assert "no threads" in caplog.text


# --- TLS -------------------------------------------------------------------


def test_tls_is_told_to_the_application_and_ended_in_order(
    serve: Serve, tls: Callable[[], ssl.SSLContext]
) -> None:
    """The scheme is https, and the answer ends with a close notice, not a truncation."""
    application = Recorder()
    server = serve(application, tls=tls)
    with connect_tls(server.addresses[0]) as sock:
        sock.sendall(GET)
        assert body_of(read_all(sock)) == b"hello"
    assert application.calls[0]["wsgi.url_scheme"] == "https"


def test_each_connection_gets_the_current_certificate(
    serve: Serve, contexts: list[ssl.SSLContext]
) -> None:
    """Another context takes effect with the next connection, without a restart."""
    current = [contexts[0]]
    server = serve(Recorder(), tls=lambda: current[0])
    served = []
    for context in contexts:
        current[0] = context
        with connect_tls(server.addresses[0]) as sock:
            served.append(sock.getpeercert(binary_form=True))
    assert served[0] != served[1]


def test_plain_http_on_a_tls_port_is_closed_quietly(
    serve: Serve, tls: Callable[[], ssl.SSLContext], caplog: pytest.LogCaptureFixture
) -> None:
    """A failed handshake is the client's affair: a line for debugging, no more."""
    caplog.set_level(logging.DEBUG)
    server = serve(Recorder(), tls=tls)
    with connect(server.addresses[0]) as sock:
        sock.sendall(GET)
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/" not in read_all(sock)
    assert eventually(lambda: "TLS: " in caplog.text)
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_a_context_that_cannot_be_had_is_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure of ours within the handshake is seen in the log, and closes."""

    def broken() -> ssl.SSLContext:
        raise FileNotFoundError("key.pem")

    server = serve(Recorder(), tls=broken)
    with connect(server.addresses[0]) as sock:
        assert ends(sock)
    assert eventually(lambda: "key.pem" in caplog.text)


# --- answers ---------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_a_big_answer_arrives_unharmed(
    serve: Serve, tls: Callable[[], ssl.SSLContext], secure: bool
) -> None:
    """Blocks of any size arrive in order, to the byte, and the iterable is closed."""
    sizes = [0, 1, 200_000, 5, 0, SEND_SIZE, SEND_SIZE - 1, *[180_000] * 20, *[700] * 500, 3]
    blocks = Blocks([bytes([number % 251]) * size for number, size in enumerate(sizes)])
    expected = b"".join(blocks)
    length = ("Content-Length", str(len(expected)))
    server = serve(answering(blocks, [*JSON, length]), tls=tls if secure else None)
    address = server.addresses[0]
    with connect_tls(address) if secure else connect(address) as sock:
        sock.sendall(GET)
        answer = read_all(sock)
    assert body_of(answer) == expected
    assert blocks.closed.is_set()


def test_a_slow_reader_of_a_tls_answer_sees_its_end(
    serve: Serve, tls: Callable[[], ssl.SSLContext]
) -> None:
    """The close notice comes even when the socket's buffer was full at the end."""
    server = serve(answering([bytes(100_000)] * 100), tls=tls)
    with connect_tls(server.addresses[0]) as sock:
        sock.sendall(GET)
        time.sleep(0.2)
        assert len(body_of(read_all(sock))) == 10_000_000


def test_small_blocks_are_sent_together_and_large_ones_uncopied() -> None:
    """Many small blocks cost few calls, and a large one is handed on as it is."""
    sent: list[Any] = []
    answer = Answer(sent.append, head_only=False)
    large = bytes(SEND_SIZE)
    answer.start_response("200 OK", [])
    for block in [b"a" * 100] * 1000 + [large]:
        answer.write(block)
    answer.finish()
    assert len(sent) < 5
    assert sent[-1] is large


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_answers_have_no_body(serve: Serve, status: str) -> None:
    """204 and 304 carry neither a body nor a length that we made up."""

    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return [b""]

    answer = exchange(serve(application).addresses[0])
    assert answer.startswith(f"HTTP/1.1 {status}\r\n".encode())
    assert b"Content-Length" not in answer
    assert body_of(answer) == b""


def test_write_and_a_late_start_response_work(serve: Serve) -> None:
    """The older half of WSGI works: `write`, and a generator that starts by itself."""

    def writing(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"one ")
        return [b"two"]

    def generating(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield b"one "
        yield b"two"

    for address in serve(writing, generating).addresses:
        answer = exchange(address)
        assert body_of(answer) == b"one two"
        assert b"\r\nContent-Length: 7\r\n" in answer


def test_an_application_may_replace_its_answer_by_an_error(serve: Serve) -> None:
    """`start_response` with `exc_info` replaces what has not been sent."""

    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"half of ")
        error = ValueError("late")
        start_response("503 Service Unavailable", [], (ValueError, error, None))  # type: ignore[arg-type]
        return [b"sorry"]

    answer = exchange(serve(application).addresses[0])
    assert status_of(answer) == 503
    assert body_of(answer) == b"sorry"


def failing(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    raise ConnectionRefusedError("database at secret:6641")


def failing_late(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield b"begun"
    raise ValueError("database at secret:6641")


def not_starting(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    return []


def giving_text(_environ: Environ, start_response: StartResponse) -> Iterable[Any]:
    start_response("200 OK", [])
    return ["text"]


def starting_twice(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def answering_head(status: Any, name: Any, value: Any) -> WSGIApplication:
    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [(name, value)])
        return []

    return application


@pytest.mark.parametrize(
    "application",
    [
        failing,
        failing_late,
        not_starting,
        giving_text,
        starting_twice,
        answering_head("200 OK", "Location", "/\r\nSet-Cookie: a"),
        answering_head("200 OK", "Location", "/\nSet-Cookie: a"),
        answering_head("200 OK", "Location\r\nSet-Cookie", "a"),
        answering_head("200 OK", "Location", "\u2028"),
        answering_head("200 OK", "Location", b"/"),
        answering_head("200 OK\r\nSet-Cookie: a", "Location", "/"),
        answering_head("200", "Location", "/"),
        answering_head("100 Continue", "Location", "/"),
        answering_head("200 OK", "Connection", "keep-alive"),
    ],
)
def test_a_failing_application_gives_a_bare_500(
    serve: Serve, caplog: pytest.LogCaptureFixture, application: WSGIApplication
) -> None:
    """The client learns that it failed, the log learns why, and no header gets smuggled."""
    request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: s3cret\r\n\r\n"
    answer = exchange(serve(application).addresses[0], request)
    assert status_of(answer) == 500
    assert b"\r\nContent-Type: application/json\r\n" in answer
    assert json.loads(body_of(answer))["error"]["code"] == 500
    assert not any(leak in answer for leak in (b"secret", b"Traceback", b"Set-Cookie"))
    assert eventually(lambda: "GET / failed" in caplog.text)
    assert "Traceback" in caplog.text
    assert not any("s3cret" in str(vars(record)) for record in caplog.records)


def test_a_failure_within_the_answer_is_seen_as_such(serve: Serve) -> None:
    """What was sent already cannot pass for the whole, even without a length."""

    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        yield bytes(SEND_SIZE)
        raise ValueError("midway")

    server = serve(application)
    with connect(server.addresses[0]) as sock:
        sock.sendall(GET)
        with pytest.raises(ConnectionResetError):
            read_all(sock)


def test_a_client_that_leaves_is_no_error(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Who closes before the answer is gone quietly, and the iterable is closed."""
    caplog.set_level(logging.DEBUG)
    gate, blocks = threading.Event(), Blocks([bytes(1_000_000)] * 20)

    def application(_environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait(PATIENCE_S)
        start_response("200 OK", [])
        return blocks

    server = serve(application)
    with connect(server.addresses[0]) as sock:
        sock.sendall(GET)
        time.sleep(0.02)
    gate.set()
    assert blocks.closed.wait(PATIENCE_S)
    assert {record.levelno for record in caplog.records} <= {logging.DEBUG}


# --- addresses -------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["", "::"])
def test_every_address_means_both_families(serve: Serve, host: str) -> None:
    """One socket serves IPv4 and IPv6, and an IPv4 client is known by its IPv4 address."""
    application = Recorder()
    port = serve(application, host=host).addresses[0][1]
    clients = ["127.0.0.1", "::1"] if has_ipv6() else ["127.0.0.1"]
    for client in clients:
        assert status_of(exchange((client, port))) == 200
    assert [call["REMOTE_ADDR"] for call in application.calls] == clients
    assert [call["SERVER_NAME"] for call in application.calls] == clients


def test_without_ipv6_every_address_means_ipv4(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine with IPv6 switched off is served over IPv4."""

    class Ipv4Only(socket.socket):
        def __init__(self, family: int = -1, *args: Any, **kwargs: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Ipv4Only)
        server = serve(Recorder(), host="")
    host, port = server.addresses[0]
    assert host == "0.0.0.0"
    assert status_of(exchange(("127.0.0.1", port))) == 200


def test_no_name_is_looked_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither starting nor serving asks the resolver for anybody's name."""

    def forbidden(*_args: Any) -> None:
        raise AssertionError("name looked up")

    for function in ("getfqdn", "gethostbyaddr", "gethostbyname", "getnameinfo"):
        monkeypatch.setattr(socket, function, forbidden)
    assert status_of(exchange(serve(Recorder()).addresses[0])) == 200


def test_a_port_that_is_taken_is_named(serve: Serve) -> None:
    """The error says which address failed, and those bound before it are given back."""
    host, port = serve(Recorder()).addresses[0]
    with socket.create_server((host, 0)) as sock:
        free_port = sock.getsockname()[1]
    server = Server([Listener(host, free_port, Recorder()), Listener(host, port, Recorder())])
    with pytest.raises(ListenError, match=f"{host}:{port}: Address already in use"):
        server.start()
    assert server.stop()
    socket.create_server((host, free_port)).close()


def test_a_port_that_need_not_be(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Where a listener can be done without, the others serve, and the log names it."""
    taken = serve(answering([b"taken"])).addresses[0]
    listeners = [
        Listener("127.0.0.1", 0, answering([b"first"])),
        Listener(*taken, answering([b"optional"]), is_optional=True),
        Listener("127.0.0.1", 0, answering([b"last"])),
    ]
    server = Server(listeners)
    server.start()
    try:
        assert [b"first", b"last"] == [body_of(exchange(one)) for one in server.addresses]
    finally:
        assert server.stop()
    (message,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert message.startswith(f"cannot listen on 127.0.0.1:{taken[1]}: Address already in use; ")


def test_nobody_is_known_without_a_certificate(serve: Serve) -> None:
    """What a client sends never looks like the certificate of one that has shown it."""
    recorder = Recorder()
    headers = [f"{name}: hv1" for name in (KEY, KEY.upper(), KEY.replace("_", "-"))]
    request = "\r\n".join(["GET / HTTP/1.1", "Host: x", *headers, "\r\n"]).encode()

    assert 200 == status_of(exchange(serve(recorder).addresses[0], request))
    assert KEY not in recorder.calls[0]


def test_a_bad_host_is_named() -> None:
    """An address that is not ours is an error that names it."""
    server = Server([Listener("2001:db8::1", 9696, Recorder())])
    with pytest.raises(ListenError, match=r"cannot listen on \[2001:db8::1\]:9696: "):
        server.start()


def test_listeners_have_their_own_applications(serve: Serve) -> None:
    """Each port is served by what was given for it."""
    server = serve(answering([b"networks"]), answering([b"tokens"]))
    bodies = [body_of(exchange(address)) for address in server.addresses]
    assert bodies == [b"networks", b"tokens"]


# --- the end ---------------------------------------------------------------


def test_stopping_lets_a_running_request_finish(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request being executed gets its answer, and newcomers are refused meanwhile."""
    monkeypatch.setattr(server_module, "_STOP_GRACE_S", 0.1)
    gate = Gate()
    server = serve(gate)
    address = server.addresses[0]
    with connect(address) as sock:
        sock.sendall(GET)
        assert gate.entered.acquire(timeout=PATIENCE_S)
        results: list[bool] = []
        stopping = threading.Thread(target=lambda: results.append(server.stop(PATIENCE_S)))
        stopping.start()

        def refused() -> bool:
            try:
                connect(address).close()
            except ConnectionError:
                return True
            return False

        assert eventually(refused)
        assert not results
        gate.open.set()
        assert status_of(read_all(sock)) == 200
        stopping.join(PATIENCE_S)
    assert results == [True]
    assert not server_threads()


def test_stopping_serves_who_waits_in_the_backlog(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that had connected before the stop is answered, not reset."""
    server = serve(Recorder())
    fail_once(monkeypatch, socket.socket, "accept", OSError(errno.EMFILE, "no files"))
    with connect(server.addresses[0]) as waiting:
        waiting.sendall(GET)
        assert eventually(lambda: "no files" in caplog.text)
        assert server.stop(PATIENCE_S)
        assert status_of(read_all(waiting)) == 200


def test_stopping_does_not_wait_for_silent_clients(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has sent no request gets only a short grace."""
    monkeypatch.setattr(server_module, "_STOP_GRACE_S", 0.1)
    server = serve(Recorder())
    with connect(server.addresses[0]) as sock:
        assert eventually(lambda: len(server_threads()) == 2)
        start = time.monotonic()
        assert server.stop(PATIENCE_S)
        assert time.monotonic() - start < 1
        assert ends(sock)


def test_stopping_cuts_what_takes_too_long(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the timeout a stuck application is reported, its client cut; the thread ends with it."""
    monkeypatch.setattr(server_module, "_STOP_GRACE_S", 0.1)
    gate = Gate()
    server = serve(gate)
    with connect(server.addresses[0]) as sock:
        sock.sendall(GET)
        assert gate.entered.acquire(timeout=PATIENCE_S)
        start = time.monotonic()
        assert not server.stop(0.1)
        assert time.monotonic() - start < 1
        assert ends(sock)
    gate.open.set()


def test_stopping_twice_or_before_the_start_is_harmless(serve: Serve) -> None:
    """`stop` can be called whenever a caller cleans up."""
    assert Server([Listener("127.0.0.1", 0, Recorder())]).stop()
    server = serve(Recorder())
    assert server.stop()
    assert server.stop()
