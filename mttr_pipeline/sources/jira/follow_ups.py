"""Post-mortems and follow-up actions: issues that are no incidents, read beside them.

Post-mortems are found by their type, and read like incidents: those of the whole range at first, then those that changed. Actions
are found by their links: issues that a landed ticket or post-mortem is linked with by one of the configured types. An action changes
without them, so the ids of those that are not done are kept for the next pull, which asks which of them changed: 100 with a request.
An action that is reopened after it was done is seen when its ticket or post-mortem changes.

Streams: post_mortems; actions. What does not belong here: how issues are searched, and which links tell of an action in the tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.options import DEFAULT_BACKFILL_DAYS
from mttr_pipeline.sources.jira.jql import combined, created_in
from mttr_pipeline.sources.jira.site import type_jql, types_of
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import EPOCH, OVERLAP
from mttr_pipeline.sources.kit.runner import Runner, Task
from mttr_pipeline.sources.kit.windows import Window, epoch_ms

if TYPE_CHECKING:
    from mttr_pipeline.sources.jira import JiraOptions
    from mttr_pipeline.sources.jira.issues import IssuePull

POST_MORTEMS, ACTIONS = "post_mortems", "actions"
IDS_PER_SEARCH = 100


class _Named(msgspec.Struct, frozen=True):
    id: str | int = ""
    name: str = ""


class _Category(msgspec.Struct, frozen=True):
    key: str = ""


class _Status(msgspec.Struct, frozen=True):
    statusCategory: _Category = _Category()


class _Link(msgspec.Struct, frozen=True):
    type: _Named = _Named()
    outwardIssue: _Named | None = None
    inwardIssue: _Named | None = None


class _Fields(msgspec.Struct, frozen=True):
    status: _Status | None = None
    issuelinks: list[_Link] | None = None


class _Issue(msgspec.Struct, frozen=True):
    id: str | int
    fields: _Fields = _Fields()


_ISSUE = msgspec.json.Decoder(_Issue)


class Memory(msgspec.Struct):
    """What one pull keeps for the next one, in `facts["site"]` of the manifest.

    query       what selected the post-mortems; with another one, the history is read again
    read_until  the end of the last pull that read them
    open        ids of the actions that were not done
    """

    query: str = ""
    read_until: datetime | None = None
    open: list[str] = []

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Memory:
        """What the last complete pull kept; nothing where that is not there or of another release."""
        try:
            return msgspec.convert(facts.get("site", {}).get("follow_ups", {}), cls, strict=False)
        except msgspec.ValidationError:
            return cls()


class FollowUps:
    """The post-mortems and actions of one pull, after its issues have landed."""

    def __init__(self, client: HttpClient, runner: Runner, options: JiraOptions, plan: Plan, pull: IssuePull) -> None:
        self._client, self._runner, self._options, self._plan, self._pull = client, runner, options, plan, pull
        self._extract = runner.extract
        self._memory = Memory.of(self._extract.facts)

    def run(self) -> None:
        """Land what is not landed yet, and leave what the next pull needs. Raises MttrError."""
        query = self._options.post_mortem_jql or type_jql(
            self._client, self._pull.api, types_of("post_mortem", self._options.type)
        )
        if query:
            self._runner.run(self._post_mortems(query))
        else:
            self._runner.count("no_post_mortem_type")
        linked = self._linked()
        self._runner.run(self._actions("linked", linked, []))
        waiting = sorted(set(self._memory.open) - linked, key=_number)
        if self._plan.incremental and self._memory.read_until is not None:
            changed = [f"updated >= {epoch_ms(self._memory.read_until - OVERLAP)}"]
            self._runner.run(self._actions("open", waiting, changed))
        kept = Memory(query or "", self._plan.until, self._open(waiting))
        self._extract.facts["site"] = {**self._extract.facts.get("site", {}), "follow_ups": msgspec.to_builtins(kept)}

    # -- post-mortems -------------------------------------------------------------------------------------------

    def _post_mortems(self, query: str) -> Iterator[Task]:
        """Those that changed since they were read last; all of the range where that is not known, or the query is another one."""
        plan, read_until = self._plan, self._memory.read_until
        is_known = plan.incremental and read_until is not None and self._memory.query == query
        changed: list[str] = []
        if is_known and read_until is not None:
            kind, whole = "changed", Window(EPOCH, max(EPOCH, plan.until))
            changed = [f"updated >= {epoch_ms(read_until - OVERLAP)}"]
        else:
            since = plan.since
            if plan.incremental:
                since = plan.requested_since or plan.as_of - timedelta(days=DEFAULT_BACKFILL_DAYS)
            kind, whole = "created", Window(min(since, plan.until), plan.until)

        def land(window: Window, key: str) -> list[Task]:
            jql = combined(query, [*changed, created_in(window, no_start=is_known and window.since == EPOCH)])
            self._pull.land_found(POST_MORTEMS, key, jql, can_split=window.seconds > 1)
            return []

        return self._runner.window_tasks(POST_MORTEMS, kind, whole, land, target=self._pull.issues_per_window)

    # -- actions ------------------------------------------------------------------------------------------------

    def _linked(self) -> set[str]:
        """Ids of the issues that landed tickets and post-mortems are linked with by a type that tells of an action."""
        reviews = set(self._ids(POST_MORTEMS))
        tickets = set(self._ids("issues"))
        found = self._linked_by("issues", self._options.incident_action_links)
        found |= self._linked_by(POST_MORTEMS, self._options.post_mortem_action_links)
        return found - reviews - tickets

    def _linked_by(self, stream: str, types: Collection[str]) -> set[str]:
        wanted = {normalize(name) for name in types}
        found = set()
        for key in self._extract.windows(stream):
            for row in self._extract.read(stream, key):
                issue = envelope.decode_as(_ISSUE, row) if b'"issuelinks":[{' in row else None
                for link in (issue.fields.issuelinks or ()) if issue else ():
                    other = link.outwardIssue or link.inwardIssue
                    if other and other.id and normalize(link.type.name) in wanted:
                        found.add(str(other.id))
        return found

    def _ids(self, stream: str) -> Iterator[str]:
        for key in self._extract.windows(stream):
            yield from (
                str(issue.id) for row in self._extract.read(stream, key) if (issue := envelope.decode_as(_ISSUE, row))
            )

    def _actions(self, kind: str, ids: Collection[str], clauses: Sequence[str]) -> Iterator[Task]:
        ordered = sorted(ids, key=_number)
        for start in range(0, len(ordered), IDS_PER_SEARCH):
            yield self._task(f"{kind} {start}", ordered[start : start + IDS_PER_SEARCH], clauses)

    def _task(self, key: str, ids: list[str], clauses: Sequence[str]) -> Task:
        def work() -> list[Task]:
            self._search(key, ids, clauses)
            return []

        return Task(ACTIONS, work)

    def _search(self, key: str, ids: list[str], clauses: Sequence[str]) -> None:
        """Land those of the issues that can be read. A site may refuse a query that names an issue which is deleted or hidden."""
        if self._extract.has(ACTIONS, key):
            return
        jql = combined("", [f"id in ({', '.join(ids)})", *clauses])
        try:
            self._pull.land_found(ACTIONS, key, jql, can_split=False)
        except HttpRefused as error:
            if error.status != 400:
                raise
            if len(ids) == 1:
                self._runner.count("actions_not_readable")
                return
            half = len(ids) // 2
            self._search(f"{key} a", ids[:half], clauses)
            self._search(f"{key} b", ids[half:], clauses)

    def _open(self, waiting: Sequence[str]) -> list[str]:
        """The actions that the next pull has to ask for: those that were not done when they were read last."""
        is_open = dict.fromkeys(waiting, True)
        for key in self._extract.windows(ACTIONS):
            for row in self._extract.read(ACTIONS, key):
                if issue := envelope.decode_as(_ISSUE, row):
                    status = issue.fields.status
                    is_open[str(issue.id)] = status is None or status.statusCategory.key != "done"
        return sorted((name for name, waits in is_open.items() if waits), key=_number)


def _number(name: str) -> tuple[int, str]:
    """Ids in the order of their numbers."""
    return len(name), name
