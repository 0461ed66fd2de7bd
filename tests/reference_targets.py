"""Bottlenecks, trend, targets and data quality once more, in plain Python: what the SQL is held against.

Written from the definitions and not from the SQL, one incident at a time and on exact fractions. Instants and durations are
integers, microseconds since 1970; an incident's stamps are a list in the order of its life.
"""

from __future__ import annotations

import calendar
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OUTLIER = 168 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STAMPS = (
    "occurred",
    "detected",
    "acknowledged",
    "investigating",
    "root_cause_found",
    "mitigated",
    "resolved",
    "closed",
)
OCCURRED, DETECTED, ACKNOWLEDGED, INVESTIGATING, CAUSE, MITIGATED, RESOLVED, CLOSED = range(8)
VARIANTS = {
    "basic": (DETECTED, RESOLVED),
    "service_restore": (DETECTED, MITIGATED),
    "full_recovery": (DETECTED, CLOSED),
}
PHASES = {
    "lifecycle": {
        "detection": (OCCURRED, DETECTED),
        "acknowledgment": (DETECTED, ACKNOWLEDGED),
        "investigation": (ACKNOWLEDGED, CAUSE),
        "mitigation": (CAUSE, MITIGATED),
        "resolution": (MITIGATED, RESOLVED),
        "closure": (RESOLVED, CLOSED),
    },
    "coarse": {
        "detection": (OCCURRED, DETECTED),
        "acknowledgment": (DETECTED, ACKNOWLEDGED),
        "investigation": (ACKNOWLEDGED, MITIGATED),
        "mitigation": (MITIGATED, RESOLVED),
        "closure": (RESOLVED, CLOSED),
    },
}
LEVELS = {"detection": (5, 15), "acknowledgment": (5, 10), "investigation": (30, 60), "mitigation": (15, 30)}
TARGETS: dict[str, float] = {"SEV1": 30, "SEV2": 120, "SEV3": 480, "SEV4": 1440}
CODES = {"detection": "DET", "acknowledgment": "ACK", "investigation": "INV", "mitigation": "MIT"}
MONTHS_BACK = 4


@dataclass(frozen=True)
class Incident:
    """One incident that counts. `stamps` has eight places."""

    id: str
    stamps: tuple[int | None, ...]
    severity: str = "SEV3"
    service: str | None = None
    team: str | None = None
    source: str = "custom"
    auto_resolved: bool = False
    is_before_history: bool = False
    updated: int | None = None

    @property
    def started(self) -> int:
        detected = self.stamps[DETECTED]
        return min(at for at in self.stamps if at is not None) if detected is None else detected

    def scopes(self) -> dict[str, str]:
        return {
            "all": "all",
            "severity": self.severity,
            "service": self.service or "unknown",
            "team": self.team or "unknown",
        }


def us(minutes: float) -> int:
    return round(minutes * MINUTE)


def population(incident: Incident, span: tuple[int, int]) -> tuple[str, int | None]:
    """The population an incident falls in, and its duration where it has one."""
    start, end = (incident.stamps[place] for place in span)
    if start is None:
        return "missing_start", None
    if end is None:
        later = [at for at in incident.stamps[span[1] :] if at is not None]
        return ("missing_end" if later else "open"), None
    if end < start:
        return "invalid", None
    return ("outlier" if end - start > OUTLIER else "analysed"), end - start


def is_too_late(incident: Incident, phase: str) -> bool:
    """Whether it was acknowledged after its resolve: then it has no acknowledgment phase."""
    acknowledged, resolved = incident.stamps[ACKNOWLEDGED], incident.stamps[RESOLVED]
    return phase == "acknowledgment" and None not in (acknowledged, resolved) and acknowledged > resolved  # type: ignore[operator]


def phase_us(incident: Incident, model: str, phase: str) -> int | None:
    """The valid duration of a phase."""
    start, end = (incident.stamps[place] for place in PHASES[model][phase])
    if is_too_late(incident, phase):
        return None
    return end - start if start is not None and end is not None and end >= start else None


