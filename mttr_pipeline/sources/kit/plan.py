"""The plan of one pull: the range that it reads, and why.

What does not belong here: HTTP, any vendor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from mttr_pipeline.config.options import DEFAULT_BACKFILL_DAYS, SourceOptions
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.landing.manifest import CLOCK_TOLERANCE, Manifest, disbelieved
from mttr_pipeline.sources.kit.windows import Window, whole_second

Mode = Literal["backfill", "incremental", "full"]


@dataclass(frozen=True)
class Plan:
    """What one pull reads, in the range `[since, until)`. All instants are UTC and whole seconds.

    mode             backfill: everything created (and logged) in the range
                     full: the same, requested with --full-refresh
                     incremental: everything that changed since the high-water mark, which is `since`
    as_of            the clock of the run
    requested_since, requested_until  what the user asked for, None without
    high_water       the high-water mark: up to here the complete extracts hold every change; None before the first one
    covered_since    the earliest creation that the complete extracts cover together
    scope            everything else that decides which records the source gives (e.g. a query): when it changes, the
                     history is read again
    """

    as_of: datetime
    since: datetime
    until: datetime
    mode: Mode
    requested_since: datetime | None = None
    requested_until: datetime | None = None
    full_refresh: bool = False
    high_water: datetime | None = None
    covered_since: datetime | None = None
    scope: dict[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        """The range; empty when the clock of the run is before the high-water mark."""
        return Window(min(self.since, self.until), self.until)

    @property
    def incremental(self) -> bool:
        """Whether only changes are read."""
        return self.mode == "incremental"

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON, for the landing zone."""
        return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Plan:
        """The inverse of `as_json`. Raises ValueError or TypeError for anything else."""
        instants = ("as_of", "since", "until", "requested_since", "requested_until", "high_water", "covered_since")
        values: dict[str, Any] = {
            k: datetime.fromisoformat(v) if k in instants and v else v for k, v in content.items()
        }
        return cls(**values)


def make_plan(
    options: SourceOptions,
    complete: Sequence[Manifest],
    *,
    as_of: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
    full_refresh: bool = False,
    scope: dict[str, Any] | None = None,
    removed_since: datetime | None = None,
) -> Plan:
    """Plan a pull from the complete extracts so far (oldest first) and what the user asked for. `removed_since` is from when on
    extracts had read that were removed for their age: what they had is not read again.

    A pull is incremental when there is a high-water mark, no `since`, no full refresh, the scope is unchanged and the
    configured date is covered. Raises ConfigError when the range that the user asked for is empty.
    """
    as_of = whole_second(as_of)
    end = min(as_of, whole_second(until)) if until else as_of
    configured = _instant(options.since)
    asked = whole_second(since) if since else None
    scope = scope or {}
    marked = [m for m in complete if m.high_water]
    covered = min((s for m in complete if (s := _covered_since(m))), default=None)
    if covered is None and removed_since is not None:  # pulls of changes follow each other without a gap
        covered = min((datetime.fromisoformat(m.plan["since"]) for m in marked if m.plan.get("since")), default=None)
    read_since = min((instant for instant in (covered, removed_since) if instant), default=None)
    mark = datetime.fromisoformat(marked[-1].high_water or "") if marked else None
    start = asked or configured or as_of - timedelta(days=DEFAULT_BACKFILL_DAYS)
    if (asked or until or mark is None) and start >= end and (asked or until):
        raise ConfigError(
            f"--since {start.isoformat()} is not before --until {end.isoformat()}; there is nothing to pull."
        )
    mode: Mode = "backfill"
    if full_refresh:
        mode = "full"
    elif (
        mark is not None
        and asked is None
        and marked[-1].plan.get("scope", {}) == scope
        and (configured is None or read_since is None or configured >= read_since)
    ):
        mode = "incremental"
        start = mark
    return Plan(
        as_of=as_of,
        since=min(start, end),
        until=end,
        mode=mode,
        requested_since=asked or configured,
        requested_until=whole_second(until) if until else None,
        full_refresh=full_refresh,
        high_water=mark,
        covered_since=covered,
        scope=scope,
    )


def believed(complete: Sequence[Manifest], now: datetime | None = None) -> tuple[list[Manifest], list[Manifest]]:
    """The extracts whose high-water mark can be true, and those whose mark cannot: it is later than the machine's clock (`now`).

    Such a mark was made while the clock ran ahead, and a pull that began there would skip what happened up to it. An extract that
    was not believed once is never believed later, when its mark has become the past.
    """
    latest = (now or datetime.now(UTC)) + CLOCK_TOLERANCE
    known = disbelieved(complete)
    ahead = [
        m for m in complete if m.extract_id in known or (m.high_water and datetime.fromisoformat(m.high_water) > latest)
    ]
    return [m for m in complete if m not in ahead], ahead


def next_high_water(plan: Plan, options: SourceOptions, now: datetime | None = None) -> datetime | None:
    """The high-water mark of a finished extract: `until` minus the lag, never after the current time (`now`).

    None when the extract does not advance the mark: it began after the old mark (there is a gap), or ended before it.
    """
    mark = min(plan.until, whole_second(now or datetime.now(UTC))) - timedelta(minutes=options.lag_minutes)
    if plan.high_water is not None and (plan.since > plan.high_water or mark <= plan.high_water):
        return None
    return mark


def _covered_since(manifest: Manifest) -> datetime | None:
    plan = manifest.plan
    if plan.get("mode") == "incremental" or not plan.get("since"):
        return None
    return datetime.fromisoformat(plan["since"])


def _instant(value: date | datetime | None) -> datetime | None:
    """A configured date as its first instant in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return whole_second(value if value.tzinfo else value.replace(tzinfo=UTC))
