"""An export of a workspace: a folder or zip file with lists of channels and people, and a folder of days for each channel.

Folders are called like channels now are. A reply is a row like any other, and the zone of the days is not told, so only `ts` counts.
The lists of private channels and of people may be missing. Sources: slack.com help, export your workspace data; the shape of
messages is that of the API. What is landed are the lines of `pull`, but for bookmarks, which no export has.

What does not belong here: opening files (`intake.archives`), what messages say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.declare import BadArchive, GivenFiles
from mttr_pipeline.sources.slack import SlackOptions
from mttr_pipeline.sources.slack.channels import (
    Channel,
    Names,
    channel_of,
    line_of,
    list_line,
    message_line,
    message_of,
)
from mttr_pipeline.sources.slack.people import person_line

PUBLIC, PRIVATE, PEOPLE = "channels.json", "groups.json", ("users.json", "org_users.json")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\.json")


class _Pin(msgspec.Struct):
    id: str


class _Pinned(msgspec.Struct):
    pins: list[_Pin] = []


_PINNED = msgspec.json.Decoder(_Pinned)


def top_of(names: Collection[str]) -> str | None:
    """The folder in which the list of channels stands, with its `/`; None where there is no list."""
    found = [name.rpartition("/")[0] for name in names if name.rpartition("/")[2] in (PUBLIC, PRIVATE)]
    top = min(found, key=len, default=None)
    return None if top is None else f"{top}/" if top else ""


def recognises(names: Collection[str]) -> bool:
    """Whether files with these names are an export of a workspace."""
    top = top_of(names)
    if top is None:
        return False
    has_people = any(f"{top}{name}" in names for name in PEOPLE)
    return has_people or any(name.startswith(top) and _DAY.fullmatch(name.rpartition("/")[2]) for name in names)


def lines(files: GivenFiles, options: SlackOptions) -> Iterator[tuple[str, bytes]]:
    """Stream and line of everything about incident channels. Raises BadArchive for a list that cannot be read."""
    top = top_of(files.names) or ""
    days: dict[str, list[str]] = {}
    for name in sorted(files.names):
        folder, _, day = name.removeprefix(top).rpartition("/")
        if name.startswith(top) and _DAY.fullmatch(day):
            days.setdefault(folder, []).append(name)
    names, writers = Names(options.channels), set[str]()
    for channel, row, is_private in _channels(files, top):
        if channel is None:
            yield "channels", line_of(row, None, None, readable=False)
        elif names.fit(channel) and (options.private_channels or not is_private):
            yield from _channel(files, channel, row, days, writers, is_private=is_private)
    for name in PEOPLE:
        for row in _list(files, top + name) if top + name in files.names else ():
            user = envelope.decode(row)
            number = user.get("id") if isinstance(user, dict) else None
            if number in writers and (line := person_line(number, user)) is not None:
                writers.discard(number)
                yield "users", line


def _channels(files: GivenFiles, top: str) -> Iterator[tuple[Channel | None, bytes, bool]]:
    for name in (PUBLIC, PRIVATE):
        if top + name in files.names:
            yield from ((channel_of(row), row, name == PRIVATE) for row in _list(files, top + name))


def _channel(
    files: GivenFiles, channel: Channel, row: bytes, days: dict[str, list[str]], writers: set[str], *, is_private: bool
) -> Iterator[tuple[str, bytes]]:
    """What is landed of a channel. The folder of one that was renamed meanwhile may have an earlier name."""
    folder = next((name for name in channel.names if name in days), None)
    seen = set()
    for day in days[folder] if folder else ():
        for message_row in _list(files, day):
            message = message_of(message_row)
            if message is not None:
                if message.ts in seen:
                    continue
                seen.add(message.ts)
                if message.user and not message.bot_id:
                    writers.add(message.user)
            yield "messages", message_line(channel.id, message, message_row)
    pinned = envelope.decode_as(_PINNED, row)
    pins = [msgspec.json.encode({"message": {"ts": pin.id}}) for pin in pinned.pins] if pinned else []
    yield "pins", list_line(channel.id, "items", pins)
    # One without messages may have been left out, as by the dates of the export: it is no empty one.
    yield "channels", line_of(row, channel.id, None, readable=folder is not None, private=is_private or None)


def _list(files: GivenFiles, name: str) -> list[bytes]:
    try:
        return envelope.items(files.read(name))
    except envelope.InvalidBody as error:
        raise BadArchive(str(files.path), f"{name} is no list of records ({error})") from error
