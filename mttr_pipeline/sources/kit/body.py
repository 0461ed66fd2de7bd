"""Reads members of a received body without decoding the rest of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def members(value: msgspec.Raw | None) -> Mapping[str, msgspec.Raw]:
    """The members of a value that is a JSON object; none for any other value, and for one that is nested too deeply."""
    content = raw(value)
    try:
        return _decode(content) if content.startswith(b"{") else {}
    except RecursionError:
        return {}


def raw(value: msgspec.Raw | None) -> bytes:
    """A member as it was sent, without the blanks around it; empty when it is not there."""
    return b"" if value is None else bytes(value).strip()
