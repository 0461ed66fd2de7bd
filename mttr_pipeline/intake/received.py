"""Received webhook bodies: whose they are, and the lines they become in the landing zone, source `inbox`, stream = account.

    {"file": <name>, "line": <1-based>, "delivery": <the sender's id of the delivery>, "body": {...}}
    {"file": <name>, "line": <1-based>, "unreadable": <text>, "reason": <why>}

A body stands there as it came; a source may split it into several lines, such as one for each alert.

What belongs here: asking each source whether a body is its own. What does not: how a sender's bodies look (the source's
declaration says that), any judgement of a value, which is the matter of SQL, and reading files (`landing.readers`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from mttr_pipeline.config.settings import Account
from mttr_pipeline.landing.readers import Unreadable, unreadable
from mttr_pipeline.sources.kit.declare import Fields, Webhook

SOURCE = "inbox"

_MAX_DELIVERY = 200
_encode = msgspec.json.encode


def webhook_of(account: Account) -> Webhook | None:
    """How bodies of an account look; None when its source sends none."""
    webhook: Webhook | None = account.source.webhook
    return webhook


def possible_senders(fields: Fields, accounts: Iterable[Account]) -> list[Account]:
    """The accounts that a body may come from: those of the one source that recognises it. Empty for what is no webhook body,
    such as a custom record."""
    if "external_id" in fields:
        return []
    ours_first = sorted(accounts, key=lambda account: bool(account.source.third_party))
    found = [account for account in ours_first if _recognises(account, fields)]
    return [account for account in found if account.source.name == found[0].source.name]


def _recognises(account: Account, fields: Fields) -> bool:
    webhook = webhook_of(account)
    try:
        return webhook is not None and webhook.recognises(fields)
    except (
        Exception
    ):  # every sender's bodies are shown to every source; one of another package must not stop the others
        if account.source.third_party:
            return False
        raise


def landed_parts(
    webhook: Webhook, record: bytes, fields: Fields, headers: Mapping[str, str]
) -> Iterator[bytes | Unreadable]:
    """What is landed of one body: the rest of each line after its file and number, or why there is none."""
    if problem := name_twice(record):
        yield unreadable(record, problem)
        return
    delivery = headers.get(webhook.delivery_header.lower()) if webhook.delivery_header else None
    named = b',"delivery":' + _encode(delivery[:_MAX_DELIVERY]) if delivery else b""
    for part in webhook.parts(record, fields):
        yield part if isinstance(part, Unreadable) else named + part


def name_twice(record: bytes) -> str | None:
    """Which name stands twice in one object, anywhere inside: readers would disagree on its value."""
    doubled: list[str] = []

    def seen(pairs: list[tuple[str, Any]]) -> None:
        doubled.extend(
            f"{name[:40]} stands there {n} times" for name, n in Counter(k for k, _ in pairs).items() if n > 1
        )

    try:
        json.loads(record, object_pairs_hook=seen, parse_int=str)  # as text: Python refuses numbers of 4,300 digits
    except RecursionError:
        return "nested too deeply"
    return f"the name {doubled[0]}" if doubled else None
