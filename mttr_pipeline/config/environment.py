"""Reads the environment variables of one account: `<PREFIX>_<SUFFIX>`, such as ACME_TOKEN or ACME_EU_TOKEN.

What belongs here: the checks that every secret and address has to pass. What does not: which variables a source has.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from mttr_pipeline.errors import ConfigError


class Environment:
    """The variables of the account `name`. Every message names the variable in full."""

    def __init__(self, variables: Mapping[str, str], name: str) -> None:
        self._variables = variables
        self._prefix = name.upper()

    def variable(self, suffix: str) -> str:
        """The full name of a variable of this account."""
        return f"{self._prefix}_{suffix}"

    def text(self, suffix: str) -> str | None:
        """The trimmed value; None when it is not set or blank."""
        return self._variables.get(self.variable(suffix), "").strip() or None

    def secret(self, suffix: str) -> SecretStr | None:
        """A credential; None when it is not set. Raises ConfigError for white space and non-ASCII characters in it."""
        value = self.text(suffix)
        if value is None:
            return None
        if not value.isascii() or any(ch.isspace() for ch in value):
            raise ConfigError(
                f"{self.variable(suffix)} contains white space or non-ASCII characters; copy the credential again."
            )
        return SecretStr(value)

    def address(self, suffix: str, default: str | None = None) -> str:
        """A web address without a slash at its end. Raises ConfigError unless it is scheme, host and path only."""
        name, value = self.variable(suffix), self.text(suffix) or default or ""
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{name} must be an address like https://host/path; correct it.")
        if parts.username or parts.password:
            raise ConfigError(f"{name} must not carry a user name or password; put credentials in their own variables.")
        if parts.query or parts.fragment:
            raise ConfigError(f"{name} must not carry a query or fragment; only scheme, host and path.")
        return value.rstrip("/")
