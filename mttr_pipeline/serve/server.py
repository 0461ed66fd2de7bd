"""Runs the doors on a socket until a signal ends it.

What belongs here: address, server program, start and end. What does not: what is answered (`app`).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping

import uvicorn

from mttr_pipeline import interrupts
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.serve.app import Doors
from mttr_pipeline.serve.entrance import IN_FILE, TOKEN, is_loopback, token_of

_CONNECTIONS = 100  # more are answered 503
_TO_FINISH = 2  # seconds for deliveries that are under way when it ends


class Server:
    """One `mttr serve`. Raises ConfigError when the address cannot be used, or is open to others without a token."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str],
        host: str,
        port: int,
        per_minute: int,
        told: Callable[[str], object],
    ) -> None:
        token = token_of(env)
        self._socket = _bound(host, port)
        bound = self._socket.getsockname()
        if token is None and not is_loopback(bound[0]):
            self._socket.close()
            raise ConfigError(
                f"{host} can be reached from other machines; set {TOKEN} or {IN_FILE} to a token that callers must show, "
                "or leave --host out."
            )
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.address = f"http://{shown}:{bound[1]}"
        doors = Doors(settings, token, per_minute, told)
        self._server = uvicorn.Server(
            uvicorn.Config(
                doors.app(),
                log_config=None,
                access_log=False,
                server_header=False,
                http="h11",
                loop="asyncio",
                lifespan="off",
                ws="none",
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=_TO_FINISH,
            )
        )

    def run(self) -> None:
        """Serve until a signal, or `stop`.

        In a thread of its own, where the server program leaves signals alone: the command hears them.
        """
        interrupts.tell(self.stop)
        thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="server")
        thread.start()
        try:
            thread.join()
        finally:
            self.stop()
            thread.join()
            self._socket.close()

    def stop(self) -> None:
        """End it from another thread: what is under way is finished first."""
        self._server.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=256)
    except (OSError, OverflowError) as error:
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number) if number and number > 0 else getattr(error, "strerror", None) or "no such port"
        raise ConfigError(f"{host}:{port} cannot be listened on ({why}); choose another --host or --port.") from error
