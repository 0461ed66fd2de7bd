"""Signatures of received bodies, and the file of headers that may lie beside a body.

A source's declaration says in which header its sender signs and how (`sources.kit.declare.Signature`): HMAC-SHA256 over the body
as sent, byte for byte.

What belongs here: whether a file is what its sender signed. What does not: what follows when it is not (`importer`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from pathlib import Path

from mttr_pipeline.hidden import HIDDEN, redact
from mttr_pipeline.sources.kit.declare import Signature

SIDECAR = ".headers"
MAX_HEADER_BYTES = 1 << 16
#: Headers that let in whoever sends them again, of whatever sender.
_SECRET_HEADER = re.compile(r"(?i)auth|cookie|token|secret|password|api-?key|credential|\bkey$|-key$|session|jwt")


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


def without_secrets(content: bytes) -> bytes:
    """The headers beside a body as they are kept once it is landed: `[hidden]` for the value of each that lets its bearer in.

    A signature of the body (HMAC) lets nobody in, and stays as evidence.
    """
    kept, is_hidden = [], False
    for line in content.decode("latin-1").splitlines():
        if not line[:1].isspace():  # else it goes on with the header before
            name = line.partition(":")[0]
            is_hidden = _SECRET_HEADER.search(name) is not None
            line = f"{name}: {HIDDEN}" if is_hidden else redact(line)
        elif is_hidden:
            continue
        kept.append(line)
    return "".join(f"{line}\n" for line in kept).encode("latin-1", "replace")


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
