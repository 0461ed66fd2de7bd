"""One thread's connection to one vendor. It sends what `requests` sends, byte for byte, at a third of the cost.

`requests` prepares a request: its address, headers, credentials, cookies. A plain GET differs from the last one in its address
alone, so it is prepared once. urllib3 sends it, as it does for `requests`, without the work of a session around each request.

What belongs here: one request and the response to it, headers at first. What does not: its body, retries, what a failure means
(`http`), deadlines of sockets (`wire`), proxies and certificates (`route`).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
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

_NO_RETRIES = urllib3.Retry(False)


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

    def send(self, asked: Asked, timeout: urllib3.Timeout) -> urllib3.BaseHTTPResponse:
        """Send one request; gives the response as soon as its headers are there, to be closed by the caller.

        Follows no redirect, and does not retry. Raises urllib3.exceptions.HTTPError, OSError.
        """
        request, target = self._request(asked)
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

    def _request(self, asked: Asked) -> tuple[requests.PreparedRequest, str]:
        """The request, and what stands in its first line."""
        if asked.body is None and PLAIN_PATH.fullmatch(asked.path) and not len(self._session.cookies):
            target = requests.utils.requote_uri(self._plain_base + asked.path) or "/"
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
