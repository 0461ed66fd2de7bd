"""A JSON body for a program, signed so that it can tell who sent it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr

from mttr_pipeline.alerts.messages import Message
from mttr_pipeline.alerts.posting import post
from mttr_pipeline.config.alert_places import PREFIX, WEBHOOK

SIGNATURE = "X-MTTR-Signature"


@dataclass(frozen=True)
class Webhook:
    """An address that takes JSON, and the key of its signatures."""

    address: SecretStr
    signing_key: SecretStr | None = None
    name: str = "webhook"
    title: str = "Webhook"

    def send(self, message: Message) -> None:
        """Post the message. Raises TransientError or PermanentError."""
        body = json.dumps(
            {
                "schema_version": 1,
                "kind": message.kind,
                "sent_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                "title": message.title,
                "text": message.text,
                "alerts": message.data,
            },
            ensure_ascii=False,
        ).encode()
        headers = {SIGNATURE: signature(self.signing_key, body)} if self.signing_key else {}
        post(self.address, self.title, f"{PREFIX}_{WEBHOOK}", body, headers)


def signature(key: SecretStr, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 of the bytes of the body, in hex."""
    return "sha256=" + hmac.new(key.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
