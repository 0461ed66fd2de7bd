"""One thread's connection to one vendor. It sends what `requests` sends, byte for byte, at a fifth of the cost.

`requests` prepares a request: its address, headers, credentials, cookies. A plain GET differs from the last one in its address
alone, so it is prepared once. urllib3 connects and sends it, as it does for `requests`, without the work of a session around each
request; on a connection that is open, only what differs is put together.

What belongs here: one request and the response to it, headers at first. What does not: its body, retries, what a failure means
(`http`), deadlines of sockets (`wire`), proxies and certificates (`route`).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPException
from typing import Any

import requests
import urllib3
from requests.cookies import extract_cookies_to_jar

from mttr_pipeline.sources.kit.outcomes import Asked
from mttr_pipeline.sources.kit.query import query_string
from mttr_pipeline.sources.kit.route import Route
from mttr_pipeline.sources.kit.wire import BoundedAdapter, SecondsLeft

# Paths that can be appended to an address unchanged. `requests` normalises the others: dots, percent signs, fragments.
PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)*/?", re.ASCII)

_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")

_NO_RETRIES = urllib3.Retry(False)


@lru_cache(maxsize=1024)  # a listing has the same path for all of its pages
def _quoted(address: str) -> str:
    """As `requests` and then urllib3 quote it: what is escaped is written in capitals."""
    return _ESCAPE.sub(lambda escape: escape[0].upper(), requests.utils.requote_uri(address))


class Connection:
    """For one thread. `base_url`, `headers` and `auth` are those of the client; see `BoundedAdapter` for the rest."""

    def __init__(
        self,
        base_url: str,
        route: Route,
        headers: Mapping[str, str],
        auth: tuple[str, str] | None,
        seconds_left: SecondsLeft,
        opened: Callable[[socket.socket], None],
    ) -> None:
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False  # no netrc; proxies and certificates of the environment are part of the route
        self._session.headers.update(headers)
        self._session.auth = auth
        self._proxies = {scheme: route.proxy for scheme in ("http", "https") if route.proxy}
        self._adapter = BoundedAdapter(seconds_left, opened)
        self._plain = self._session.prepare_request(requests.Request("GET", base_url))
        self._plain_base = self._adapter.request_url(self._plain, self._proxies).rstrip("/")
        verify = str(route.ca) if route.ca else True
        certificate = (str(route.certificate[0]), str(route.certificate[1])) if route.certificate else None
        self._pool: Any = self._adapter.get_connection_with_tls_context(self._plain, verify, self._proxies, certificate)
        self._adapter.cert_verify(self._pool, self._plain.url or "", verify, certificate)
        self._after_target = self._plain_headers()

    def send(self, asked: Asked, timeout: urllib3.Timeout) -> urllib3.BaseHTTPResponse:
        """Send one request; gives the response as soon as its headers are there, to be closed by the caller.

        Follows no redirect, and does not retry. Raises urllib3.exceptions.HTTPError, OSError.
        """
        request, target = self._request(asked)
        response = self._again(target, timeout) if request is self._plain and not asked.etag else None
        if response is None:
            response = self._pool.urlopen(
                asked.method,
                target,
                asked.body,
                {**request.headers, "If-None-Match": asked.etag} if asked.etag else request.headers,
                retries=_NO_RETRIES,
                redirect=False,
                assert_same_host=False,  # a proxy is asked for another host
                timeout=timeout,
                preload_content=False,
                decode_content=False,
            )
        if "set-cookie" in response.headers:
            extract_cookies_to_jar(self._session.cookies, request, response)
        return response

    def _again(self, target: str, timeout: urllib3.Timeout) -> urllib3.BaseHTTPResponse | None:
        """The plain request with another address, on the connection that is open; None where none is, and through a proxy.

        urllib3 looks at each character of the address and puts the same headers together for every page: two fifths of a request.
        """
        if self._after_target is None:
            return None
        connected = self._pool._get_conn()  # as `urlopen` does; one that the vendor hung up is given as closed
        if connected.is_closed:
            self._pool._put_conn(connected)
            return None
        try:
            connected.sock.settimeout(timeout.read_timeout)
            with suppress(BrokenPipeError, ConnectionResetError):  # the vendor may have answered before it hung up
                connected.sock.sendall(b"GET %b%b" % (target.encode("ascii"), self._after_target))
            found = connected.response_class(connected.sock, method="GET")
            found.begin()
        except BaseException as error:
            connected.close()
            self._pool._put_conn(None)
            if isinstance(error, TimeoutError):
                raise urllib3.exceptions.ReadTimeoutError(self._pool, target, str(error)) from error
            if isinstance(error, OSError | HTTPException):
                raise urllib3.exceptions.ProtocolError("Connection aborted.", error) from error
            raise
        if found.will_close:
            connected.close()
        return urllib3.HTTPResponse(
            found,
            urllib3.HTTPHeaderDict(found.msg.items()),
            found.status,
            preload_content=False,
            decode_content=False,
            original_response=found,
            pool=self._pool,
            connection=connected,
            request_method="GET",
        )

    def _plain_headers(self) -> bytes | None:
        """What stands behind the address of every plain request; None where urllib3 has more to say: to a proxy, or of a host in
        numbers."""
        host, port, usual = self._pool.host.rstrip("."), self._pool.port, self._pool.ConnectionCls.default_port
        if self._pool.proxy is not None or ":" in host or not host.isascii():
            return None
        sent = {"Host": host if port in (None, usual) else f"{host}:{port}", **self._plain.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        return f" HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def _request(self, asked: Asked) -> tuple[requests.PreparedRequest, str]:
        """The request, and what stands in its first line."""
        if asked.body is None and PLAIN_PATH.fullmatch(asked.path) and not len(self._session.cookies):
            target = _quoted(self._plain_base + asked.path) or "/"
            query = query_string(asked.params) if asked.params else ""
            return self._plain, f"{target}?{query}" if query else target
        headers = {"Content-Type": "application/json"} if asked.body is not None else None
        wanted = requests.Request(
            asked.method, self._base_url + asked.path, headers=headers, data=asked.body, params=asked.params
        )
        request = self._session.prepare_request(wanted)
        return request, self._adapter.request_url(request, self._proxies)

    def close(self) -> None:
        """Close the connection. From any thread."""
        self._session.close()
        self._adapter.close()
