"""Signatures of received bodies, and the file of headers that may lie beside a body.

A source's declaration says in which header its sender signs and how (`sources.kit.declare.Signature`): HMAC-SHA256 over the body
as sent, byte for byte.

What belongs here: whether a file is what its sender signed. What does not: what follows when it is not (`importer`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path

from mttr_pipeline.sources.kit.declare import Signature

SIDECAR = ".headers"
MAX_HEADER_BYTES = 1 << 16


def headers_beside(path: Path) -> dict[str, str]:
    """The lines `Name: value` of `<path>.headers`, names in lower case, a repeated name joined by commas; none: empty."""
    sidecar = path.with_name(path.name + SIDECAR)
    if sidecar.is_symlink() or not sidecar.is_file():
        return {}
    with sidecar.open("rb") as stream:
        text = stream.read(MAX_HEADER_BYTES).decode("latin-1")
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        if colon and name:
            found[name.lower()] = f"{found[name.lower()]},{value}" if name.lower() in found else value
    return found


def signature_problem(scheme: Signature, headers: Mapping[str, str], body: bytes, secret: str) -> str | None:
    """Why the body is not its sender's, None when it is. `body` is the whole file: a signature covers nothing less."""
    sent = headers.get(scheme.header.lower())
    if not sent:
        return f"not signed: no header {scheme.header} beside the file"
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    signatures = [part.strip().removeprefix(scheme.prefix) for part in sent.split(",")]
    matches = [hmac.compare_digest(expected.encode(), given.lower().encode()) for given in signatures]
    if any(matches):
        return None
    return (
        f"the signature in {scheme.header} is not that of this file: it covers the body as sent, so each delivery "
        "must be a file of its own, byte for byte"
    )