def median(values: Iterable[int]) -> Fraction:
    return quantile(values, Fraction(1, 2))


def quantile(values: Iterable[int], p: Fraction) -> Fraction:
    """Linear at (n - 1) p."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * p
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])


def minutes(value: Fraction | int | None) -> float | None:
    return None if value is None else float(Fraction(value) / MINUTE)


def within(window: tuple[int, int] | None) -> Callable[[Incident], bool]:
    return lambda incident: window is None or window[0] <= incident.started < window[1]


# -- bottlenecks, opportunities, recommendations -----------------------------------------------------------------------


@dataclass(frozen=True)
class Configured:
    """What a user set: (scope, member, phase) -> levels; (severity, service) -> target; phase -> target; variants."""

    levels: dict[tuple[str, str, str], tuple[float, float]]
    targets: dict[tuple[str, str | None], float]
    phases: dict[str, float]
    variants: dict[str, tuple[int, int]]
    at_risk: Fraction = Fraction(80)

    def levels_of(self, scope: str, member: str, phase: str) -> tuple[float, float] | None:
        own = self.levels.get((scope, member, phase)) if scope in ("severity", "service") else None
        return own or self.levels.get(("all", "all", phase)) or LEVELS.get(phase)

    def target_of(self, incident: Incident) -> float | None:
        return self.target(incident.severity, incident.service or "unknown")

    def target(self, severity: str, service: str | None) -> float | None:
        general = self.targets.get((severity, None), TARGETS.get(severity))
        return general if service is None else self.targets.get((severity, service), general)


DEFAULTS = Configured({}, {}, {}, VARIANTS)


def grouped(incidents: Iterable[Incident]) -> dict[tuple[str, str], list[Incident]]:
    found: dict[tuple[str, str], list[Incident]] = {}
    for incident in incidents:
        for scope, member in incident.scopes().items():
            found.setdefault((scope, member), []).append(incident)
    return found


def phase_values(incidents: Iterable[Incident], span: tuple[int, int], model: str, phase: str) -> list[int]:
    """Durations of a phase: matched incidents without the outliers of the variant."""
    kept = (incident for incident in incidents if population(incident, span)[0] != "outlier")
    return [value for incident in kept if (value := phase_us(incident, model, phase)) is not None]


def bottlenecks(
    incidents: Sequence[Incident], model: str, window: tuple[int, int] | None, configured: Configured = DEFAULTS
) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(scope, member, phase) -> what its row says."""
    rows = {}
    for (scope, member), group in grouped(filter(within(window), incidents)).items():
        for phase in LEVELS:
            values = phase_values(group, VARIANTS["basic"], model, phase)
            levels = configured.levels_of(scope, member, phase)
            if not values or levels is None:
                continue
            warning, critical = map(us, levels)
            mean = Fraction(sum(values), len(values))
            if mean < warning:
                continue
            limit = critical if mean >= critical else warning
            affected = sum(value >= limit for value in values)
            middle = median(values)
            rows[scope, member, phase] = {
                "level": "critical" if mean >= critical else "warning",
                "current_value": minutes(mean),
                "threshold": minutes(limit),
                "recommendation_id": f"R-{CODES[phase]}-{'C' if mean >= critical else 'W'}",
                "n": len(values),
                "affected_incidents": affected,
                "affected_pct": float(Fraction(100 * affected, len(values))),
                "level_by_median": "critical" if middle >= critical else "warning" if middle >= warning else "ok",
                "tail_driven": middle < warning,
                "low_n": len(values) < 5,
                "median_minutes": minutes(middle),
            }
    return rows


