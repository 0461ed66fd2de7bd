"""The way to one vendor: the proxy, the certificates that are trusted, and the certificate that we show.

A section of mttr.toml goes before the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE,
SSL_CERT_FILE), and each value is kept with the name of the setting that it comes from, for messages. This machine itself
(localhost, 127.0.0.1, ::1) is never asked through a proxy. ~/.netrc is never read.

What does not belong here: sending (`http`), the sentences about a failed request (`failures`).
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests.utils

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import ConfigError

#: The first that is set counts, as `requests` has it.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Route:
    """How one host is reached. A `..._from` is the setting for people, such as `HTTPS_PROXY`.

    proxy        address of the proxy, with its credentials; None: no proxy
    shown        the proxy without credentials
    ca           file or folder of the certificates that are trusted; None: those that come with `certifi`
    certificate  file with the certificate that we show, and the file of its key; None: none
    secrets      what no message may show
    """

    proxy: str | None = None
    shown: str = ""
    proxy_from: str = ""
    ca: Path | None = None
    ca_from: str = ""
    certificate: tuple[Path, Path] | None = None
    secrets: tuple[str, ...] = ()

    def in_words(self) -> str:
        """For `mttr doctor`: what differs from the direct way; empty when nothing does."""
        said = [f"through the proxy {self.shown} ({self.proxy_from})"] if self.proxy else []
        said += [f"certificates of {self.ca} ({self.ca_from})"] if self.ca else []
        said += [f"client certificate {self.certificate[0]}"] if self.certificate else []
        return ", ".join(said)


def route(url: str, title: str, options: SourceOptions, env: Mapping[str, str] | None = None) -> Route:
    """The way to `url` that the section of a source and the environment ask for. `title` is the source's name in messages.

    Raises ConfigError for a proxy that is no address, and for a file of certificates that cannot be used.
    """
    env = os.environ if env is None else env
    parts = urlsplit(url)
    proxy, proxy_from = (None, "") if _is_this_machine(parts.hostname or "") else _proxy(url, title, options, env)
    found = urlsplit(proxy or "")
    secrets = tuple(
        unquote(secret) for secret in (found.password, found.username if not found.password else None) if secret
    )
    shown = f"{found.scheme}://{found.hostname}{f':{found.port}' if found.port else ''}" if proxy else ""
    if parts.scheme != "https":
        return Route(proxy, shown, proxy_from, secrets=secrets)
    ca, ca_from = _authorities(title, options, env)
    return Route(proxy, shown, proxy_from, ca, ca_from, _certificate(title, options), secrets)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _proxy(url: str, title: str, options: SourceOptions, env: Mapping[str, str]) -> tuple[str | None, str]:
    """The address of the proxy, and where it is set."""
    if options.proxy:
        return options.proxy, "proxy in mttr.toml"
    scheme = urlsplit(url).scheme
    variable = next(
        (
            name
            for wanted in (f"{scheme}_proxy", "all_proxy")
            for name in (wanted, wanted.upper())
            if env.get(name, "").strip()
        ),
        None,
    )
    no_proxy = env.get("no_proxy") or env.get("NO_PROXY") or ""
    if variable is None or _is_left_out(url, no_proxy):
        return None, ""
    address = env[variable].strip()
    address = address if "://" in address else f"http://{address}"
    try:
        found = urlsplit(address)
        usable = found.scheme in ("http", "https") and bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise ConfigError(
            f"{title}: {variable} must be the address of an HTTP proxy like http://proxy.example.com:3128; correct it. "
            "SOCKS proxies are not supported."
        )
    return address, variable


def _is_left_out(url: str, no_proxy: str) -> bool:
    return "*" in no_proxy.replace(" ", "").split(",") or bool(
        no_proxy and requests.utils.should_bypass_proxies(url, no_proxy=no_proxy)
    )


def _authorities(title: str, options: SourceOptions, env: Mapping[str, str]) -> tuple[Path | None, str]:
    """The file or folder of trusted certificates, and where it is set."""
    variable = next((name for name in CA_VARIABLES if env.get(name, "").strip()), "")
    given, said = (
        (options.ca_bundle, "ca_bundle in mttr.toml") if options.ca_bundle else (env.get(variable, ""), variable)
    )
    if not given:
        return None, ""
    path = Path(given.strip()).expanduser()
    _require(path, title, said, "the file of the certificates that are trusted")
    if path.is_file():
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"{title}: {path} ({said}) holds no certificates in PEM form; name a file with lines like "
                "-----BEGIN CERTIFICATE-----."
            ) from error
    return path, said


def _certificate(title: str, options: SourceOptions) -> tuple[Path, Path] | None:
    """The files of the certificate that we show and of its key, which may be one file."""
    if not options.client_cert:
        return None
    certificate = Path(options.client_cert).expanduser()
    key = Path(options.client_key).expanduser() if options.client_key else certificate
    _require(certificate, title, "client_cert in mttr.toml", "the client certificate")
    _require(key, title, "client_key in mttr.toml", "the key of the client certificate")
    try:
        # OpenSSL asks for the pass phrase of a key at the terminal, which no nightly run has.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        if key.is_file() and b"ENCRYPTED" in key.read_bytes():
            raise ConfigError(
                f"{title}: the key {key} has a pass phrase, which a nightly run cannot type; name a key without one, and let "
                "only this user read the file."
            ) from error
        without = "" if options.client_key else " and without client_key, the file must hold the key too"
        raise ConfigError(
            f"{title}: {certificate} and {key} are no client certificate and its key in PEM form{without}; correct client_cert "
            "and client_key in mttr.toml."
        ) from error
    return certificate, key


def _require(path: Path, title: str, said: str, what: str) -> None:
    try:
        if path.is_dir():
            return
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigError(
            f"{title}: {what}, {path} ({said}), cannot be read ({error.strerror}); correct {said}."
        ) from error
