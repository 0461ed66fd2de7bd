"""Channels: which of them are incidents', what has to be read of one again, and how one is landed.

What does not belong here: requests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from mttr_pipeline.sources.kit import envelope

#: What has been read of a channel: the ts of its newest message, when anything about it changed (milliseconds), whether it was
#: archived, and of each recent thread the number of replies with the newest one.
Known = dict[str, Any]


class Channel(msgspec.Struct):
    """The few fields of a conversation that decide whether it is read. Instants are seconds, `updated` is milliseconds."""

    id: str
    name: str | None = None
    name_normalized: str | None = None
    previous_names: list[str] | None = None
    created: float = 0
    updated: float | None = None
    is_archived: bool | None = None
    is_private: bool | None = None

    @property
    def names(self) -> list[str]:
        """Its name, and those that it had."""
        found = [self.name, self.name_normalized, *(self.previous_names or ())]
        return [name for name in found if name]


class Message(msgspec.Struct):
    """The few fields of a message that decide what else is read. Each `ts` is a text: as a number it would lose digits."""

    ts: str
    thread_ts: str | None = None
    reply_count: int | None = None
    latest_reply: str | None = None
    user: str | None = None
    bot_id: str | None = None


class Landed(msgspec.Struct):
    """What a landed channel keeps of its reading."""

    id: str
    is_readable: bool = True
    read: Known | None = None


_CHANNEL = msgspec.json.Decoder(Channel)
_MESSAGE = msgspec.json.Decoder(Message)
_LANDED = msgspec.json.Decoder(Landed)


class Names:
    """The patterns of the names of incident channels."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def fit(self, channel: Channel) -> bool:
        """Whether a channel is one of incidents, by its name or one that it had: tools rename the channel of an incident."""
        return any(pattern.search(name) for pattern in self._patterns for name in channel.names)


def channel_of(row: bytes) -> Channel | None:
    """A row of the list; None when it is no channel."""
    return envelope.decode_as(_CHANNEL, row)


def message_of(row: bytes) -> Message | None:
    """A row of a history; None when it has no ts."""
    return envelope.decode_as(_MESSAGE, row)


def landed_channel(line: bytes) -> Landed | None:
    """A landed line of a channel."""
    return envelope.decode_as(_LANDED, line)


def is_settled(channel: Channel, known: Known | None, now: datetime, quiet_days: int) -> bool:
    """Whether nothing new can be in a channel: it is archived and was read since, or nothing was said in it for long."""
    if not known or known.get("updated") != channel.updated or bool(known.get("archived")) != bool(channel.is_archived):
        return False
    last = float(known.get("latest") or channel.created)
    return bool(channel.is_archived) or now.timestamp() - last > quiet_days * 86_400


def thread_state(message: Message) -> list[Any] | None:
    """What changes when a thread gets another reply; None for a message without a thread, and for a reply."""
    if not message.reply_count or (message.thread_ts or message.ts) != message.ts:
        return None
    return [message.reply_count, message.latest_reply]


def as_ts(instant: datetime) -> str:
    """An instant as Slack writes it."""
    return f"{int(instant.timestamp())}.{instant.microsecond:06d}"


def earlier(one: str, other: str) -> str:
    """The earlier of two ts, which are no numbers of one length."""
    return min(one, other, key=_order)


def later(one: str, other: str) -> str:
    """The later of two ts."""
    return max(one, other, key=_order)


def _order(ts: str) -> tuple[int, str]:
    seconds, _, rest = ts.partition(".")
    return int(seconds) if seconds.isdecimal() else 0, rest


def seconds_of(instant: datetime) -> float:
    """Seconds since 1970 of an instant in UTC."""
    return instant.astimezone(UTC).timestamp()


def line_of(
    row: bytes,
    number: str | None,
    site: str | None,
    *,
    readable: bool = True,
    read: Known | None = None,
    private: bool | None = None,
) -> bytes:
    """The line of a channel: what has been read of it, and the channel as it was sent. `private` is for one that does not say so
    itself."""
    told = {"id": number, "site": site, "is_readable": readable, "read": read, "is_private": private}
    head = msgspec.json.encode({name: value for name, value in told.items() if value is not None})
    return head[:-1] + b',"record":' + row + b"}"


def message_line(channel: str, message: Message | None, row: bytes) -> bytes:
    """The line of a message, which does not name its channel. Its id is made of both; None where it has no ts."""
    head = msgspec.json.encode({"id": f"{channel}/{message.ts}" if message else None, "channel": channel})
    return head[:-1] + b',"record":' + row + b"}"


def list_line(channel: str, name: str, rows: Iterable[bytes]) -> bytes:
    """The line of a list that a channel has as a whole, such as its pins: what left the list is not in it any more."""
    return b'{"id":' + msgspec.json.encode(channel) + b',"' + name.encode() + b'":[' + b",".join(rows) + b"]}"