def opportunity(
    incidents: Sequence[Incident],
    model: str,
    variant: str,
    scope: str,
    member: str,
    configured: Configured = DEFAULTS,
) -> dict[str, Any] | None:
    """The biggest opportunity among the analysed incidents of one scope; None without any."""
    span = configured.variants[variant]
    inside = [name for name, (start, end) in PHASES[model].items() if start >= span[0] and end <= span[1]]
    found: dict[str, list[int]] = {}
    analysed = []
    for incident in incidents:
        kind, took = population(incident, span)
        if kind != "analysed" or took is None:
            continue
        analysed.append(took)
        values = {name: value for name in inside if (value := phase_us(incident, model, name)) is not None}
        if sum(values.values()) <= took:  # else its stamps are out of order
            for name, value in values.items():
                found.setdefault(name, []).append(value)
    found = {name: found[name] for name in inside if name in found}
    if not analysed:
        return None
    total, measured = sum(analysed), sum(map(sum, found.values()))
    whole = {
        "incidents_analyzed": len(analysed),
        "variant_minutes": minutes(total),
        "unmeasured_pct": float(Fraction(100 * (total - measured), total)) if total else None,
    }
    if not found:
        return whole | {"phase": None, "n": None, "share_pct": None, "phase_by_mean": None}
    phase = max(found, key=lambda name: sum(found[name]))  # max and dict keep the order of the phases in a tie
    by_mean = max(found, key=lambda name: Fraction(sum(found[name]), len(found[name])))
    levels = configured.levels_of(scope, member, phase)
    warning = None if levels is None else us(levels[0])
    return whole | {
        "phase": phase,
        "n": len(found[phase]),
        "total_minutes": minutes(sum(found[phase])),
        "mean_minutes": minutes(Fraction(sum(found[phase]), len(found[phase]))),
        "share_pct": float(Fraction(100 * sum(found[phase]), total)) if total else None,
        "warning_minutes": minutes(warning),
        "avoidable_minutes": None if warning is None else minutes(sum(max(0, v - warning) for v in found[phase])),
        "avoidable_incidents": None if warning is None else sum(v >= warning for v in found[phase]),
        "phase_by_mean": by_mean,
        "mean_minutes_by_mean": minutes(Fraction(sum(found[by_mean]), len(found[by_mean]))),
        "n_by_mean": len(found[by_mean]),
    }


def recommend(catalogue: Sequence[tuple[str, str, str]], current: Fraction, target: Fraction) -> list[str]:
    """Ids of at most three strategies (id, impact, effort), best first. Both values are microseconds."""
    gap = current - target
    if gap <= 0:
        return []
    impact = {"high": 0, "medium": 1, "low": 2}
    effort = {"low": 0, "medium": 1, "high": 2}
    if gap > 10 * MINUTE:
        ordered = sorted(catalogue, key=lambda s: (impact[s[1]], effort[s[2]], s[0]))
    else:
        ordered = sorted(catalogue, key=lambda s: (effort[s[2]], impact[s[1]], s[0]))
    return [strategy for strategy, _, _ in ordered[:3]]


# -- trend -------------------------------------------------------------------------------------------------------------


