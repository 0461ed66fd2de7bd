"""Proxies, private certificates and client certificates, over real sockets: what is sent where, and what is said when it fails.

The vendor is `vendor.test`, a name that only the proxy of this file knows: an answer proves that the proxy was asked.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme
from loopback import QuietHandler, QuietServer
from support import settings_for

from mttr_pipeline.cli.doctor import examine
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import ConfigError, MttrError
from mttr_pipeline.sources.kit.envelope import whole_object
from mttr_pipeline.sources.kit.failures import HttpRefused, HttpUnavailable
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.registry import load_settings

HOST = "vendor.test"
PASSWORD = "pr0xy-passw0rd"


def started(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> QuietServer:
    server = QuietServer(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


class Company:
    """A vendor over http and over https with a private certificate, one that wants client certificates, and a forward proxy."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.credentials: str | None = None  # what the proxy wants
        self.refuses: int | None = None
        authority, self.clients = trustme.CA(), trustme.CA()
        self.ca, self.cert, self.key = folder / "company-ca.pem", folder / "client.pem", folder / "client.key"
        authority.cert_pem.write_to_path(str(self.ca))
        ours = self.clients.issue_cert("mttr@client.test")
        self.cert.write_bytes(b"".join(blob.bytes() for blob in ours.cert_chain_pems))
        self.key.write_bytes(ours.private_key_pem.bytes())
        self.other = folder / "other.pem"  # issued by somebody else, and the key in the same file
        trustme.CA().issue_cert("other@client.test").private_key_and_cert_chain_pem.write_to_path(str(self.other))
        company = self

        class Vendor(QuietHandler):
            def do_GET(self) -> None:
                company.seen.append(dict(self.headers))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        class Proxy(QuietHandler):
            def _passes(self) -> bool:
                company.asked.append(f"{self.command} {self.path}")
                given = self.headers.get("Proxy-Authorization", "")
                wanted = company.credentials
                status = company.refuses or (
                    407 if wanted and given != f"Basic {base64.b64encode(wanted.encode()).decode()}" else 200
                )
                if status != 200:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                return status == 200

            def do_CONNECT(self) -> None:
                if self._passes():
                    with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as there:
                        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                        _join(self.connection, there)
                self.close_connection = True

            def do_GET(self) -> None:
                if self._passes():
                    address = urlsplit(self.path)
                    with socket.create_connection(("127.0.0.1", address.port or 80)) as there:
                        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                        there.sendall(f"GET {address.path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n".encode())
                        while piece := there.recv(65536):
                            self.wfile.write(piece)
                    self.close_connection = True

        tls = _context(authority)
        strict = _context(authority)
        strict.verify_mode = ssl.CERT_REQUIRED
        self.clients.configure_trust(strict)
        old = _context(authority)
        old.verify_mode = ssl.CERT_REQUIRED
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        self.clients.configure_trust(old)
        self.http, self.https, self.strict, self.old, self.proxy = (
            started(Vendor),
            started(Vendor, tls),
            started(Vendor, strict),
            started(Vendor, old),
            started(Proxy),
        )

    def url(self, server: QuietServer) -> str:
        return f"{'http' if server is self.http else 'https'}://{HOST}:{server.port}"

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    def close(self) -> None:
        for server in (self.http, self.https, self.strict, self.old, self.proxy):
            server.shutdown()
            server.server_close()


def _context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


def _join(one: socket.socket, other: socket.socket) -> None:
    while True:
        for ready in select.select([one, other], [], [])[0]:
            piece = ready.recv(65536)
            if not piece:
                return
            (other if ready is one else one).sendall(piece)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    company = Company(tmp_path_factory.mktemp("company"))
    yield company
    company.close()


