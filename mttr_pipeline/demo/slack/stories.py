"""The incident channels of the demonstration company.

For a third of the serious incidents a channel is made minutes after the page. Its topic, its bookmark or the first message of a bot
names the page or the ticket. People say there when users had service again, at times in a message that said something else before
it was edited, and hours later, in an older thread, why it broke. It is archived at the end. Traps stand beside them: a standing
channel, and talk about older incidents.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from mttr_pipeline.demo.slack.records import Room, Workspace

if TYPE_CHECKING:
    from mttr_pipeline.demo.facts import Case
    from mttr_pipeline.demo.world import World

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
STANDING = "inc-general"
_USERS = ("U01", "U02", "U03")


@dataclass(frozen=True)
class Channel:
    """What is said in one channel, and when; None where nobody says it.

    incident   tool and id of the record that it goes with
    named_in   where that is named: topic, ticket (its key in the topic), bookmark or bot
    mitigated  when somebody says that users have service again; with `edited`, the message became that then
    cause      when somebody says, in an older thread, why it broke
    """

    name: str
    incident: tuple[str, str]
    page: str
    ticket: str
    severity: str
    created: datetime
    named_in: str
    mitigated: datetime | None
    cause: datetime | None
    archived: datetime
    edited: datetime | None = None
    older: tuple[str, ...] = ()

    def instants(self) -> list[datetime]:
        """When the channel itself changes; messages have a time of their own."""
        edges = (self.created, self.created + MINUTE, self.mitigated, self.edited, self.cause, self.archived)
        return [at for at in edges if at is not None]


def channels_of(world: World) -> list[Channel]:
    """The channels of a company that deploys, in the order in which they were made; none of another one."""
    serious = world.serious() if world.deploys else []
    found = [_channel(world, place, case, serious) for place, case in enumerate(serious) if place % 3 == 0]
    found.sort(key=lambda one: (one.created, one.incident))
    # One mark that nothing else tells of became one when the message was edited.
    for place, one in enumerate(found):
        if one.mitigated and not any(fact.kind == "mitigated" for fact in world.by_id[one.incident].facts):
            found[place] = replace(one, edited=one.mitigated + 40 * MINUTE)
            break
    return found


def _channel(world: World, place: int, case: Case, serious: Sequence[Case]) -> Channel:
    luck = random.Random(f"{world.seed}:channel:{case.id}")
    end = case.ends()
    assert end is not None
    page, ticket = world.named((case.tool, case.id))
    created = case.created.replace(microsecond=0) + luck.randint(2, 9) * MINUTE
    told = next((fact.at + 3 * MINUTE for fact in case.facts if fact.kind == "mitigated"), None)
    said = told or case.created + (end - case.created) * 0.8
    mitigated = said.replace(microsecond=0) if said > created + 3 * MINUTE else None
    is_late = end < world.until and place >= len([one for one in serious if one.created < world.until]) - 3
    archived = max(end, created) + luck.randint(24, 72) * HOUR
    cause = max(end, created).replace(microsecond=0) + 20 * HOUR
    if is_late:
        cause, archived = world.until + 3 * HOUR, world.until + 9 * HOUR
    places = ("topic", "ticket" if ticket else "topic", "bookmark", "bot")
    older = tuple(world.named((one.tool, one.id))[0] for one in serious[max(0, place - 3) : max(0, place - 1)])
    return Channel(
        name=f"inc-{case.number}-{case.service.lower().replace(' ', '-')}",
        incident=(case.tool, case.id),
        page=page,
        ticket=ticket,
        severity=case.severity,
        created=created,
        named_in=places[place // 3 % 4],
        mitigated=mitigated,
        cause=cause if place % 2 else None,
        archived=archived.replace(microsecond=0),
        older=older if place % 5 == 0 else (),
    )


def instants_of(channels: Sequence[Channel], world: World) -> list[datetime]:
    """When something changes."""
    return sorted({at for channel in channels for at in channel.instants()} | {at for at, _ in _talk(world)})


def workspace_of(channels: Sequence[Channel], world: World, now: datetime) -> Workspace:
    """The workspace at `now`."""
    workspace = Workspace("larkspur")
    general = workspace.room(STANDING, world.start)
    for place, (at, page) in enumerate(_talk(world)):
        if at <= now:
            general.say(at, f"Who looks at <{page}>?" if page else "Nothing new.", user=_USERS[place % 3])
    for channel in channels:
        _play(workspace.room(channel.name, channel.created), channel, now)
    return workspace


def _talk(world: World) -> Iterator[tuple[datetime, str]]:
    """What is said in the standing channel: when, and the page that it names, on more days than a channel of an incident lasts."""
    for place, case in enumerate(world.serious()):
        yield case.created.replace(microsecond=0) + HOUR, world.named((case.tool, case.id))[0] if place % 7 == 1 else ""


def _play(room: Room, channel: Channel, now: datetime) -> None:
    """Everything that happened in a channel by `now`."""
    if channel.created > now:
        return
    topic = {"topic": f"{channel.severity} | <{channel.page}>", "ticket": f"{channel.severity} | {channel.ticket}"}
    start = channel.created + MINUTE
    if start <= now:
        room.topic(start, topic.get(channel.named_in, f"{channel.severity} | all hands"))
        if channel.named_in == "bookmark":
            room.bookmark("Page", channel.page)
        named = f"<{channel.page}|the page>" if channel.named_in == "bot" else "people were paged"
        room.tool(start, "opsbot", f"New incident: {named}")
    parent = room.say(start + MINUTE, "Looking", user="U02")
    if channel.older:
        room.say(start + 2 * MINUTE, f"As in {' and '.join(f'<{page}>' for page in channel.older)}?", user="U03")
    if channel.mitigated and channel.mitigated <= now:
        mark = "Mitigated: rolled back"
        ts = room.say(channel.mitigated, "Rolling back" if channel.edited else mark)
        if channel.edited and channel.edited <= now:
            room.edit(ts, channel.edited, mark)
    if channel.cause and channel.cause <= now:
        room.say(channel.cause, "Root cause found: the new release", user="U03", thread=parent)
    if channel.archived <= now:
        room.archive(channel.archived, user=_USERS[len(channel.name) % 3])
