"""Writes one received body into the inbox so that it outlives a crash, and tells a repeated delivery from a new one.

What belongs here: files. What does not: who may send (`entrance`), and what a body says, which is the next run's matter.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mttr_pipeline.config.settings import Account
from mttr_pipeline.intake.inbox import FOLDER
from mttr_pipeline.intake.received import webhook_of
from mttr_pipeline.intake.signatures import SIDECAR
from mttr_pipeline.landing.disk import sync

CUSTOM = "custom"  # records with an external_id, which belong to no account

_STORING = threading.Lock()  # two deliveries of one body would write the same files


@dataclass(frozen=True)
class Delivery:
    """A body as it was sent, with the headers that the inbox reads. The same body sent again has the same id."""

    account: Account | None
    body: bytes
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        """Of the sender's own id of the delivery, where it names one, and the body: 32 hexadecimal digits."""
        digest = hashlib.sha256(self.account.name.encode() if self.account else b"")
        for value in (*self.headers.values(), ""):
            digest.update(b"\0" + value.encode())
        digest.update(self.body)
        return digest.hexdigest()[:32]


def kept_headers(account: Account | None, sent: Mapping[str, str]) -> dict[str, str]:
    """What the inbox reads of the headers: the signature and the sender's id of the delivery; nothing that lets anybody in."""
    webhook = webhook_of(account) if account else None
    if webhook is None:
        return {}
    names = (webhook.signature.header if webhook.signature else None, webhook.delivery_header)
    return {name: sent[name.lower()] for name in names if name and name.lower() in sent}


def is_json(body: bytes) -> bool:
    """Whether a body is one JSON document. Its content is judged by the run that takes it."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def store(data_dir: Path, delivery: Delivery) -> bool:
    """Write a delivery into the inbox; False when it waits there already.

    When this returns, body and headers are on the disk. After a crash before that, there is nothing that a run would take. Raises
    OSError when the disk is full or the folder cannot be written; nothing is left then.
    """
    folder = data_dir / FOLDER
    with _STORING:
        _private(folder)
        if delivery.account is not None:
            folder /= delivery.account.name
            _private(folder)
        path = folder / f"{delivery.id}.json"
        if path.exists():
            return False
        lines = "".join(f"{name}: {value}\n" for name, value in delivery.headers.items())
        _both(path, lines.encode("latin-1", "replace"), delivery.body)
    return True


def _both(path: Path, headers: bytes, body: bytes) -> None:
    """Write the headers, if there are any, and then the body under its name; after an error neither is there."""
    made = []
    try:
        if headers:
            made.append(path.with_name(path.name + SIDECAR))
            _write(made[-1], headers)
        made.append(path.with_name(f"{path.name}.part"))
        _write(made[-1], body)
        made[-1].replace(path)
        sync(path.parent)
    except OSError:
        for part in made:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise


def _write(path: Path, content: bytes) -> None:
    """Make a file that only its owner reads, safe on the disk."""
    path.unlink(missing_ok=True)  # of a process that was killed
    path.touch(0o600)
    path.write_bytes(content)
    sync(path)


def _private(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)  # a run makes it too
        sync(folder.parent)
