"""Who may come in: a bearer token for everything, a sender's signature for its webhook, and so many deliveries a minute.

Without a token only programs on this machine are let in. Those are asked for the name they call: a page of another site, opened in a
browser here, can make it send requests to 127.0.0.1, but not under that name (DNS rebinding).

What belongs here: yes or no, and why. What does not: HTTP answers (`app`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from ipaddress import ip_address

from mttr_pipeline.config.environment import Environment
from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.received import webhook_of
from mttr_pipeline.intake.signatures import signature_problem

TOKEN, IN_FILE = "MTTR_SERVE_TOKEN", "MTTR_SERVE_TOKEN_FILE"
_SHORTEST = 16  # characters: a shorter one can be guessed over the network
_HERE = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def token_of(env: Mapping[str, str]) -> str | None:
    """The token that callers must show; None when it is not set. Raises ConfigError for one that can be guessed."""
    secret = Environment(env, "mttr").secret("SERVE_TOKEN")
    if secret is None:
        return None
    token = secret.get_secret_value()
    if len(token) < _SHORTEST:
        raise ConfigError(
            f"{TOKEN} has fewer than {_SHORTEST} characters; make a longer one, such as with `openssl rand -hex 32`."
        )
    return token


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address that a socket is bound to."""
    return ip_address(address.partition("%")[0]).is_loopback


def stranger(token: str | None, headers: Mapping[str, str]) -> str | None:
    """Why a request may neither read nor send what is not signed; None when it may. Header names in lower case.

    `Authorization: Bearer <token>`, or Basic with the token as password, which browsers can send, and senders that know no other.
    """
    if token is None:  # bound to loopback, else `mttr serve` does not start
        if _called(headers) in _HERE:
            return None
        return f"called by another name than localhost or 127.0.0.1; set {TOKEN} where a proxy stands before it"
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "bearer":
        value = ""
    return None if hmac.compare_digest(value.strip().encode(), token.encode()) else "the token is missing or wrong"


def _called(headers: Mapping[str, str]) -> str:
    """The name in `Host`, without its port."""
    host = headers.get("host", "")
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def is_signer(account: Account | None) -> bool:
    """Whether bodies of this account must be signed: its secret is set."""
    return account is not None and account.signing_key is not None


def is_signed(account: Account, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the account's secret signs the body. The same is asked again by the run that takes it."""
    webhook = webhook_of(account)
    if webhook is None or webhook.signature is None or account.signing_key is None:
        return False
    return signature_problem(webhook.signature, headers, body, account.signing_key.get_secret_value()) is None


class Rate:
    """At most so many deliveries a minute, of which a minute's worth may come at once (token bucket), per account."""

    def __init__(self, per_minute: int) -> None:
        self._per_second = per_minute / 60
        self._most = float(per_minute)
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, name: str, now: float) -> float:
        """Seconds until the next delivery of `name` may come; 0 when this one may, which then counts. `now` is monotonic."""
        left, since = self._left.get(name, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        if left < 1:
            self._left[name] = (left, now)
            return (1 - left) / self._per_second
        self._left[name] = (left - 1, now)
        return 0.0
