"""Where alerts are told: the variables ALERT_*, from the environment alone, so that a broken `mttr.toml` can be told too.

The addresses are secrets: whoever has one can write to it. What does not belong here: sending (`alerts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from mttr_pipeline.config.environment import Environment, secret_parts
from mttr_pipeline.errors import ConfigError

PREFIX = "ALERT"
CHAT, WEBHOOK, SIGNING_KEY, MAIL = "SLACK_WEBHOOK_URL", "WEBHOOK_URL", "WEBHOOK_SECRET", "SMTP_URL"
#: Variable -> what it is, for the documentation.
VARIABLES = {
    CHAT: "address of an incoming webhook of Slack",
    WEBHOOK: "address that a JSON body is posted to",
    SIGNING_KEY: "key of the signature `X-MTTR-Signature` of that body; without it, the body is not signed",
    MAIL: "mail server, sender and recipients: `smtp://user:password@host:port/?from=a&to=b,c&starttls=required`, or `smtps://`",
}
#: What somebody has to do who wants to be told.
SET_ONE = f"set {PREFIX}_{CHAT}, {PREFIX}_{WEBHOOK} or {PREFIX}_{MAIL}"
_PORTS = {"smtp": 25, "smtps": 465}
_MAILBOX = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")


@dataclass(frozen=True)
class MailServer:
    """A mail server, and who writes to whom there. `tls`: from the first byte (always), demanded (required), or where the server
    offers it (offered); `user` and `password` are sent over TLS only."""

    host: str
    port: int
    tls: Literal["always", "required", "offered"]
    sender: str
    recipients: tuple[str, ...]
    user: str | None = None
    password: SecretStr | None = None


@dataclass(frozen=True)
class AlertPlaces:
    """The places that are configured."""

    chat: SecretStr | None = None
    webhook: SecretStr | None = None
    signing_key: SecretStr | None = None
    mail: MailServer | None = None

    def secrets(self) -> Iterator[str]:
        """Everything in them that no text may show."""
        for address in (self.chat, self.webhook):
            if address:
                yield from secret_parts(address.get_secret_value())
        for secret in (self.signing_key, self.mail and self.mail.password):
            if secret:
                yield secret.get_secret_value()


def alert_places(env: Mapping[str, str]) -> AlertPlaces:
    """The places of the environment. Raises ConfigError, which names the variable and never its value."""
    variables = Environment(env, PREFIX)
    web = ("https", "http")
    found = AlertPlaces(
        variables.secret_address(CHAT, web),
        variables.secret_address(WEBHOOK, web),
        variables.secret(SIGNING_KEY),
        _mail_server(variables),
    )
    if found.signing_key and not found.webhook:
        raise ConfigError(
            f"{variables.variable(SIGNING_KEY)} signs what {variables.variable(WEBHOOK)} gets; set that too."
        )
    for name, address in ((CHAT, found.chat), (WEBHOOK, found.webhook)):
        if address and (urlsplit(address.get_secret_value()).username is not None):
            raise ConfigError(f"{variables.variable(name)} must not carry a user name or password; take them out.")
    return found


def _mail_server(variables: Environment) -> MailServer | None:
    address = variables.secret_address(MAIL, tuple(_PORTS))
    if address is None:
        return None
    parts, name = urlsplit(address.get_secret_value()), variables.variable(MAIL)
    said = parse_qs(parts.query, keep_blank_values=True)
    unknown = said.keys() - {"from", "to", "starttls"}
    if unknown or parts.path not in ("", "/") or any(len(values) > 1 for values in said.values()):
        raise ConfigError(
            f"{name} takes from, to and starttls after its host, each once: /?from=a&to=b,c&starttls=required."
        )
    sender = said.get("from", [""])[0].strip()
    recipients = tuple(filter(None, map(str.strip, said.get("to", [""])[0].split(","))))
    if not recipients or not all(one.isascii() and _MAILBOX.fullmatch(one) for one in (sender, *recipients)):
        raise ConfigError(
            f"{name} needs the mail addresses of a sender and of recipients: /?from=a&to=b,c; correct them."
        )
    starttls = said.get("starttls", ["offered"])[0]
    if starttls not in ("required", "offered"):
        raise ConfigError(f"{name}: starttls is required or offered; correct it.")
    if parts.scheme == "smtps" and "starttls" in said:
        raise ConfigError(f"{name}: smtps:// is TLS from the first byte; take starttls out, or write smtp://.")
    user = unquote(parts.username) if parts.username else None
    if bool(user) != bool(parts.password):
        raise ConfigError(f"{name} needs both a user and a password before the host, or neither.")
    return MailServer(
        parts.hostname or "",
        parts.port or (587 if user and parts.scheme == "smtp" else _PORTS[parts.scheme]),
        "always" if parts.scheme == "smtps" else "required" if starttls == "required" else "offered",
        sender,
        recipients,
        user,
        SecretStr(unquote(parts.password)) if parts.password else None,
    )
