"""Reads the environment variables of one account: `<PREFIX>_<SUFFIX>`, such as ACME_TOKEN or ACME_EU_TOKEN.

What belongs here: the checks that every secret and address has to pass. What does not: which variables a source has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.hidden import remember

OF_FILE = "_FILE"  # ends the name of the variable with the path of a secret
_LARGEST = 65_536  # bytes of a file with a secret
#: Characters of a path and query together, and of one part of them, from which on they may be a secret.
_WHOLE, _PART = 16, 8


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
        """A credential, from its variable or from the file that `<variable>_FILE` names; None when neither is set.

        Raises ConfigError when both are set, when the file cannot be read or is empty, and for white space and non-ASCII characters
        in the credential, except for line breaks at the end of a file.
        """
        value = self._credential(suffix)
        if value is None:
            return None
        remember(value)
        return SecretStr(value)

    def secret_address(self, suffix: str, schemes: Sequence[str]) -> SecretStr | None:
        """An address that is a credential itself, because whoever knows it may write there; None when it is not set.

        What could be a secret in it is remembered: its user, its password, and of path and query what is no word. Its host is not,
        because incidents name hosts. Raises ConfigError as `secret` does, and for another scheme; never with the address.
        """
        value = self._credential(suffix)
        if value is None:
            return None
        name = self.variable(suffix)
        try:
            parts = urlsplit(value)
            usable = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is no number
            usable = False
        if not usable:
            raise ConfigError(
                f"{name} must be an address that begins with {' or '.join(f'{s}://' for s in schemes)}; correct it."
            )
        for part in secret_parts(value):
            remember(part)
        return SecretStr(value)

    def _credential(self, suffix: str) -> str | None:
        """What stands in the variable or in its file."""
        name, value, path = self.variable(suffix), self.text(suffix), self.text(suffix + OF_FILE)
        if path is not None:
            if value is not None:
                raise ConfigError(f"{name} and {name}{OF_FILE} are both set; unset one of them.")
            name += OF_FILE
            value = _content(name, Path(path).expanduser())
        if value is None:
            return None
        if not value.isascii() or any(ch.isspace() for ch in value):
            of = f"The file of {name}" if path else name
            raise ConfigError(f"{of} contains white space or non-ASCII characters; copy the credential again.")
        return value

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


def secret_parts(address: str) -> Iterator[str]:
    """What could be a secret in an address."""
    parts = urlsplit(address)
    if user := parts.password or parts.username:
        yield unquote(user)
    if parts.scheme not in ("http", "https"):
        return  # of a mail server: its query names people, which are hidden as such
    whole = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if len(whole) >= _WHOLE:
        yield whole
    for part in re.split(r"[/&=?]", whole):
        if len(part) >= _PART and not re.fullmatch(r"[a-z_.-]+|[A-Z_.-]+", part):
            yield unquote(part)


def _content(variable: str, path: Path) -> str:
    """The credential in a file, without the line breaks at its end. Raises ConfigError, which never quotes the file."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(
            f"{variable} names the file {path}, which cannot be read ({error.strerror}); correct the path or its permissions."
        ) from error
    if len(content) > _LARGEST:
        raise ConfigError(f"{variable} names the file {path}, which is too large for a credential; correct the path.")
    text = content.decode("utf-8", "replace").removeprefix("\ufeff").strip("\r\n")
    if not text.strip():
        raise ConfigError(f"{variable} names the file {path}, which is empty; write the credential into it.")
    return text
