"""A workspace of Slack as it is: rooms that people and bots write in, and the shape of its objects.

    workspace = Workspace()
    room = workspace.room("inc-42-checkout", at)                  # a channel made at that instant, that the app is a member of
    parent = room.say(at + MINUTE, "Looking", user="U01")         # gives the ts
    room.say(at + DAY, "Mitigated: rolled back", thread=parent)   # a reply; broadcast=True sends it to the channel too
    room.topic(at + HOUR, "SEV2 | Resolved")                      # changes the topic, and says so in the channel
    room.edit(parent, at + HOUR, "Mitigated: at last")
    room.pin(parent, at + HOUR); room.bookmark("Ticket", "https://..."); room.archive(at + DAY); room.rename(at, "2026-checkout")

What belongs here: the shape of the objects (docs.slack.dev). What does not: requests, paging, limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mttr_pipeline.demo.kit.wire import epoch_ms

Json = dict[str, Any]


def ts_of(at: datetime, number: int = 0) -> str:
    """The ts of a message: seconds, and digits that tell the messages of one second apart."""
    return f"{int(at.timestamp())}.{number:06d}"


@dataclass
class Room:
    """One channel. `member` is whether the app is in it. Everything in `extra` goes into the object of the channel as it is."""

    id: str
    name: str
    created: datetime
    creator: str = "U01"
    is_private: bool = False
    member: bool = True
    extra: Json = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)
    pins: list[Json] = field(default_factory=list)
    bookmarks: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updated = self.created
        self.is_archived = False
        self.previous_names: list[str] = []
        self._texts: dict[str, Json] = {
            kind: {"value": "", "creator": "", "last_set": 0} for kind in ("topic", "purpose")
        }
        self._said = 0
        self._system(self.created, "channel_join", f"<@{self.creator}> has joined the channel")

    def say(
        self,
        at: datetime,
        text: str,
        user: str | None = "U01",
        thread: str | None = None,
        broadcast: bool = False,
        **more: Any,
    ) -> str:
        """A message; gives its ts. Without a user it is that of a bot, which `more` names."""
        self._said += 1
        row: Json = {"type": "message", "ts": ts_of(at, self._said), "text": text, **more}
        if user:
            row["user"] = user
        if thread:
            row["thread_ts"] = thread
        if broadcast:
            row["subtype"] = "thread_broadcast"
        self.messages.append(row)
        return str(row["ts"])

    def tool(self, at: datetime, bot: str, text: str, **more: Any) -> str:
        """A message of a tool's bot: its content stands in a block, and the text is empty."""
        blocks = [{"type": "section", "block_id": "b1", "text": {"type": "mrkdwn", "text": text, "verbatim": False}}]
        return self.say(
            at, "", user=None, subtype="bot_message", bot_id=f"B{bot.upper()}", username=bot, blocks=blocks, **more
        )

    def edit(self, ts: str, at: datetime, text: str, user: str = "U01") -> None:
        """Change a message: its ts stays, and what it said before is gone."""
        row = next(row for row in self.messages if row["ts"] == ts)
        row |= {"text": text, "edited": {"user": user, "ts": ts_of(at)}}

    def delete(self, ts: str) -> None:
        """Delete a message without a trace."""
        self.messages = [row for row in self.messages if row["ts"] != ts]

    def topic(self, at: datetime, value: str, user: str = "U01", kind: str = "topic") -> None:
        """Set the topic, or the purpose."""
        self.updated = at
        self._texts[kind] = {"value": value, "creator": user, "last_set": int(at.timestamp())}
        self._system(at, f"channel_{kind}", f"<@{user}> set the channel {kind}: {value}", user, **{kind: value})

    def rename(self, at: datetime, name: str, user: str = "U01") -> None:
        """Give it another name; its id stays."""
        self._system(
            at,
            "channel_name",
            f"<@{user}> has renamed the channel from {self.name} to {name}",
            user,
            old_name=self.name,
        )
        self.previous_names.insert(0, self.name)
        self.name, self.updated = name, at

    def archive(self, at: datetime, user: str = "U01") -> None:
        """Archive it. Nothing but this message tells when."""
        self._system(at, "channel_archive", f"<@{user}> archived the channel", user)
        self.is_archived, self.updated = True, at

    def pin(self, ts: str, at: datetime, user: str = "U01") -> None:
        """Pin a message."""
        self.pins.append({"type": "message", "created": int(at.timestamp()), "created_by": user, "ts": ts})

    def bookmark(self, title: str, link: str) -> None:
        """Add a bookmark."""
        number = len(self.bookmarks) + 1
        self.bookmarks.append(
            {"id": f"Bk{number}", "channel_id": self.id, "title": title, "link": link, "type": "link"}
        )

    def _system(self, at: datetime, subtype: str, text: str, user: str | None = None, **more: Any) -> None:
        self.say(at, text, user or self.creator, subtype=subtype, **more)

    # -- as the API shows it -----------------------------------------------------------------------------------------

    def listed(self) -> Json:
        """The conversation object. `created` is in seconds, `updated` in milliseconds, and any property changes it."""
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "previous_names": list(self.previous_names),
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_private": self.is_private,
            "is_archived": self.is_archived,
            "is_general": False,
            "is_member": self.member,
            "created": int(self.created.timestamp()),
            "updated": epoch_ms(self.updated),
            "creator": self.creator,
            "context_team_id": "T01",
            "num_members": 4,
            **self._texts,
            **self.extra,
        }

    def shown(self, now: datetime) -> list[Json]:
        """All messages so far, the oldest first, parents with what their threads count."""
        rows = [dict(row) for row in self.messages if row["ts"] <= ts_of(now, 999_999)]
        pinned = {pin["ts"] for pin in self.pins}
        threads: dict[str, list[str]] = {}
        for row in rows:
            if isinstance(row.get("thread_ts"), str):
                threads.setdefault(row["thread_ts"], []).append(row["ts"])
            if row["ts"] in pinned:
                row["pinned_to"] = [self.id]
        for row in rows:
            if replies := threads.get(row["ts"]):
                row |= {"thread_ts": row["ts"], "reply_count": len(replies), "latest_reply": max(replies)}
        return sorted(rows, key=lambda row: row["ts"])


class Workspace:
    """Everything that a workspace holds. `users` are the objects of people by id."""

    def __init__(self, domain: str = "acme") -> None:
        self.domain = domain
        self.rooms: list[Room] = []
        self.users: dict[str, Json] = {}
        for number, name in enumerate(("Ana Diaz", "Wei Chen", "Hana Sato"), start=1):
            self.user(f"U{number:02d}", name)

    def room(self, name: str, created: datetime, **how: Any) -> Room:
        """Make a channel."""
        number = how.pop("id", f"C{len(self.rooms) + 1:09d}A")
        self.rooms.append(Room(number, name, created, **how))
        return self.rooms[-1]

    def user(self, number: str, name: str, **more: Any) -> None:
        """Somebody, with the profile that nobody needs."""
        handle = name.split()[0].lower()
        profile = {"real_name": name, "email": f"{handle}@example.com", "phone": "+15550100", "title": "Engineer"}
        told = {"id": number, "team_id": "T01", "name": handle, "real_name": name, "profile": profile, "is_bot": False}
        self.users[number] = told | more

    def page(self, room: Room) -> str:
        """The address of a channel."""
        return f"https://{self.domain}.slack.com/archives/{room.id}"


def newest_first(rows: Iterable[Json]) -> list[Json]:
    """Rows in the order of a history."""
    return sorted(rows, key=lambda row: str(row["ts"]), reverse=True)
