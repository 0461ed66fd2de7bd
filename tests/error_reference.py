"""A plain reference of what issues of error trackers mean, written from the definitions (METRICS, Error tracking) with lists and
loops. It shares nothing with the product but the reference of deploys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from delivery_cases import Dep, Real, reals
from error_cases import Count, Issue, Told, World
from scipy import stats
from support import AS_OF_US

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
LATEST, EARLIEST = AS_OF_US + 5 * MINUTE, 946_684_800_000_000
QUIET = 30 * MINUTE
Name = tuple[str, str, str | None]


def version(text: str | None) -> str | None:
    """What versions are compared by."""
    plain = (text or "").strip().split("@")[-1].lower()
    is_commit = 7 <= len(plain) <= 64 and set(plain) <= set("0123456789abcdef") and set(plain) & set("abcdef")
    return (plain[:7] if is_commit else plain) or None


def possible(at: int | None) -> int | None:
    return at if at is not None and EARLIEST <= at <= LATEST else None


@dataclass
class Ran:
    """A version in production: the deploy that brought it out, and when; None where only the time of a commit is known."""

    deploy: Name
    at: int | None


class Releases:
    """What services ran in production."""

    def __init__(self, deps: Sequence[Dep]) -> None:
        self.reals = reals(deps, AS_OF_US)
        self.deploys = [real for real in self.reals if real.counts and real.best.service is not None]
        self.deploys.sort(key=lambda real: (real.best.finished_at or 0, real.name))
        self.found: dict[tuple[str, str], Ran] = {}
        for real in self.deploys:
            for key in self.keys(real):
                place = (real.best.service or "", key)
                ran = self.found.setdefault(place, Ran(real.name, None))
                if real.best.finished_precision != "commit" and ran.at is None:
                    ran.at = real.best.finished_at

    @staticmethod
    def keys(real: Real) -> set[str]:
        versions = [dep.version for dep in real.records if dep.version][:1]
        commits = [dep.sha for dep in real.records if dep.sha][:1]
        return {key for key in map(version, versions + commits) if key}

    def ran(self, service: str | None, text: str | None) -> Ran | None:
        return self.found.get((service or "", version(text) or ""))

    def at(self, service: str | None, text: str | None) -> int | None:
        ran = self.ran(service, text)
        return ran.at if ran else None


@dataclass
class Episode:
    began_at: int
    began_by: str
    release: str | None
    resolved_at: int | None = None
    not_before: int | None = None
    provenance: str | None = None
    resolved_release: str | None = None
    is_over_unknown: bool = False


def episodes(issue: Issue, told: Sequence[Told], releases: Releases) -> list[Episode]:
    mine = [each for each in told if each.external_id == issue.external_id and possible(each.happened_at) is not None]
    began = possible(issue.first_seen_at)
    if began is None:
        began = min((each.happened_at for each in mine), default=None)
    if began is None:
        return []
    found = [Episode(began, "first seen", issue.first_release)]
    order = ("resolved", "regression", "reopened")
    later = [each for each in mine if each.event_type in order and each.happened_at >= began]
    later.sort(
        key=lambda each: (
            each.happened_at,
            order.index(each.event_type),
            (each.release or "").split("@")[-1],
            each.not_before or 0,
        )
    )
    last_fix: Told | None = None
    for each in later:
        is_open = found[-1].resolved_at is None
        if each.event_type == "resolved":
            if is_open:
                last = found[-1]
                last.resolved_at, last.resolved_release = each.happened_at, each.release
                last.provenance = each.provenance
                if each.not_before is not None:
                    last.not_before = min(max(each.not_before, last.began_at), each.happened_at)
                    last.provenance = "derived"
            last_fix = each
            continue
        if each.event_type == "regression" and last_fix is not None:
            ran, fixed = (releases.at(issue.service, one.release) for one in (each, last_fix))
            if ran is not None and fixed is not None and ran < fixed:
                continue  # of what is not replaced yet
        if not is_open:
            found.append(Episode(each.happened_at, each.event_type, each.release))
    last = found[-1]
    if status_of(issue) == "resolved":
        last.is_over_unknown = last.resolved_at is None
        last.resolved_release = last.resolved_release or issue.resolved_in_release
    return found


def is_known(issue: Issue) -> bool:
    return issue.updated_at is None or issue.updated_at <= LATEST


def status_of(issue: Issue) -> str | None:
    return issue.status if is_known(issue) and issue.status in ("unresolved", "resolved", "archived") else None


def is_spiking(issue: Issue, counts: Sequence[Count]) -> bool:
    periods: dict[tuple[int, int], list[Count]] = {}
    for count in counts:
        if count.external_id == issue.external_id:
            periods.setdefault((count.began_at, count.minutes), []).append(count)
    totals = {}
    for place, parts in periods.items():
        whole = [part.events for part in parts if part.release is None]
        totals[place] = (whole[0] if whole else sum(part.events for part in parts), max(part.read_at for part in parts))
    start = AS_OF_US - DAY
    hours = [n for (began, minutes), (n, _) in totals.items() if minutes == 60 and start <= began < AS_OF_US]
    first = possible(issue.first_seen_at)
    days = [
        (began, n)
        for (began, minutes), (n, read) in totals.items()
        if minutes == 1440 and first is not None and first <= began and began > start - 8 * DAY
        and began + DAY <= read and began + DAY <= start
    ]  # fmt: skip
    week = [n for _, n in sorted(days)[-7:]]
    if not week or not hours:
        return False
    mean = sum(week) / len(week)
    return mean >= 5 and sum(hours) >= 10 * mean - 1e-9


def kind_of(issue: Issue, found: Sequence[Episode], spikes: bool) -> str | None:
    """The class."""
    status = shown_status(issue, found)
    if status in (None, "resolved"):
        return None
    first = possible(issue.first_seen_at)
    if first is not None and AS_OF_US - first < DAY:
        return "new"
    last = found[-1] if found else None
    if (last and last.began_by == "regression" and last.resolved_at is None) or (
        is_known(issue) and issue.substatus == "regressed"
    ):
        return "regression"
    return "spike" if spikes else "ongoing"


def shown_status(issue: Issue, found: Sequence[Episode]) -> str | None:
    if is_known(issue) or not found:
        return status_of(issue)
    return "unresolved" if found[-1].resolved_at is None else "resolved"


def order(issues: Sequence[Issue], spiking: set[str], values: dict[str, float]) -> list[str]:
    """Ids in the order in which they are looked at; `issues` are the unresolved ones."""

    def place(issue: Issue) -> tuple[Any, ...]:
        first = possible(issue.first_seen_at)
        is_new = first is not None and AS_OF_US - first < DAY
        users = -1 if issue.users is None else issue.users
        value = max([values.get(issue.service or "", 0), *(values.get(tag, 0) for tag in issue.tags or ())])
        seen = (first is None, first or 0)
        return not is_new, issue.external_id not in spiking, -users, -value, seen, issue.source, issue.external_id

    return [issue.external_id for issue in sorted(issues, key=place)]


@dataclass
class Fix:
    episode: int
    at: int
    method: str
    deploy: Name | None
    state: str = "pending"
    confirmed_at: int | None = None


def fixes(issue: Issue, found: Sequence[Episode], counts: Sequence[Count], releases: Releases) -> list[Fix]:
    made = []
    for number, episode in enumerate(found):
        after = found[number + 1] if number + 1 < len(found) else None
        ran = releases.ran(issue.service, episode.resolved_release) if episode.resolved_release else None
        naming = [
            real
            for real in releases.deploys
            if real.best.service == issue.service and real.best.finished_precision != "commit"
            and (real.best.finished_at or 0) >= episode.began_at
            and (after is None or (real.best.finished_at or 0) < after.began_at)
            and any(issue.key in (dep.title or "").split() for dep in real.records)
        ]  # fmt: skip
        if ran is not None and ran.at is not None and ran.at >= episode.began_at:
            fix = Fix(number + 1, ran.at, "release", ran.deploy)
            own = {version(episode.resolved_release)}
        elif issue.key and naming:
            fix = Fix(number + 1, naming[0].best.finished_at or 0, "commit", naming[0].name)
            own = set(releases.keys(naming[0]))
        elif episode.resolved_at is not None:
            fix, own = Fix(number + 1, episode.resolved_at, "resolve", None), set()
        else:
            continue
        _judge(fix, own, issue, after, counts, releases)
        made.append(fix)
    return made


def _judge(
    fix: Fix, own: set[Any], issue: Issue, after: Episode | None, counts: Sequence[Count], releases: Releases
) -> None:
    known = AS_OF_US if issue.updated_at is None else min(issue.updated_at, AS_OF_US)
    last = possible(issue.last_seen_at)

    def place(text: str | None) -> str:
        ran = releases.at(issue.service, text)
        if text and (version(text) in own or (ran is not None and ran >= fix.at)):
            return "later"
        return "older" if text and ran is not None and ran < fix.at and fix.method != "resolve" else "unknown"

    periods = []
    for began, minutes in {(c.began_at, c.minutes) for c in counts if c.external_id == issue.external_id}:
        parts = [c for c in counts if (c.external_id, c.began_at, c.minutes) == (issue.external_id, began, minutes)]
        end = min(began + minutes * MINUTE, max(part.read_at for part in parts))
        if began <= known and end > fix.at:
            total = [part.events for part in parts if part.release is None] or [sum(part.events for part in parts)]
            periods.append((began, end, minutes, total[0], parts))
    hours = [(began, end) for began, end, minutes, *_ in periods if minutes == 60]

    def covered(start: int, stop: int, spans: Iterable[tuple[int, int]]) -> bool:
        reached = start
        for begin, end in sorted(spans):
            if begin <= reached:
                reached = max(reached, end)
        return reached >= stop

    used = [
        period
        for period in periods
        if period[2] == 60
        or not hours
        or not covered(max(period[0], fix.at), min(period[1], known), hours)
        # hours that only touch the day say nothing of it
        or not any(a < period[1] and b > period[0] for a, b in hours)
    ]
    after_fix = [p for p in used if p[0] >= fix.at]
    comes_again = (
        any(part.events > 0 and place(part.release) == "later" for p in after_fix for part in p[4])
        or (last is not None and last > fix.at and is_known(issue) and place(issue.last_release) == "later")
        or (after is not None and after.began_by == "regression" and after.began_at > fix.at and place(after.release) == "later")
    )  # fmt: skip
    comes_back = after is not None and after.began_by == "regression" and after.began_at > fix.at
    goes_on = last is None or last > fix.at or any(p[3] > 0 for p in after_fix) or comes_back
    if comes_again:
        fix.state = "ineffective"
    elif known < fix.at + QUIET:
        fix.state = "pending"
    elif not goes_on:
        fix.state, fix.confirmed_at = "confirmed", fix.at + QUIET
    else:
        before_last = [p for p in used if last is not None and p[0] <= last]
        is_all_older = (
            last is not None
            and bool(before_last)
            and all(p[3] <= sum(c.events for c in p[4] if place(c.release) == "older") for p in before_last)
            and covered(fix.at, last + 1, [(p[0], p[1]) for p in used])
            and any(p[3] > 0 and p[0] <= last < p[1] for p in used)
            and not comes_back
        )
        quiet = [max(p[0], fix.at) + QUIET for p in used if p[3] == 0 and max(p[0], fix.at) + QUIET <= min(p[1], known)]
        if last is not None and last + QUIET <= known:
            quiet.append(last + QUIET)
        if not is_all_older:
            fix.state = "unknown"
        elif quiet:
            fix.state, fix.confirmed_at = "confirmed", min(quiet)


def weak(
    world: World, releases: Releases, links: set[tuple[str, str]], introduced: set[tuple[str, Name]]
) -> set[tuple[str, str, str]]:
    """Incident, issue and method of what only happened together. `links` are pairs of incident and issue that a link joins."""
    found = set()
    for rec in world.records:
        began = rec.at.get("occurred", rec.at["detected"])
        over = max(began, rec.at.get("resolved", rec.at.get("closed", AS_OF_US)))
        for issue in world.issues:
            first = possible(issue.first_seen_at)
            if first is None or issue.service is None or (rec.id, issue.external_id) in links:
                continue
            ran = releases.ran(issue.service, issue.first_release)
            if not began - HOUR <= first <= over:
                continue
            if ran is not None and (rec.id, ran.deploy) in introduced:
                found.add((rec.id, issue.external_id, "release"))
            elif rec.service == issue.service:
                found.add((rec.id, issue.external_id, "service and time"))
    return found


def p_of_equal_shares(crashed: int, sessions: int, crashed_before: int, sessions_before: int) -> float:
    """p that two releases crash equally often, given all crashes of both: twice the smaller tail (Przyborowski and Wilenski)."""
    both, share = crashed + crashed_before, sessions / (sessions + sessions_before)
    tails = [stats.binom.cdf(crashed, both, share), stats.binom.sf(crashed - 1, both, share)]
    return min(1.0, 2 * min(tails)) if both else 1.0
