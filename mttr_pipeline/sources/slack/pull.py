"""Slack Web API: incident channels with their messages, threads, pins and bookmarks, and the names of the people who wrote.

A channel is read again as long as it is not archived, and once after that; of an old message only the thread can change that the
lookback days still reach. What a history gives begins with the parents that `oldest` allows, so a late reply is found by the number
of replies of its parent, never by its own time. A channel is landed after its messages: one that could not be read in time is not
in the tables, rather than an incident that never ends. A message that is deleted at Slack stays here, because nothing lists it.

Streams: channels, messages, pins, bookmarks, users. Sources: docs.slack.dev (conversations.list, .history, .replies, pins.list,
bookmarks.list, users.info, rate limits, pagination).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.deadline import OutOfTime
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.ratelimit import Throttling
from mttr_pipeline.sources.kit.runner import Task
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of
from mttr_pipeline.sources.slack import (
    LATER,
    NO_BOOKMARKS,
    NO_PINS,
    NO_USERS,
    PRIVATE,
    RESTRICTED,
    UNREADABLE,
    SlackAccess,
    SlackOptions,
)
from mttr_pipeline.sources.slack.calls import SlackRefused, Web
from mttr_pipeline.sources.slack.channels import (
    Channel,
    Known,
    Names,
    as_ts,
    channel_of,
    earlier,
    is_settled,
    landed_channel,
    later,
    line_of,
    list_line,
    message_line,
    message_of,
    seconds_of,
    thread_state,
)
from mttr_pipeline.sources.slack.checking import check
from mttr_pipeline.sources.slack.people import person_line

PER_LIST = 999  # of channels; fewer may come although there are more
ODD = "unreadable"  # the window of rows that are no channels
PER_FILE = 50  # people landed together
#: About this channel alone; everything else is about the token.
_OF_THE_CHANNEL = {"not_in_channel", "channel_not_found", "missing_scope", "not_authorized", "is_archived"}


class Slack(HttpSource[SlackOptions]):
    """One workspace. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: SlackAccess,
        options: SlackOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        http = HttpClient(
            access.url,
            instance_title("Slack", "slack", name),
            options,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            address_variable=variable("API_URL"),
            remedies={401: f"check {variable('TOKEN')}", 403: f"check {variable('TOKEN')}"},
            # A wait that Slack asks for is its usual way to slow down, and one minute for each request of a restricted app.
            throttling=Throttling(silent=30.0, patience=600.0),
            **client,
        )
        super().__init__(name, options, http)
        self._web = Web(http, variable("TOKEN"))

    @property
    def scope(self) -> dict[str, Any]:
        """The channels that are read: with others, the history is read again."""
        return {"channels": list(self.options.channels), "private": self.options.private_channels}

    def check(self) -> str:
        """Ask who the app is, which scopes it has, and for the messages of one channel."""
        return check(self._web, self.title, self.options)

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return _Pull(self._web, self.options, plan, extract, progress)


