"""Reads members of a received body without decoding the rest of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def members(value: msgspec.Raw | None) -> Mapping[str, msgspec.Raw]:
    """The members of a value that is a JSON object; none for any other value."""
    content = raw(value)
    return _decode(content) if content.startswith(b"{") else {}


def raw(value: msgspec.Raw | None) -> bytes:
    """A member as it was sent, without the blanks around it; empty when it is not there."""
    return b"" if value is None else bytes(value).strip()
