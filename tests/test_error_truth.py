"""Errors, channels and post-mortems of the demonstration company over the whole road, against what its story tells, on two nights.

The nights are those of test_deploy_truth: one build serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from delivery_cases import Real, causes, is_production
from error_reference import p_of_equal_shares
from error_truth import SERVICE, Told, class_of, deploy_of, episodes, health_of, issues_of, named_by, short
from scipy import stats
from test_deploy_truth import NIGHTS, VOLUMES, at_once, expected, generations, incidents, read, the_company

from mttr_pipeline.demo import World
from mttr_pipeline.demo.registry import TOOLS
from mttr_pipeline.demo.reviews import Review
from mttr_pipeline.demo.slack.stories import channels_of
from mttr_pipeline.demo.true_incidents import Incident

pytestmark = pytest.mark.slow  # two whole nights of a company


@pytest.fixture(scope="module")
def nights() -> list[Path]:
    return generations()


def is_the_truth(nights: Sequence[datetime], generation: Path) -> None:
    """Every episode with its deploy and its fix, every class, and every link to an incident, strong and weak, and no other."""
    company, now = the_company(), nights[-1]
    issues = issues_of(company, now)
    found = read(
        generation,
        """SELECT e.external_id, e.episode, e.began_by, e.began_at, d.sha, e.resolved_not_before, e.resolved_at,
            e.resolved_provenance, e.resolved_by, e.fix_method, f.sha, e.fix_state, e.fix_confirmed_at
        FROM error_episodes AS e
        LEFT JOIN deploys AS d ON d.deploy_id = e.introduced_by LEFT JOIN deploys AS f ON f.deploy_id = e.fix_deploy_id
        ORDER BY e.external_id, e.episode""",
    )  # fmt: skip
    assert [Told(*row) for row in found] == [one for issue in issues for one in episodes(company, issue, nights)]
    classes = read(generation, "SELECT external_id, service, status, class FROM error_issues ORDER BY external_id")
    assert classes == [(one.id, SERVICE[one.project], *class_of(company, one, nights)) for one in issues]

    links = set(
        read(
            generation,
            """SELECT s.source, s.external_id, e.external_id, e.method
            FROM incident_errors AS e JOIN incidents AS i USING (incident_id) JOIN incident_sources AS s USING (incident_id)
            WHERE i.resolved_at IS NOT NULL AND s.episode = 1
            AND s.source <> 'slack'""",
        )
    )
    reals = expected(company, nights, generation)
    shas = {real.name: dep.sha for real in reals for dep in real.records if dep.sha}
    introduced = {(incident, shas.get(deploy)) for incident, deploy, _ in causes(reals, incidents(company, now))}
    assert links == linked(company, now, introduced)


def linked(company: World, now: datetime, introduced: set[tuple[str, str | None]]) -> set[tuple[str, str, str, str]]:
    """Record, issue and method, for all records of each incident that is over. `introduced` are incidents and the commits that broke
    something."""
    found = set()
    for one in company.incidents(now, (*VOLUMES, "alertmanager")):
        row = one.row
        if row.resolved_at is None or row.kind != "incident":
            continue
        records = {(source, name) for source, name, episode in one.records if episode == 1}
        began = row.occurred_at or row.counted_detected_at
        for issue in issues_of(company, now):
            named = named_by(company, issue, now)
            bad = deploy_of(company, issue.first_release, now)
            if named and (TOOLS[named[0]].source, named[1]) in records:
                method = "link"
            elif not began - timedelta(hours=1) <= issue.first_seen <= max(began, row.resolved_at):
                continue
            elif bad and (f"{row.external_id}#{row.episode}", bad.sha) in introduced:
                method = "release"
            elif SERVICE[issue.project] == row.service:
                method = "service and time"
            else:
                continue
            found |= {(source, name, issue.id, method) for source, name in records}
    return found


def counted(company: World, now: datetime) -> list[Incident]:
    """The incidents at an instant, without false alarms."""
    return [one for one in company.incidents(now, (*VOLUMES, "alertmanager")) if one.row.kind == "incident"]


def channels_are_the_truth(now: datetime, generation: Path) -> None:
    """Each channel belongs to the incident that it names and to no other, and gives the stamps that nothing else has."""
    company = the_company()
    by_record = {
        (one.row.source, one.row.external_id): one.row for one in counted(company, now) if one.row.episode == 1
    }
    wanted = set()
    for place, channel in enumerate(channels_of(company), start=2):  # the first is the standing one
        row = by_record[TOOLS[channel.incident[0]].source, channel.incident[1]]
        if channel.created + timedelta(minutes=1) > now:
            continue
        stamps = [
            at if at and own is None and at <= now else None
            for own, at in (
                (row.mitigated_at, channel.mitigated),
                (row.root_cause_found_at, channel.cause),
                (row.closed_at, channel.archived),
            )
        ]
        wanted.add((f"C{place:09d}A", row.source, row.external_id, *stamps))
    found = read(
        generation,
        """SELECT s.external_id, i.source, i.external_id,
            CASE WHEN i.mitigated_source = 'slack' THEN date_trunc('second', i.mitigated_at) END,
            CASE WHEN i.root_cause_found_source = 'slack' THEN date_trunc('second', i.root_cause_found_at) END,
            CASE WHEN i.closed_source = 'slack' THEN date_trunc('second', i.closed_at) END
        FROM incident_sources AS s JOIN incidents AS i USING (incident_id) WHERE s.source = 'slack'""",
    )
    assert set(found) == wanted and len(found) == len(wanted) > 5


def learning_is_the_truth(now: datetime, generation: Path) -> None:
    """Each serious incident that is over has one row with its post-mortem, or without one, and when that is due; and each has the
    actions of its post-mortems."""
    company = the_company()
    begins: dict[tuple[str, str], list[tuple[int, datetime]]] = {}
    for row in company.truth(now):
        begins.setdefault((row.tool, row.external_id), []).append((row.episode, row.detected_at))
    about: dict[tuple[str, str, int], list[Review]] = {}
    for review in company.reviews:
        for name in review.incidents if review.created <= now else ():
            episodes_of = begins.get((review.tool, name), [])
            episode = max((n for n, at in episodes_of if at <= review.created), default=1)
            about.setdefault((TOOLS[review.tool].source, name, episode), []).append(review)
    flapping = {(row.tool, row.flap_of) for row in company.truth(now) if row.flap_of}  # of these, the whole row ends it
    wanted = set()
    for one in counted(company, now):
        row = one.row
        is_flapping = (row.tool, row.external_id) in flapping
        if row.severity not in ("SEV1", "SEV2") or row.resolved_at is None or is_flapping:
            continue
        done = [(review.completed or now, review.id) for record in one.records for review in about.get(record, ())]
        first = min(((min(at, now), name) for at, name in done), default=None)
        review_id = first[1] if first else None
        at = first[0] if first and first[0] < now else None
        wanted.add((row.source, row.external_id, row.episode, review_id, due(row.resolved_at), at))
    found = read(
        generation,
        """SELECT i.source, i.external_id, i.episode, f.external_id, f.due_at, f.completed_at
        FROM follow_ups AS f JOIN incidents AS i USING (incident_id)
        WHERE f.kind = 'post_mortem' AND f.is_wanted AND i.flap_count = 0""",
    )
    assert set(found) == wanted and len(found) == len(wanted)
    actions = {
        (row.source, row.external_id, row.episode, action.id, action.due, known(action.completed, now), action.is_test)
        for one in counted(company, now)
        for row in [one.row]
        for record in one.records
        for review in about.get(record, ())
        for action in review.actions
        if action.created <= now
    }
    told = read(
        generation,
        """SELECT i.source, i.external_id, i.episode, f.external_id, f.due_at, f.completed_at, f.is_test
        FROM follow_ups AS f JOIN incidents AS i USING (incident_id) WHERE f.kind = 'action'""",
    )
    assert set(told) == actions and len(told) == len(actions) > 10
    names = [name for *_, name, _, _ in found if name]
    assert len(names) > len(set(names)), "one is about two incidents"
    assert 0 < len(names) < len(found) and any(at and at > due_at for *_, due_at, at in found), "missing and late ones"


def first_runs(found: Sequence[Real]) -> dict[tuple[str, str], datetime]:
    """Service and version -> when production ran it first. A tool that knows no versions tells of it by the commit."""
    deps = [dep for real in found for dep in real.records]
    versions = {(dep.service, dep.sha): str(short(dep.version)) for dep in deps if dep.version and dep.sha}
    ran: dict[tuple[str, str], datetime] = {}
    for real in found:
        best = real.best
        version = next((versions[name] for dep in real.records if (name := (dep.service, dep.sha)) in versions), None)
        if (
            version
            and best.service
            and is_production(best)
            and best.status == "success"
            and best.finished_at is not None
        ):
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=best.finished_at)
            ran[best.service, version] = min(at, ran.get((best.service, version), at))
    return ran


def health_is_the_truth(nights: Sequence[datetime], generation: Path) -> None:
    """Each release has the sessions that there were by then, and is compared with the one that production ran before it."""
    wanted = health_of(the_company(), nights[-1], first_runs(expected(the_company(), nights, generation)))
    found = read(
        generation,
        """SELECT service, version, released_at, sessions, crashed, version_before, sessions_before
        FROM release_health ORDER BY service, released_at, version""",
    )
    assert found == [
        (one.service, one.version, one.released_at, one.sessions, one.crashed)
        + ((one.before.version, one.before.sessions) if one.before else (None, None))
        for one in wanted
    ]
    tested = {
        (one.service, one.version): p_of_equal_shares(
            one.crashed, one.sessions, one.before.crashed, one.before.sessions
        )
        for one in wanted
        if one.before and min(one.sessions, one.before.sessions) >= 100
    }
    adjusted = dict(zip(tested, stats.false_discovery_control(list(tested.values())), strict=True))
    told = read(
        generation, "SELECT service, version, crash_free_pct, crash_free_before_pct, p, q, verdict FROM release_health"
    )
    shares = {(one.service, one.version): one for one in wanted}
    for service, version, share, share_before, p, q, verdict in told:
        one, name = shares[service, version], (service, version)
        assert share == pytest.approx(100 - 100 * one.crashed / one.sessions), name
        if name not in tested:
            assert (p, q, verdict) == (None, None, None), name
            continue
        assert [p, q] == pytest.approx([tested[name], adjusted[name]]), name
        assert verdict == ("no clear change" if q >= 0.05 else "worse" if share < share_before else "better"), name
    assert len(tested) > 25 and {verdict for *_, verdict in told} == {None, "worse", "better", "no clear change"}


def known(at: datetime | None, now: datetime) -> datetime | None:
    """An instant that has come."""
    return at if at and at <= now else None


def due(resolved: datetime) -> datetime:
    """Five weekdays later."""
    at, left = resolved, 5
    while left:
        at += timedelta(days=1)
        left -= at.weekday() < 5
    return at


def test_one_full_pull_is_the_truth_however_much_goes_wrong() -> None:
    """What one pull reads, with every kind of fault on the way, is the story as well; of what nobody saw open, less is known of its
    end."""
    generation = at_once()
    is_the_truth(NIGHTS[1:], generation)
    channels_are_the_truth(NIGHTS[1], generation)
    learning_is_the_truth(NIGHTS[1], generation)
    health_is_the_truth(NIGHTS[1:], generation)


@pytest.mark.parametrize("number", [0, 1])
def test_every_error_is_the_truth(nights: list[Path], number: int) -> None:
    """On both nights."""
    is_the_truth(NIGHTS[: number + 1], nights[number])


@pytest.mark.parametrize("number", [0, 1])
def test_every_channel_is_the_truth(nights: list[Path], number: int) -> None:
    """On both nights: a message that was edited into a mark, a late reply, talk of older incidents and the standing channel too."""
    channels_are_the_truth(NIGHTS[number], nights[number])


@pytest.mark.parametrize("number", [0, 1])
def test_every_post_mortem_is_the_truth(nights: list[Path], number: int) -> None:
    """On both nights."""
    learning_is_the_truth(NIGHTS[number], nights[number])


@pytest.mark.parametrize("number", [0, 1])
def test_every_release_is_as_healthy_as_it_was(nights: list[Path], number: int) -> None:
    """On both nights; the first one ends within a day of sessions."""
    health_is_the_truth(NIGHTS[: number + 1], nights[number])


def test_the_story_has_every_way_of_ending(nights: list[Path]) -> None:
    """Without one of them, the tests above would prove less than they say."""
    states = {state for (state,) in read(nights[1], "SELECT DISTINCT fix_state FROM error_episodes")}
    assert states >= {None, "confirmed", "ineffective", "pending"}
    methods = {method for (method,) in read(nights[1], "SELECT DISTINCT fix_method FROM error_episodes")}
    assert methods >= {"release", "resolve"}
    assert {row[0] for row in read(nights[1], "SELECT DISTINCT method FROM incident_errors")} == {
        "link",
        "release",
        "service and time",
    }
    classes = {row[0] for number in (0, 1) for row in read(nights[number], "SELECT DISTINCT class FROM error_issues")}
    assert classes >= {None, "ongoing", "spike"}
    assert {row[0] for row in read(nights[1], "SELECT DISTINCT verdict FROM release_health")} >= {
        "worse",
        "no clear change",
    }
    marks = {
        at
        for (at,) in read(
            nights[1], "SELECT date_trunc('second', mitigated_at) FROM incidents WHERE mitigated_source = 'slack'"
        )
    }
    channels = channels_of(the_company())
    assert any(one.edited and one.mitigated in marks for one in channels) and any(one.older for one in channels)
    assert {one.named_in for one in channels} == {"topic", "ticket", "bookmark", "bot"}