class _Pull(Pull):
    """One extract under way."""

    def __init__(self, web: Web, options: SlackOptions, plan: Plan, extract: Extract, progress: Progress) -> None:
        super().__init__(web.client, options, plan, extract, progress)
        self._web, self._options = web, options
        self._names = Names(options.channels)
        #: What the next pull has to know.
        self._site: dict[str, Any] = extract.facts.setdefault("site", {})
        self._known: dict[str, Known] = dict(self._site.get("channels", {})) if plan.incremental else {}
        self._until = as_ts(plan.until)
        self._lookback = as_ts(plan.until - timedelta(days=options.lookback_days))
        self._address: str | None = None
        self._lock = threading.Lock()
        self._unreadable: dict[str, str] = {}
        self._denied: set[str] = set()  # methods that the token has no scope for
        self._has_asked = False  # for the names of all who wrote

    def run(self) -> None:
        self._address = envelope.decode_text(self._web.call("auth.test").get("url"))
        channels = [channel for channel in self._listed() if self._is_in_range(channel[0])]
        wanted = [one for one in channels if not self._is_settled(one[0])]
        try:
            self._runner.run([Task("channels", lambda one=one: self._channel(*one)) for one in wanted])  # type: ignore[misc]
            self._report_unreadable(len(channels))
            self._runner.run(self._people())
            self._has_asked = "users.info" not in self._denied
        except OutOfTime:
            done = set(self._extract.windows("channels"))
            if not self._web.pages.are_restricted or not done:
                raise
            # To fail would land nothing for days: what was read counts, and what was not is told and read next.
            self._report_unreadable(len(channels))
            self._runner.count(LATER, sum(one.id not in done for one, _ in wanted))
        self._runner.count(RESTRICTED, int(self._web.pages.are_restricted))
        self._runner.save()
        self._remember()

    # -- channels -----------------------------------------------------------------------------------------------

    def _listed(self) -> list[tuple[Channel, bytes]]:
        """The incident channels, each with the row as it was sent. Others are not landed."""
        try:
            return self._list("public_channel,private_channel" if self._options.private_channels else "public_channel")
        except SlackRefused as error:
            if error.error != "missing_scope" or not self._options.private_channels or "channels:read" in error.needed:
                raise
        self._runner.count(PRIVATE)
        return self._list("public_channel")

    def _list(self, types: str) -> list[tuple[Channel, bytes]]:
        found: dict[str, tuple[Channel, bytes]] = {}
        odd: list[bytes] = []

        def keep(rows: Iterable[bytes]) -> None:
            for row in rows:
                channel = channel_of(row)
                if channel is None:
                    odd.append(line_of(row, row_id(row), self._address, readable=False))
                elif self._names.fit(channel):
                    found[channel.id] = channel, row

        params = {"types": types, "exclude_archived": "false", "limit": PER_LIST}
        self._web.read("conversations.list", "channels", params, keep)
        if odd:
            self._extract.land("channels", ODD, odd)  # to end in quarantine
        return [found[number] for number in sorted(found)]

    def _is_in_range(self, channel: Channel) -> bool:
        """Whether it was made in the time that the pulls cover together."""
        since = (self._plan.covered_since or self._plan.since) if self._plan.incremental else self._plan.since
        return seconds_of(since) <= channel.created <= seconds_of(self._plan.until)

    def _is_settled(self, channel: Channel) -> bool:
        return is_settled(channel, self._known.get(channel.id), self._plan.until, self._options.quiet_days)

    def _channel(self, channel: Channel, row: bytes) -> list[Task]:
        """Land the messages of a channel, its lists, and then itself."""
        if self._is_landed(channel):
            return []
        try:
            read = self._messages(channel)
        except SlackRefused as error:
            if error.error not in _OF_THE_CHANNEL:
                raise
            with self._lock:
                self._unreadable[channel.id] = str(error)
            self._extract.land("channels", channel.id, [line_of(row, channel.id, self._address, readable=False)])
            return []
        self._list_of(channel, "pins", "pins.list", {"channel": channel.id}, "items", NO_PINS)
        self._list_of(channel, "bookmarks", "bookmarks.list", {"channel_id": channel.id}, "bookmarks", NO_BOOKMARKS)
        self._extract.land("channels", channel.id, [line_of(row, channel.id, self._address, read=read)])
        return []

    def _is_landed(self, channel: Channel) -> bool:
        """Whether an earlier attempt landed it whole."""
        if not self._extract.has("channels", channel.id):
            return False
        landed = (landed_channel(line) for line in self._extract.read("channels", channel.id))
        return any(one is not None and one.is_readable for one in landed)

    def _messages(self, channel: Channel) -> Known:
        """Land the messages that may be new, and give what is known of the channel then."""
        known = self._known.get(channel.id, {})
        before: str | None = known.get("latest")
        params: dict[str, Any] = {"channel": channel.id, "latest": self._until, "inclusive": "true"}
        since = {"oldest": earlier(before, self._lookback)} if before else {}
        latest, threads, seen = before or "", dict[str, list[Any]](), set[str]()
        with self._extract.writing("messages", channel.id) as write:

            def keep(rows: Iterable[bytes]) -> None:
                nonlocal latest
                for row in rows:
                    message = message_of(row)
                    if message is not None:
                        if message.ts in seen:  # a reply that was sent to the channel too stands in both lists
                            continue
                        seen.add(message.ts)
                        latest = later(latest, message.ts)
                        if state := thread_state(message):
                            threads[message.ts] = state
                    write(message_line(channel.id, message, row))

            self._web.read("conversations.history", "messages", {**params, **since}, keep)
            told = known.get("threads", {})
            for ts in [ts for ts, state in threads.items() if told.get(ts) != state]:
                try:
                    self._web.read("conversations.replies", "messages", {**params, "ts": ts}, keep)
                except SlackRefused as error:
                    if error.error != "thread_not_found":  # deleted since it was listed
                        raise
        kept = {ts: state for ts, state in threads.items() if earlier(ts, self._lookback) == self._lookback}
        return {"latest": latest, "updated": channel.updated, "archived": channel.is_archived, "threads": kept}

    def _list_of(
        self, channel: Channel, stream: str, method: str, params: dict[str, Any], name: str, finding: str
    ) -> None:
        """Land a list of a channel as one line, where the token may read it."""
        rows: list[bytes] = []
        try:
            if method not in self._denied:
                found = self._web.call(method, params)
                rows = envelope.items(found[name]) if name in found else []
                self._extract.land(stream, channel.id, [list_line(channel.id, name, rows)])
                return
        except SlackRefused as error:
            if error.error == "missing_scope":
                self._denied.add(method)
        self._runner.count(finding)

    def _report_unreadable(self, channels: int) -> None:
        """Count the channels that cannot be read; the manifest names them. Raises PermanentError when none can be."""
        if self._unreadable and len(self._unreadable) == channels:
            raise PermanentError(
                f"{self._client.title}: none of the {channels} incident channels can be read. "
                f"{next(iter(self._unreadable.values()))}"
            )
        counted = len(self._extract.facts.get("unreadable_channels", {}))  # by an attempt that this one resumes
        self._extract.facts["unreadable_channels"] = dict(sorted(self._unreadable.items()))
        self._runner.count(UNREADABLE, len(self._unreadable) - counted)

    # -- people -------------------------------------------------------------------------------------------------

    def _people(self) -> Iterator[Task]:
        """Tasks that read the names of those who wrote and were not known: other tools know people by their names."""
        wanted = sorted(self._unnamed())

        def task(key: str, part: list[str]) -> Task:
            def work() -> list[Task]:
                self._extract.land("users", key, (line for one in part if (line := self._person(one)) is not None))
                return []

            return Task("users", work)

        for start in range(0, len(wanted), PER_FILE):
            part = wanted[start : start + PER_FILE]
            if not self._extract.has("users", part[0]):
                yield task(part[0], part)

    def _unnamed(self) -> set[str]:
        """Ids of people whose messages this pull landed, or an earlier one that could not ask, and who are not known."""
        found = set(self._site.get("unnamed", []))
        for key in self._extract.windows("messages"):
            for line in self._extract.read("messages", key):
                row = envelope.members(line).get("record", b"")
                message = message_of(row)
                if message and message.user and not message.bot_id:
                    found.add(message.user)
        return found - set(self._site.get("users", []))

    def _person(self, number: str) -> bytes | None:
        """The name of somebody, and nothing else about them; None where it cannot be read, as of other companies' people."""
        try:
            if "users.info" not in self._denied:
                user = envelope.decode(self._web.call("users.info", {"user": number}).get("user"))
                return person_line(number, user)
        except SlackRefused as error:
            if error.error == "missing_scope":
                self._denied.add("users.info")
            elif error.error not in ("user_not_found", "user_not_visible"):
                raise
        self._runner.count(NO_USERS, int("users.info" in self._denied))
        return None

    def _remember(self) -> None:
        """Keep what the next pull has to know, as the landed lines have it: an earlier attempt may have landed some."""
        known = dict(self._site.get("channels", {}))
        for key in self._extract.windows("channels"):
            for line in self._extract.read("channels", key):
                landed = landed_channel(line)
                if landed is not None and landed.read:
                    known[landed.id] = landed.read
        self._site["channels"] = known
        people = sorted(self._unnamed())
        self._site["unnamed"] = [] if self._has_asked else people
        if self._has_asked:
            self._site["users"] = sorted({*self._site.get("users", []), *people})
