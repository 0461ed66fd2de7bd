"""One HTTP server on loopback that serves all simulated vendors, each under its own path prefix.

For each request it does what the vendors do, in their order: count it, refuse it when the budget is spent, apply a fault,
answer. It logs every request with its status, so that a test can check what was asked.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from mttr_pipeline.demo.faults import ConnectionReset, Faults, for_vendor, without_detour
from mttr_pipeline.demo.kit.limits import Budget, Limit
from mttr_pipeline.demo.kit.wire import Request, Response, Simulator, answer
from mttr_pipeline.demo.profiles import Profile
from mttr_pipeline.demo.registry import DEMO, VENDORS
from mttr_pipeline.demo.world import World

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of the request log."""

    vendor: str
    method: str
    path: str
    query: str
    status: int


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: VendorServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may hang up at any time: nothing to report."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _HTTPServer

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the server keeps its own log."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        try:
            response = self.server.owner.respond(
                self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
        except ConnectionReset:
            # A zero linger makes close() send RST instead of FIN: the client sees a reset, not an empty answer.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self._send(response)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

    def _send(self, response: Response) -> None:
        body = response.body
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if self.server.owner.compress and "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 500:
            body = gzip.compress(body, 1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if response.cut is None else body[: len(body) // 2])
        self.wfile.flush()
        if response.cut is not None:
            self.close_connection = True


class VendorServer:
    """The vendors of a world, or given simulators, over HTTP: `with VendorServer(World()) as server: ...`.

    clock    the present at the vendors: an instant or a callable; default the world's `until`, else real time.
             `server.now = instant` moves it.
    limits   requests per window by vendor name; None for no limit and no rate-limit headers.
    faults   a profile for all vendors, or profiles by vendor name.
    port     0 for any free port.
    """

    def __init__(
        self,
        source: World | Iterable[Simulator],
        *,
        clock: datetime | Clock | None = None,
        faults: Profile | Mapping[str, Profile] = "none",
        seed: int = 0,
        limits: Mapping[str, Limit] | None = DEMO,
        port: int = 0,
        compress: bool = False,
    ) -> None:
        simulators = list((vendor.from_world(source) for vendor in VENDORS) if isinstance(source, World) else source)
        self.simulators: dict[str, Simulator] = {simulator.name: simulator for simulator in simulators}
        if clock is None:
            clock = source.until if isinstance(source, World) else lambda: datetime.now(UTC)
        self._clock: datetime | Clock = clock
        self.compress = compress
        self._budgets = {name: Budget((limits or {})[name]) for name in self.simulators if name in (limits or {})}
        self._faults: dict[str, Faults] = {name: for_vendor(faults, name, seed) for name in self.simulators}
        self._port = port
        self._lock = threading.Lock()
        self._http: _HTTPServer | None = None
        self.log: list[Logged] = []
        self.counts: Counter[str] = Counter()

    # -- life -------------------------------------------------------------------------------------------------

    def __enter__(self) -> VendorServer:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self) -> VendorServer:
        """Begin to serve in a daemon thread. Raises OSError when the port is taken."""
        self._http = _HTTPServer(("127.0.0.1", self._port), _Handler)
        self._http.owner = self
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        if self._http:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    # -- what callers ask ------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The present at the vendors."""
        return self._clock() if callable(self._clock) else self._clock

    @now.setter
    def now(self, instant: datetime) -> None:
        self._clock = instant

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`. Raises RuntimeError when the server is not running."""
        if not self._http:
            raise RuntimeError("the server is not running: use it as a context manager or call start()")
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def url(self, vendor: str) -> str:
        """The base address of one vendor. Raises KeyError when it is not served here."""
        if vendor not in self.simulators:
            raise KeyError(f"{vendor} is not served here; served: {', '.join(self.simulators)}")
        return f"{self.address}/{vendor}"

    def env(self, *vendors: str) -> dict[str, str]:
        """The environment variables that point the pipeline at these vendors (default: all).

        Of two that set the same variables, only the first is offered unless both are named.
        """
        variables: dict[str, str] = {}
        for name in vendors or tuple(self.simulators):
            wanted = self.simulators[name].environment(self.url(name))
            if vendors or not (wanted.keys() & variables.keys()):
                variables.update(wanted)
        return variables

    def set_faults(self, faults: Profile | Mapping[str, Profile], seed: int = 0) -> None:
        """Change the faults while the server runs."""
        self._faults = {name: for_vendor(faults, name, seed) for name in self.simulators}

    def requests(self, vendor: str) -> list[Logged]:
        """The log lines of one vendor."""
        with self._lock:
            return [line for line in self.log if line.vendor == vendor]

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.log.clear()
            self.counts.clear()

    # -- one request -----------------------------------------------------------------------------------------------

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Find the vendor, apply its limits and faults, answer, and log the request."""
        parts = urlsplit(target)
        vendor, _, path = parts.path.lstrip("/").partition("/")
        simulator = self.simulators.get(vendor)
        if simulator is None:
            return answer({"message": f"no vendor here under /{vendor}", "served": list(self.simulators)}, 404)
        request = Request(method, "/" + path, parts.query, headers, body, self.url(vendor))
        try:
            response = self._limited(simulator, request)
        except ConnectionReset:
            self._record(vendor, request, 0)
            raise
        self._record(vendor, request, response.status)
        return response

    def _limited(self, simulator: Simulator, request: Request) -> Response:
        budget = self._budgets.get(simulator.name)
        headers: dict[str, str] = {}
        if budget:
            verdict = budget.take()
            headers = simulator.limit_headers(
                budget.limit.requests, verdict.remaining, verdict.reset, budget.limit.seconds
            )
            if not verdict.allowed:
                return Response(429, simulator.error(429, "Rate Limit Exceeded"), headers)

        def true_answer(late: timedelta = timedelta(), of: Request | None = None) -> Response:
            return simulator.handle(without_detour(of or request, simulator), self.now - late)

        response = self._faults[simulator.name].apply(request, simulator, true_answer)
        if response.status != 429:
            response.headers = {**headers, **response.headers}
        return response

    def _record(self, vendor: str, request: Request, status: int) -> None:
        with self._lock:
            self.log.append(Logged(vendor, request.method, request.path, request.query_string, status))
            self.counts[vendor] += 1