@pytest.fixture
def company(running: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    running.seen.clear()
    running.asked.clear()
    running.credentials = running.refuses = None
    return running


def ask(url: str, **options: Any) -> dict[str, Any]:
    client = HttpClient(url, "Acme", SourceOptions(**options), address_variable="ACME_URL", sleep=lambda _: None)
    try:
        return client.get("/things", parse=whole_object)
    finally:
        client.close()


def failure(url: str, kind: type[MttrError] = HttpRefused, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        ask(url, **options)
    assert PASSWORD not in str(caught.value) and str(caught.value).startswith("Acme: ")
    return str(caught.value)


def test_both_schemes_go_through_the_proxy_of_the_environment(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain requests are forwarded, TLS goes through CONNECT; the certificate is that of the vendor."""
    monkeypatch.setenv("HTTP_PROXY", company.proxy_url)
    monkeypatch.setenv("https_proxy", company.proxy_url.removeprefix("http://"))
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    ask(company.url(company.http))
    ask(company.url(company.https))
    assert company.asked == [f"GET {company.url(company.http)}/things", f"CONNECT {HOST}:{company.https.port}"]
    assert len(company.seen) == 2


def test_the_section_of_a_source_goes_first(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """One vendor may need another way than the rest, whatever the environment says."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", HOST)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(company.other))
    ask(company.url(company.https), proxy=company.proxy_url, ca_bundle=str(company.ca))
    assert len(company.seen) == 1


@pytest.mark.parametrize("left_out", [HOST, ".test", "*", f"other.test, {HOST}"])
def test_no_proxy(company: Company, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    """Nobody but the proxy knows the vendor's name, so asking directly fails."""
    monkeypatch.setenv("HTTP_PROXY", company.proxy_url)
    monkeypatch.setenv("NO_PROXY", left_out)
    assert "ACME_URL and the network" in failure(company.url(company.http), HttpUnavailable)
    assert company.asked == []


def test_netrc_is_never_read(company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials of another program must not reach a vendor, with a proxy or without."""
    (tmp_path / ".netrc").write_text(f"machine {HOST} login somebody password {PASSWORD}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", company.proxy_url)
    ask(company.url(company.http))
    assert "Authorization" not in company.seen[0]


@pytest.mark.parametrize("server", ["http", "https"])
def test_a_proxy_that_wants_credentials(company: Company, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    """They stand in the variable; the vendor does not get them, and no message shows them."""
    url = company.url(getattr(company, server))
    host = f"127.0.0.1:{company.proxy.port}"
    company.credentials = f"somebody:{PASSWORD}"
    variable = f"{server.upper()}_PROXY"
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    monkeypatch.setenv(variable, f"http://{host}")
    said = failure(url)
    assert (
        f"the proxy http://{host} ({variable}) wants credentials (status 407)" in said
        and f"user:password@ before the host in {variable}" in said
    )
    monkeypatch.setenv(variable, f"http://somebody:{PASSWORD}-wrong@{host}")
    assert f"refused the credentials (status 407); correct user name and password in {variable}" in failure(url)
    monkeypatch.setenv(variable, f"http://somebody:{PASSWORD}@{host}")
    ask(url)
    if server == "https":
        assert "Proxy-Authorization" not in company.seen[-1]


def test_a_proxy_that_does_not_answer_or_does_not_pass_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the proxy that must be corrected, not the vendor's address."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:{PASSWORD}@127.0.0.1:9")
    said = failure(company.url(company.https), HttpUnavailable)
    assert (
        "the proxy http://127.0.0.1:9 (HTTPS_PROXY) cannot be reached (connection refused); check HTTPS_PROXY" in said
    )
    monkeypatch.setenv("HTTPS_PROXY", company.proxy_url)
    company.refuses = 403
    assert f"does not pass on requests to {HOST}:{company.https.port} (status 403)" in failure(
        company.url(company.https)
    )
    company.refuses = 502
    assert "could not reach it" in failure(company.url(company.https), HttpUnavailable)


def test_a_private_certificate_that_is_not_trusted(company: Company) -> None:
    """The usual first failure in a company: the remedy is named."""
    options = {"proxy": company.proxy_url}
    said = failure(company.url(company.https), **options)
    assert "is not trusted" in said and "SSL_CERT_FILE" in said and "ca_bundle" in said
    said = failure(company.url(company.https), ca_bundle=str(company.other), **options)
    assert f"add the certificate of its issuer to {company.other} (ca_bundle in mttr.toml)" in said


@pytest.mark.parametrize("server", ["strict", "old"])
def test_client_certificates(company: Company, server: str) -> None:
    """TLS 1.3 tells of a missing certificate after the handshake, TLS 1.2 in it."""
    url = company.url(getattr(company, server))
    options = {"proxy": company.proxy_url, "ca_bundle": str(company.ca)}
    ask(url, client_cert=str(company.cert), client_key=str(company.key), **options)
    said = failure(url, client_cert=str(company.other), **options)
    assert f"refused the client certificate {company.other}" in said and "client_key in mttr.toml" in said
    if server == "strict":
        assert "wants a client certificate (certificate required); set client_cert and client_key" in failure(
            url, **options
        )


def test_files_and_addresses_that_cannot_be_used(
    company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each is a sentence before the first request, and names the setting."""
    url, empty = company.url(company.https), tmp_path / "empty.pem"
    empty.touch()
    assert "(No such file or directory); correct ca_bundle" in failure(url, ConfigError, ca_bundle="/no/such.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such.pem")
    assert "/no/such.pem (SSL_CERT_FILE), cannot be read" in failure(url, ConfigError)
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    assert "(SSL_CERT_FILE) holds no certificates" in failure(url, ConfigError)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "the client certificate, /no/such.pem" in failure(url, ConfigError, client_cert="/no/such.pem")
    assert "without client_key, the file must hold the key too" in failure(
        url, ConfigError, client_cert=str(company.cert)
    )
    locked = tmp_path / "locked.key"
    locked.write_bytes(_with_pass_phrase(company.key.read_bytes()))
    files = {"client_cert": str(company.cert), "client_key": str(locked)}
    assert f"the key {locked} has a pass phrase" in failure(url, ConfigError, **files)
    for wrong in ("socks5://127.0.0.1:1080", "http://host:port", "http://"):
        monkeypatch.setenv("HTTPS_PROXY", wrong)
        assert "HTTPS_PROXY must be the address of an HTTP proxy" in failure(url, ConfigError)


def _with_pass_phrase(pem: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(pem, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"phrase"),
    )


def test_a_proxy_in_the_file_carries_no_password(tmp_path: Path) -> None:
    """The file is kept with the code, so the message must not repeat the password either."""
    with pytest.raises(ConfigError) as caught:
        settings_for(tmp_path, {"sources": {"jira": {"proxy": f"http://somebody:{PASSWORD}@proxy.test:3128"}}})
    assert "sources.jira.proxy" in str(caught.value) and "HTTPS_PROXY" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    with pytest.raises(ConfigError, match="client_key is the key of client_cert"):
        settings_for(tmp_path, {"sources": {"jira": {"client_key": "/key.pem"}}})


def test_the_doctor_says_the_way(company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of every source that is asked, and without the password."""
    company.credentials = f"somebody:{PASSWORD}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:{PASSWORD}@127.0.0.1:{company.proxy.port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(company.ca))
    env = {"PAGERDUTY_TOKEN": "key", "PAGERDUTY_API_URL": company.url(company.https)}
    env |= {"JIRA_PERSONAL_TOKEN": "key", "JIRA_URL": company.url(company.https)}
    found = {one.name: one.text for one in examine(lambda: load_settings(env, data_dir=tmp_path))}
    way = f"(through the proxy http://127.0.0.1:{company.proxy.port} (HTTPS_PROXY), certificates of {company.ca} (SSL_CERT_FILE))"
    assert way in found["pagerduty"] and way in found["jira"]
    assert PASSWORD not in str(found)
    assert len(company.seen) >= 2
