"""Receivers of alerts on loopback: a web server and a mail server that remember what they got."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from loopback import QuietHandler, QuietServer


@dataclass
class Web:
    """A web server that answers a POST with `status`. None: it never answers."""

    address: str = ""
    status: int | None = 200
    said: bytes = b"ok"
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.got]


@contextmanager
def web(status: int | None = 200, said: bytes = b"ok") -> Iterator[Web]:
    receiver, ended = Web(status=status, said=said), threading.Event()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, dict(self.headers), body))
            if receiver.status is None:
                ended.wait(20)
                return
            self.send_response(receiver.status)
            if 300 <= receiver.status < 400:
                self.send_header("Location", f"{receiver.address}/elsewhere")
            self.send_header("Content-Length", str(len(receiver.said)))
            self.end_headers()
            self.wfile.write(receiver.said)

    with QuietServer(("127.0.0.1", 0), Handler) as server:
        receiver.address = f"http://127.0.0.1:{server.port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield receiver
        finally:
            ended.set()
            server.shutdown()


@dataclass
class Mailbox:
    """A mail server. `logins` are the users that authenticated, `refused` recipients it does not know."""

    port: int = 0
    got: list[Message] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refused: frozenset[str] = frozenset()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return f"550 no such user {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@contextmanager
def mailbox(tls: ssl.SSLContext | None = None, password: str | None = None, **more: Any) -> Iterator[Mailbox]:
    """With `tls` it offers STARTTLS; with `password` it takes messages of that user only."""
    box = Mailbox()

    def check(server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        box.logins.append(given.login.decode())
        return AuthResult(success=given.password.decode() == password, handled=False)

    options = {"authenticator": check, "auth_required": True} if password else {}
    server = Controller(box, hostname="127.0.0.1", port=0, tls_context=tls, **options, **more)

    def trigger() -> None:
        """It calls itself once, and has to know the port that it got."""
        assert server.server is not None
        box.port = server.port = server.server.sockets[0].getsockname()[1]
        Controller._trigger_server(server)

    server._trigger_server = trigger  # type: ignore[method-assign]
    server.start()
    try:
        yield box
    finally:
        server.stop()
