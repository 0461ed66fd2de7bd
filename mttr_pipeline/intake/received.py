"""Received webhook bodies: whose they are, and the lines they become in the landing zone, source `inbox`, stream = account.

    {"file": <name>, "line": <1-based>, "delivery": <the sender's id of the delivery>, "body": {...}}
    {"file": <name>, "line": <1-based>, "unreadable": <text>, "reason": <why>}

A body stands there as it came; a source may split it into several lines, such as one for each alert.

What belongs here: asking each source whether a body is its own. What does not: how a sender's bodies look (the source's
declaration says that), any judgement of a value, which is the matter of SQL, and reading files (`landing.readers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from mttr_pipeline.config.settings import Account
from mttr_pipeline.landing import scanner
from mttr_pipeline.landing.readers import Unreadable, kept_whole
from mttr_pipeline.landing.repeats import name_twice, readings
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
    delivery = headers.get(webhook.delivery_header.lower()) if webhook.delivery_header else None
    named = b',"delivery":' + _encode(delivery[:_MAX_DELIVERY]) if delivery else b""
    problem = name_twice(record)
    for part in _sound_parts(webhook, record, problem) if problem else webhook.parts(record, fields):
        yield part if isinstance(part, Unreadable) else named + part


def _sound_parts(webhook: Webhook, record: bytes, problem: str) -> Iterator[bytes | Unreadable]:
    """The parts of a body in which a name stands twice somewhere. One that holds the name cannot be used, the others can.

    Where the name stands around the parts, its first value counts, as in what a vendor's API sends. What another reading makes of
    the body is not used, but kept and told.
    """
    found = readings(record)
    if found is None:
        yield kept_whole(record, problem)
        return
    given = [list(webhook.parts(record, reading)) for reading in found if webhook.recognises(reading)]
    if len(given) < len(found):
        yield kept_whole(record, problem)
    for place, part in enumerate(given[0], 1):
        if isinstance(part, Unreadable):
            yield part
        elif inside := _name_twice_in(part):
            which = f"{webhook.noun} {place}: " if len(given[0]) > 1 else ""
            yield kept_whole(_body_of(part), which + inside)
        else:
            yield part
    told = set(given[0])
    for part in (part for parts in given[1:] for part in parts):
        if part not in told:
            yield part if isinstance(part, Unreadable) else kept_whole(_body_of(part), problem)
            told.add(part)


def _members_of(part: bytes) -> dict[str, bytes]:
    return dict(scanner.members(b"{" + part.removeprefix(b",") + b"}"))


def _name_twice_in(part: bytes) -> str | None:
    return next(filter(None, map(name_twice, _members_of(part).values())), None)


def _body_of(part: bytes) -> bytes:
    """The body alone, or all members of the line where there are others."""
    members = _members_of(part)
    return members["body"] if members.keys() == {"body"} else b"{" + part.removeprefix(b",") + b"}"
