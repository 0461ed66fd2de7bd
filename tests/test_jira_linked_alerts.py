"""Alerts that Jira Service Management links to an incident issue: asked for over HTTP, until ticket and alert are one incident.

Each test says what would go wrong without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mart_cases import rows
from support import landed_rows, settings_for

from mttr_pipeline.cli.doctor import examine
from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.jira.incidents import CLOUD_ID
from mttr_pipeline.demo.jsm import JsmSimulator
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.jira.linked_alerts import in_turn
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ASKED = "/v1/incident/"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def issue(
    number: int,
    linked: tuple[str, ...] = (),
    responders: tuple[str, ...] = (),
    *,
    days: float = 1,
    is_done: bool = True,
    type_name: str = "[System] Incident",
) -> dict[str, Any]:
    """An issue that was created `days` ago and last changed an hour later."""
    created = NOW - days * DAY
    status, category = ("Resolved", "done") if is_done else ("In Progress", "indeterminate")
    names = {"Open": "1", "In Progress": "3", "Resolved": "5"}
    history = {
        "id": str(number * 10),
        "created": stamp(created + 60 * MINUTE),
        "items": [{"field": "status", "from": "1", "fromString": "Open", "to": names[status], "toString": status}],
    }
    fields = {
        "summary": f"Checkout is slow ({number})",
        "created": stamp(created),
        "updated": stamp(created + 60 * MINUTE),
        "issuetype": {"id": "10007" if type_name == "[System] Incident" else "10008", "name": type_name},
        "project": {"id": "1", "key": "OPS", "name": "Operations"},
        "status": {"id": names[status], "name": status, "statusCategory": {"id": 3, "key": category, "name": category}},
        "priority": {"id": "1", "name": "Highest"},
    }
    if is_done:
        fields["status"]["statusCategory"]["name"] = "Done"
    changelog = {"startAt": 0, "maxResults": 1, "total": 1, "histories": [history]}
    row = {"id": str(number), "key": f"OPS-{number}", "fields": fields, "changelog": changelog}
    return row | {"linkedAlerts": list(linked), "responderAlerts": list(responders)}


def alert(name: str, *, days: float = 1, after: timedelta = -MINUTE, **more: Any) -> dict[str, Any]:
    """An alert that was raised `after` the creation of an issue of the same age, taken two minutes later and closed by the hour."""
    created = NOW - days * DAY + after
    return {
        "id": name,
        "tinyId": name,
        "alias": f"alias-{name}",
        "message": f"Alert {name}",
        "status": "closed",
        "acknowledged": True,
        "tags": [],
        "createdAt": created.isoformat(),
        "updatedAt": (created + 60 * MINUTE).isoformat(),
        "ackTime": (created + 2 * MINUTE).isoformat(),
        "closeTime": (created + 60 * MINUTE).isoformat(),
        "priority": "P1",
        **more,
    }


class Site:
    """A Jira and an Operations of one company on a server, and pulls of both into one landing zone."""

    def __init__(self, server: VendorServer, folder: Path, **options: Any) -> None:
        self.server, self.folder = server, folder
        self.landing = Landing(folder / "landing")
        env = {**server.env("jira", "jsm"), "JIRA_JQL": "project = OPS"}
        jira = {"max_wait_minutes": 1, "linked_alerts": "jsm", **options}
        self.settings = settings_for(folder, {"sources": {"jira": jira, "jsm": {"max_wait_minutes": 1}}}, env)

    def show(self, issues: list[dict[str, Any]]) -> None:
        """From now on the Jira site holds these issues."""
        self.server.simulators["jira"]._book_at = JiraSimulator.from_issues(issues)._book_at  # type: ignore[attr-defined]

    def pull(self, as_of: datetime = NOW, source: str = "jira", **asked: Any) -> Manifest:
        self.server.clear_log()
        connected = build_source(source, self.settings)
        try:
            return pull(connected, self.settings, self.landing, new_run_id(), as_of=as_of, **asked)
        finally:
            connected.close()

    def asked(self) -> list[str]:
        """The issues whose linked alerts the last pull asked for, once for each request."""
        found = [line.path for line in self.server.log if ASKED in line.path]
        return [path.partition(ASKED)[2].partition("/")[0] for path in found]

    def alerts(self, manifest: Manifest) -> dict[str, tuple[list[str], list[str]]]:
        found = landed_rows(self.landing, manifest, "linked_alerts")
        return {row["issueId"]: (row["linked"], row["responders"]) for row in found}

    @contextmanager
    def built(self, as_of: datetime = NOW) -> Iterator[Warehouse]:
        """The warehouse of this folder with what landed since, its groups of records and the evidence. All promises are checked."""
        warehouse = Warehouse(self.folder / "work.duckdb", self.settings, as_of, new_run_id())
        try:
            warehouse.load(self.landing)
            wanted = ("core.members", "core.evidence", "core.incidents", "staging.jira_links")
            needed = set(wanted).union(*(default_catalog().upstream(table) for table in wanted))
            for model in default_catalog():
                if model.table in needed:
                    warehouse.build(model)
                    assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
            yield warehouse
        finally:
            warehouse.close()

    def groups(self, as_of: datetime) -> set[frozenset[str]]:
        """The records that are one incident, by their ids."""
        query = """SELECT list(s.external_id ORDER BY s.external_id) AS names
            FROM core.members AS m JOIN core.standalone AS s ON s.record_id = m.record_id GROUP BY m.incident_id"""
        with self.built(as_of) as warehouse:
            return {frozenset(row["names"]) for row in rows(warehouse, query)}


@contextmanager
def site(
    folder: Path, issues: list[dict[str, Any]], alerts: list[dict[str, Any]] | None = None, **options: Any
) -> Iterator[Site]:
    simulators = [JiraSimulator.from_issues(issues), JsmSimulator.from_records(alerts or [])]
    with VendorServer(simulators, clock=NOW, limits=None) as server:
        yield Site(server, folder, **options)


# -- the links -----------------------------------------------------------------------------------------------------------------


def test_an_alert_and_the_issue_that_it_is_linked_to_are_one_incident(tmp_path: Path) -> None:
    """The alert began it; that one pages for it is no evidence of when it began or was taken, however early it is."""
    issues = [issue(1, ("cause",), ("page",)), issue(2)]
    alerts = [alert("cause"), alert("page", after=-30 * MINUTE), alert("alone", days=3)]
    with site(tmp_path, issues, alerts) as here:
        here.pull()
        here.pull(source="jsm")
        with here.built() as warehouse:
            assert rows(warehouse, "SELECT * EXCLUDE (landed_in, text_id) FROM staging.jira_links ORDER BY place") == [
                {
                    "source": "jira",
                    "external_id": "1",
                    "place": place,
                    "reason": "vendor",
                    "target_kind": "id",
                    "target_source": "jsm",
                    "target": target,
                    "is_responder": is_responder,
                }
                for place, target, is_responder in (
                    ("associated_alert", "cause", False),
                    ("responder_alert", "page", True),
                )
            ]
            found = rows(
                warehouse,
                """SELECT s.external_id, m.role, m.is_responder, m.is_full FROM core.members AS m
                JOIN core.standalone AS s ON s.record_id = m.record_id ORDER BY m.precedence""",
            )
            assert [tuple(row.values()) for row in found] == [
                ("cause", "primary", False, True),
                ("1", "member", False, True),
                ("page", "member", True, False),
            ]
            began = """SELECT min_by(e.at, (e.rank, e.order_us, e.precedence)) AS at FROM core.evidence AS e
                JOIN core.members AS m ON m.incident_id = e.incident_id WHERE m.precedence = 1 AND e.stamp = 'detected'"""
            (row,) = rows(warehouse, began)
            assert row["at"] == round((NOW - DAY - MINUTE).timestamp()) * 1_000_000


def test_nights_tell_the_same_links_as_a_full_pull(tmp_path: Path) -> None:
    """A link that is made later joins, one that is removed splits the incident again, although neither changes the issue."""
    alerts = [alert("a"), alert("b", days=3), alert("c", days=2)]
    nights = [
        [issue(1, ("a",)), issue(2, ("b",), days=3), issue(3, days=2)],
        [issue(1), issue(2, ("b",), days=3), issue(3, ("c",), days=2)],
        [issue(1), issue(2, (), ("b",), days=3), issue(3, days=2)],
    ]
    wanted = [
        {frozenset({"1", "a"}), frozenset({"2", "b"})},
        {frozenset({"2", "b"}), frozenset({"3", "c"})},
        {frozenset({"2", "b"})},
    ]
    with site(tmp_path / "nights", nights[0], alerts) as here:
        here.pull(source="jsm")
        for night, (issues, groups) in enumerate(zip(nights, wanted, strict=True)):
            as_of = NOW + night * DAY
            here.show(issues)
            here.pull(as_of)
            assert here.groups(as_of) == groups
            with site(tmp_path / f"full {night}", issues, alerts) as fresh:
                fresh.pull(as_of, source="jsm")
                fresh.pull(as_of)
                assert fresh.groups(as_of) == groups


def test_without_the_setting_nothing_is_asked_and_what_was_read_joins_nothing(tmp_path: Path) -> None:
    with site(tmp_path, [issue(1, ("a",))], [alert("a")]) as here:
        here.pull()
        here.pull(source="jsm")
        off = Site(here.server, tmp_path, linked_alerts=None)
        off.pull(NOW + DAY)
        assert off.asked() == []
        assert off.groups(NOW + DAY) == set()


# -- which issues are asked ----------------------------------------------------------------------------------------------------


def test_a_night_asks_for_what_is_open_or_changed_lately_only(tmp_path: Path) -> None:
    """Two requests for each, and none for the history, which the first pull has asked once."""
    issues = [issue(1, days=90), issue(2, days=60, is_done=False), issue(3, days=5), issue(4, days=30)]
    with site(tmp_path, issues) as here:
        first = here.pull()
        assert sorted(here.asked()) == sorted(2 * ["1", "2", "3", "4"])
        assert set(here.alerts(first)) == {"1", "2", "3", "4"}
        second = here.pull(NOW + DAY)
        assert sorted(here.asked()) == sorted(2 * ["2", "3"])
        assert set(here.alerts(second)) == {"2", "3"}
        here.pull(NOW + 5 * DAY)
        assert sorted(here.asked()) == 2 * ["2"]
        issues[0]["fields"]["updated"] = stamp(NOW + 5 * DAY)
        here.show(issues)
        here.pull(NOW + 6 * DAY)
        assert sorted(here.asked()) == sorted(2 * ["1", "2"])
        here.pull(NOW + 6 * DAY, full_refresh=True)
        assert sorted(here.asked()) == sorted(2 * ["1", "2", "3", "4"])


def test_what_the_budget_does_not_reach_waits_for_the_next_nights(tmp_path: Path) -> None:
    issues = [issue(n, days=100 - n) for n in range(1, 6)] + [issue(6, days=1)]
    with site(tmp_path, issues, linked_alert_requests=4) as here:
        asked = []
        for night in range(3):
            manifest = here.pull(NOW + night * DAY)
            asked.append(sorted(set(here.asked())))
            assert len(here.asked()) == 4
            assert manifest.facts["counts"]["linked_alerts_postponed"] == (4, 3, 2)[night]
        assert asked == [["5", "6"], ["4", "6"], ["3", "6"]]
        enough = Site(here.server, tmp_path)
        manifest = enough.pull(NOW + 3 * DAY)
        assert set(enough.asked()) == {"1", "2", "6"}
        assert "linked_alerts_postponed" not in manifest.facts["counts"]


def test_no_budget_asks_for_nothing(tmp_path: Path) -> None:
    with site(tmp_path, [issue(1), issue(2)], linked_alert_requests=0) as here:
        assert here.pull().facts["counts"]["linked_alerts_postponed"] == 2
        assert here.asked() == []


def test_a_setting_that_comes_later_asks_for_the_history_once(tmp_path: Path) -> None:
    with site(tmp_path, [issue(1, days=90), issue(2)], linked_alerts=None) as here:
        here.pull()
        later = Site(here.server, tmp_path)
        assert set(later.alerts(later.pull(NOW + DAY))) == {"1", "2"}
        assert set(later.alerts(later.pull(NOW + 2 * DAY))) == {"2"}


@given(
    st.lists(st.sets(st.integers(1, 30).map(str), max_size=8), min_size=1, max_size=12),
    st.sets(st.integers(1, 30).map(str)),
    st.integers(1, 6),
)
def test_every_issue_has_its_turn(nights: list[set[str]], history: set[str], most: int) -> None:
    """In nights with room for more than what is recent, all that waits is asked in the end; no night asks for more than it may, and
    nothing that waits is lost."""
    waiting, asked_once = sorted(history), set[str]()
    for recent in nights:
        asked, left = in_turn(recent, waiting, most)
        assert len(asked) <= most and len(asked + left) == len({*asked, *left})
        assert {*asked, *left} == {*recent, *waiting}
        if len(asked) < most:
            assert left == []
        waiting, asked_once = left, asked_once | set(asked)
    for _ in range(-(-len(waiting) // most)):
        asked, waiting = in_turn([], waiting, most)
        asked_once |= set(asked)
    assert asked_once == set(history).union(*nights)


@given(st.sets(st.integers(1, 30).map(str), min_size=1, max_size=12), st.integers(1, 6))
def test_recent_issues_take_turns_where_the_budget_is_too_small_for_them(recent: set[str], most: int) -> None:
    """Open issues that each night asks for: none of them is asked a second time before all were asked once."""
    waiting, asked_once = list[str](), set[str]()
    for _ in range(-(-len(recent) // most)):
        asked, waiting = in_turn(recent, waiting, most)
        asked_once |= set(asked)
    assert asked_once == recent


# -- what the site answers -----------------------------------------------------------------------------------------------------


def test_long_lists_are_whole_and_faults_change_nothing(tmp_path: Path) -> None:
    names = tuple(f"alert-{n}" for n in range(8))
    issues = [issue(n, names[: n % 9], names[:1]) for n in range(1, 40)]
    wanted = {str(n): (list(names[: n % 9]), list(names[:1])) for n in range(1, 40)}
    with site(tmp_path, issues) as here:
        assert here.alerts(here.pull()) == wanted
        here.server.set_faults(
            (Rule("reset", share=0.2), Rule("status", share=0.2, argument=503), Rule("truncated_json", share=0.2))
        )
        assert here.alerts(here.pull(full_refresh=True)) == wanted
        here.server.set_faults((Rule("repeated_row", share=0.5), Rule("empty_page", share=0.3)))
        assert here.alerts(here.pull(full_refresh=True)) == wanted


def test_a_token_without_the_scope_is_told_once_and_harms_nothing(tmp_path: Path) -> None:
    with site(tmp_path, [issue(n) for n in range(1, 200)]) as here:
        here.server.simulators["jira"].scopes.clear()  # type: ignore[attr-defined]
        manifest = here.pull()
        assert len(landed_rows(here.landing, manifest, "issues")) == 199
        assert manifest.facts["counts"]["linked_alerts_not_readable"] == 1
        assert "read:incident:jira-service-management" in manifest.facts["linked_alerts_not_readable"]
        assert len(here.asked()) < 20
        assert here.alerts(manifest) == {}
        found = next(finding for finding in examine(lambda: here.settings) if finding.name == "jira")
        assert found.ok and found.text.count("no linked alerts") == 1
        assert "read:incident:jira-service-management" in found.text and "JIRA_API_TOKEN" in found.text
        here.server.simulators["jira"].scopes.add("read:incident:jira-service-management")  # type: ignore[attr-defined]
        assert len(here.alerts(here.pull(NOW + DAY))) == 199, "the history too"


def test_the_doctor_asks_for_the_linked_alerts_of_an_incident(tmp_path: Path) -> None:
    with site(tmp_path, [issue(1, ("a", "b"), ("c",))]) as here:
        found = next(finding for finding in examine(lambda: here.settings) if finding.name == "jira")
        assert found.text.endswith("; linked alerts, 3 of the newest incident")
        here.show([])
        found = next(finding for finding in examine(lambda: here.settings) if finding.name == "jira")
        assert (
            "linked alerts" not in found.text.removesuffix("no incident yet to ask for linked alerts") or not found.ok
        )


class Refusing(JiraSimulator):
    """A site that answers requests for linked alerts with a status, or a body, of its own."""

    status, content = 403, b'{"errorMessages":["Forbidden"]}'

    def handle(self, request: Request, now: datetime) -> Response:
        if ASKED in request.path:
            return Response(self.status, self.content)
        return super().handle(request, now)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (402, b"{}"),
        (403, b"{}"),
        (404, b"{}"),
        (410, b"{}"),
        (200, b'{"alerts":[]}'),
        (200, b'{"values":[]}'),
        (200, b'{"values":{"alertIds":"none"}}'),
        (200, b'{"values":{"alertIds":["a"]},"startKey":3}'),
    ],
)
def test_whatever_a_beta_api_answers_the_issues_are_read(tmp_path: Path, status: int, content: bytes) -> None:
    simulator = Refusing.from_issues([issue(n) for n in range(1, 100)])
    simulator.status, simulator.content = status, content  # type: ignore[attr-defined]
    with VendorServer([simulator, JsmSimulator.from_records([])], clock=NOW, limits=None) as server:
        here = Site(server, tmp_path)
        manifest = here.pull()
        assert len(landed_rows(here.landing, manifest, "issues")) == 99
        assert manifest.facts["counts"]["linked_alerts_not_readable"] == 1
        why = manifest.facts["linked_alerts_not_readable"]
        assert why.startswith("Jira, linked alerts") and simulator.token not in why
        assert len(here.asked()) < 40


def test_an_attempt_that_failed_is_gone_on_with(tmp_path: Path) -> None:
    """What comes after the linked alerts fails: the next attempt does not ask for them again."""

    class Failing(JiraSimulator):
        fails = True

        def handle(self, request: Request, now: datetime) -> Response:
            if self.fails and request.path.endswith("/issuetype"):
                return Response(400, self.error(400, "Not today."))
            return super().handle(request, now)

    simulator = Failing.from_issues([issue(1, ("a",)), issue(2, ("b",))])
    with VendorServer([simulator, JsmSimulator.from_records([])], clock=NOW, limits=None) as server:
        here = Site(server, tmp_path)
        with pytest.raises(PermanentError, match="Not today"):
            here.pull()
        assert len(here.asked()) == 4
        simulator.fails = False  # type: ignore[attr-defined]
        manifest = here.pull()
        assert here.asked() == []
        assert here.alerts(manifest) == {"1": (["a"], []), "2": (["b"], [])}


def test_what_could_not_be_read_waits(tmp_path: Path) -> None:
    """Also an issue that is done and long over when the site gives its alerts again."""
    issues = [issue(1, days=30), issue(2, ("a",))]
    with site(tmp_path, issues[:1]) as here:
        here.pull(NOW - 5 * DAY)
        here.show(issues)
        scopes = here.server.simulators["jira"].scopes  # type: ignore[attr-defined]
        kept = set(scopes)
        scopes.clear()
        assert here.pull().facts["counts"]["linked_alerts_not_readable"] == 1
        scopes |= kept
        manifest = here.pull(NOW + 20 * DAY)
        assert here.alerts(manifest) == {"2": (["a"], [])}
        assert "linked_alerts_not_readable" not in manifest.facts["counts"]


def test_an_issue_that_is_no_incident_of_jsm_is_counted(tmp_path: Path) -> None:
    """The query of the user may select others: those are no reason to stop, nor to say that nothing can be read."""
    issues = [issue(n, type_name="Bug") for n in range(1, 9)] + [issue(9, ("a",))]
    with site(tmp_path, issues) as here:
        manifest = here.pull()
        assert here.alerts(manifest) == {"9": (["a"], [])}
        assert manifest.facts["counts"]["issues_without_linked_alerts"] == 8
        assert "linked_alerts_not_readable" not in manifest.facts["counts"]
        here.show(issues[:8])
        manifest = here.pull(NOW + DAY)
        assert "linked_alerts_not_readable" not in manifest.facts["counts"], "an earlier pull could read some"


def test_the_cloud_id_stands_in_the_address_of_the_gateway(tmp_path: Path) -> None:
    """A token with scopes works at the gateway only, where no page shows it."""

    class Gateway(JiraSimulator):
        def handle(self, request: Request, now: datetime) -> Response:
            assert request.path != "/_edge/tenant_info"
            request.path = request.path.removeprefix(f"/ex/jira/{CLOUD_ID}")
            return super().handle(request, now)

    simulators = [Gateway.from_issues([issue(1, ("a",))]), JsmSimulator.from_records([])]
    with VendorServer(simulators, clock=NOW, limits=None) as server:
        here = Site(server, tmp_path)
        env = {**server.env("jira"), "JIRA_JQL": "project = OPS"}
        env["JIRA_URL"] += f"/ex/jira/{CLOUD_ID}"
        here.settings = settings_for(tmp_path, {"sources": {"jira": {"linked_alerts": "jsm"}}}, env)
        assert here.alerts(here.pull()) == {"1": (["a"], [])}


def test_data_center_has_none(tmp_path: Path) -> None:
    """The setting does no harm there, and the doctor says that it is in vain."""
    row = issue(1, type_name="Incident")
    with VendorServer([JiraSimulator.from_issues([row], "dc")], clock=NOW, limits=None) as server:
        env = {**server.env("jira-dc"), "JIRA_JQL": "project = OPS"}
        settings = settings_for(tmp_path, {"sources": {"jira": {"linked_alerts": "jsm"}}}, env)
        connected, landing = build_source("jira", settings), Landing(tmp_path / "landing")
        try:
            manifest = pull(connected, settings, landing, new_run_id(), as_of=NOW)
        finally:
            connected.close()
        assert len(landed_rows(landing, manifest, "issues")) == 1
        assert not any(ASKED in line.path for line in server.log)
        found = next(finding for finding in examine(lambda: settings) if finding.name == "jira")
        assert found.text.endswith("no linked alerts: Jira Data Center has none, remove linked_alerts")