def instant(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def microseconds(value: datetime) -> int:
    return (value - EPOCH) // timedelta(microseconds=1)


def windows(as_of: int, zone_name: str) -> dict[tuple[str, str], list[tuple[int, int, bool]]]:
    """(interval, alignment) -> (start, end, is_partial), oldest first."""
    span, zone = as_of - 90 * DAY, ZoneInfo(zone_name)
    found = {}
    for interval, days in (("day", 1), ("week", 7)):
        bounds = [as_of - step * days * DAY for step in range(92 // days + 2)]
        found[interval, "rolling"] = _clipped(sorted(bounds), span, as_of)
    local_now = instant(as_of).astimezone(zone).replace(tzinfo=None)
    backwards = [as_of] + [_utc(_months_before(local_now, back), zone) for back in range(1, MONTHS_BACK + 2)]
    found["month", "rolling"] = _clipped(sorted(backwards), span, as_of)
    first, last = instant(span).astimezone(zone).date(), local_now.date()
    midnights = []
    day = first - timedelta(days=40)
    while day <= last + timedelta(days=40):
        midnights.append((day, _utc(datetime(day.year, day.month, day.day), zone)))  # noqa: DTZ001
        day += timedelta(days=1)
    for interval, begins in (
        ("day", lambda date: True),
        ("week", lambda date: date.weekday() == 0),
        ("month", lambda date: date.day == 1),
    ):
        found[interval, "calendar"] = _clipped([at for date, at in midnights if begins(date)], span, as_of)
    return found


def _utc(local: datetime, zone: ZoneInfo) -> int:
    """The first instant at which the zone's clocks show the time or, where they skip it, have passed it."""
    return microseconds(local.replace(tzinfo=zone, fold=0).astimezone(UTC))


def _months_before(local: datetime, months: int) -> datetime:
    number = local.year * 12 + local.month - 1 - months
    year, month = divmod(number, 12)
    return local.replace(year=year, month=month + 1, day=min(local.day, calendar.monthrange(year, month + 1)[1]))


def _clipped(bounds: Sequence[int], span: int, as_of: int) -> list[tuple[int, int, bool]]:
    found = []
    for start, end in itertools.pairwise(bounds):
        if max(start, span) < min(end, as_of):
            found.append((max(start, span), min(end, as_of), start < span or end > as_of))
    return found


def trend_row(
    incidents: Iterable[Incident], window: tuple[int, int], model: str, span: tuple[int, int]
) -> dict[str, Any]:
    """The figures of one window."""
    inside = [incident for incident in incidents if window[0] <= incident.started < window[1]]
    kinds = [population(incident, span) for incident in inside]
    analysed = [value for kind, value in kinds if kind == "analysed" and value is not None]
    outliers = sum(value for kind, value in kinds if kind == "outlier" and value is not None)
    counts = {
        name: sum(kind in kinds_of for kind, _ in kinds)
        for name, kinds_of in {
            "open_count": ("open",),
            "outlier_count": ("outlier",),
            "invalid_count": ("invalid",),
            "missing_count": ("missing_start", "missing_end"),
        }.items()
    }
    row: dict[str, Any] = {
        "incident_count": len(inside),
        "analyzed_count": len(analysed),
        **counts,
        "immature": counts["open_count"] > 0,
        "outlier_minutes_share": float(Fraction(outliers, outliers + sum(analysed)))
        if outliers + sum(analysed)
        else None,
        "mttr": minutes(Fraction(sum(analysed), len(analysed))) if analysed else None,
        "median": minutes(median(analysed)) if analysed else None,
        "p90": minutes(quantile(analysed, Fraction(9, 10))) if analysed else None,
    }
    for name, phase in (
        ("mttd", "detection"),
        ("mtta", "acknowledgment"),
        ("mtti", "investigation"),
        ("mttm", "mitigation"),
    ):
        values = phase_values(inside, span, model, phase)
        row[name] = minutes(Fraction(sum(values), len(values))) if values else None
        row[f"{name}_n"] = len(values)
    return row


# -- targets -----------------------------------------------------------------------------------------------------------


def outcome(start: int | None, end: int | None, past: bool, target: int, at_risk: Fraction, as_of: int) -> str:
    """What a duration against its target came to. `past`: not ended by a stamp of its own, and not open either."""
    if start is None:
        return "not_measured"
    if end is None:
        if past:
            return "not_measured"
        return "open_breached" if as_of - start > target else "pending"
    if end < start:
        return "invalid"
    if end - start > target:
        return "late"
    return "at_risk" if end - start > target * at_risk / 100 else "within"


def judged(incident: Incident, as_of: int, configured: Configured = DEFAULTS) -> tuple[str, int | None]:
    """Outcome and target of an incident as a whole."""
    target = configured.target_of(incident)
    if target is None:
        return "no_target", None
    past = any(at is not None for at in incident.stamps[RESOLVED:])
    start, end = incident.stamps[DETECTED], incident.stamps[RESOLVED]
    return outcome(start, end, past, us(target), configured.at_risk, as_of), us(target)


def compliance(outcomes: Sequence[str], durations: Sequence[int], target: float | None) -> dict[str, Any]:
    """The counts of one row, from the outcome of each incident and the durations of those that ended."""
    k = sum(found in ("within", "at_risk") for found in outcomes)
    open_breached = outcomes.count("open_breached")
    n = k + outcomes.count("late") + open_breached
    low, high = wilson(k, n) if n else (None, None)
    if n == 0:
        status = "no_data" if target is not None else "no_target"
    else:
        share = Fraction(k, n)
        status = "healthy" if share >= Fraction(95, 100) else "warning" if share >= Fraction(80, 100) else "critical"
    return {
        "incidents_count": n,
        "within_target": k,
        "at_risk": outcomes.count("at_risk"),
        "breached": n - k,
        "open_breached": open_breached,
        "pending": outcomes.count("pending"),
        "compliance_pct": float(Fraction(100 * k, n)) if n else None,
        "compliance_low_pct": low,
        "compliance_high_pct": high,
        "actual_mean": minutes(Fraction(sum(durations), len(durations))) if durations else None,
        "actual_median": minutes(median(durations)) if durations else None,
        "status": status,
        "low_n": n < 6,
    }


def wilson(k: int, n: int) -> tuple[float, float]:
    """95 % limits in percent: the two shares p for which |k/n - p| is z standard errors of p, by the quadratic formula."""
    z = 1.959963984540054
    a, b, c = 1 + z * z / n, -(2 * k / n + z * z / n), (k / n) ** 2
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return (0.0 if k == 0 else 100 * (-b - root) / (2 * a)), (100.0 if k == n else 100 * (-b + root) / (2 * a))


# -- data quality ------------------------------------------------------------------------------------------------------


def quality(incidents: Iterable[Incident]) -> dict[tuple[str, str], tuple[int, int]]:
    """(check, source) -> (n, total) of everything that incidents alone decide."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    groups: dict[str, list[Incident]] = {}
    for incident in incidents:
        groups.setdefault(incident.source, []).append(incident)
    for source, group in groups.items():
        counts = {
            f"coverage_{name}_at": sum(i.stamps[place] is not None for i in group) for place, name in enumerate(STAMPS)
        }
        counts["ack_rate"] = counts["coverage_acknowledged_at"]
        counts["owned_service"] = sum(i.service is not None for i in group)
        counts["owned_team"] = sum(i.team is not None for i in group)
        counts["owned_both"] = sum(i.service is not None and i.team is not None for i in group)
        counts["without_service"] = len(group) - counts["owned_service"]
        counts["without_team"] = len(group) - counts["owned_team"]
        counts["auto_resolved"] = sum(i.auto_resolved for i in group)
        counts["noise"] = sum(i.auto_resolved and i.stamps[ACKNOWLEDGED] is None for i in group)
        counts["negative_duration"] = sum(_decreases(i) for i in group)
        found |= {(check, source): (n, len(group)) for check, n in counts.items()}
    return found


def _decreases(incident: Incident) -> bool:
    """A stamp lies before one that it should follow. A cause may be found whenever it is, work may begin before the page."""
    for last, earlier in {
        DETECTED: (OCCURRED,),
        ACKNOWLEDGED: (OCCURRED, DETECTED),
        INVESTIGATING: (OCCURRED, DETECTED),
        CAUSE: (OCCURRED, DETECTED, ACKNOWLEDGED),
        MITIGATED: (OCCURRED, DETECTED, ACKNOWLEDGED, CAUSE),
        RESOLVED: (OCCURRED, DETECTED, ACKNOWLEDGED, MITIGATED),
        CLOSED: (OCCURRED, DETECTED, ACKNOWLEDGED, MITIGATED, RESOLVED),
    }.items():
        end = incident.stamps[last]
        starts = [at for first in earlier if (at := incident.stamps[first]) is not None]
        if end is not None and any(end < at for at in starts):
            return True
    return False
