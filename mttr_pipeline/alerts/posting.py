"""One POST to a web address that is a secret: once, within ten seconds, never on to another address.

The way there is that of the sources (proxies, private certificates). No sentence names the address: it says which variable holds it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests
import urllib3.exceptions
from pydantic import SecretStr

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import MttrError, PermanentError, TransientError
from mttr_pipeline.hidden import one_line
from mttr_pipeline.sources.kit.route import route
from mttr_pipeline.sources.kit.wire import BoundedAdapter, tunnel_status

SECONDS = 10.0
_MOST_BYTES = 2_000  # of an answer that says why not
_AGENT = "mttr-pipeline (alerts)"


def post(address: SecretStr, title: str, variable: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """Send a JSON body. Raises TransientError or PermanentError with a sentence about the place `title`, set in `variable`."""
    url, until = address.get_secret_value(), time.monotonic() + SECONDS
    way = route(url, title, SourceOptions())
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {scheme: way.proxy for scheme in ("http", "https") if way.proxy}
        session.verify = str(way.ca) if way.ca else True
        adapter = BoundedAdapter(lambda: until - time.monotonic(), lambda opened: None)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": _AGENT, **(headers or {})}
        failure: MttrError
        try:
            with session.post(
                url, data=body, headers=sent, timeout=SECONDS, allow_redirects=False, stream=True
            ) as response:
                said = b"" if response.ok else response.raw.read1(_MOST_BYTES, decode_content=True)
                if 200 <= response.status_code < 300:
                    return
                failure = _refused(title, variable, response.status_code, said.decode("utf-8", "replace"))
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            failure = TransientError(f"{title}: {_reason(error)}; check {variable} and the network.")
    raise failure  # not inside `except`: what led to it names the address


def _refused(title: str, variable: str, status: int, said: str) -> MttrError:
    if 300 <= status < 400:
        return PermanentError(
            f"{title}: it answered with a redirect (status {status}), which is not followed; set {variable} to the final address."
        )
    # A web page says nothing that fits into a sentence.
    reason = "" if "<" in said else " ".join(one_line(said).split())[:200]
    text = f"{title}: it refused the message with status {status}{f' ({reason})' if reason else ''}"
    if status >= 500 or status in (408, 425, 429):
        return TransientError(f"{text}; if that goes on, ask its operators.")
    return PermanentError(f"{text}; check {variable}.")


def _reason(error: BaseException) -> str:
    """Why nothing came back, in words that hold no part of the address."""
    text = str(error)
    if isinstance(error, requests.exceptions.SSLError) or "certificate" in text.lower():
        return "its TLS certificate is not trusted" if "certificate" in text.lower() else "the TLS connection failed"
    if isinstance(error, requests.exceptions.ProxyError):
        status = tunnel_status(error)
        return f"the proxy refused the connection (status {status})" if status else "the proxy cannot be reached"
    if (
        isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
        or "took too long" in text
    ):
        return f"it did not answer within {SECONDS:g} seconds"
    if "NameResolutionError" in text or "getaddrinfo" in text:
        return "its host name is unknown"
    return "the connection was refused" if "refused" in text.lower() else "the connection broke"
