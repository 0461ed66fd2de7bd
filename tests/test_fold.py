"""Events to incidents: the SQL's fold against the reference's, through the real door.

Drawn histories press on what a hand-written case forgets (ties, instants around a limit, fields against the timeline,
chains and circles of duplicates); the pairs in `fixtures/fold` are the cases of the definition page, to be read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from reference import HOUR, MINUTE, STAMPS, fold
from support import (
    AS_OF_US,
    built_incidents,
    custom_history,
    door,
    drawn,
    expected_incident,
    iso,
    microseconds,
    pagerduty_history,
    rows,
)

from mttr_pipeline.warehouse.database import Warehouse

CASES = sorted((Path(__file__).parent / "fixtures" / "fold").glob("*.json"))
TABLES = (
    "core.incidents",
    "mart.incident_events",
    "core.incident_sources",
    "mart.source_runs",
    "mart.quarantine",
    "mart.data_quality",
)
PRIORITIES = {"P1": "SEV1", "P2": "SEV2", "P3": "SEV3", "P4": "SEV4", "P5": "SEV4"}

# Few distinct instants, so that ties happen; steps on both sides of the limits of 24 hours and 10 minutes.
STEPS = (
    0,
    0,
    1,
    MINUTE,
    9 * MINUTE,
    10 * MINUTE,
    10 * MINUTE + 1,
    HOUR,
    23 * HOUR,
    24 * HOUR - 1,
    24 * HOUR,
    24 * HOUR + 1,
)
DAYS = (HOUR, 24 * HOUR - 1, 24 * HOUR, 24 * HOUR + 1, 24 * HOUR + 1)
ABSURD = (0, -1, 946_684_799_999_999, AS_OF_US + 5 * MINUTE + 1, AS_OF_US + 90 * 24 * HOUR, 1_563_000_000_000_000_000)
EDGES = (946_684_800_000_000, AS_OF_US, AS_OF_US + 5 * MINUTE)
TYPES = (
    *STAMPS,
    "resolved",
    "resolved",
    "reopened",
    "reopened",
    "reopened",
    "closed",
    "unacknowledged",
    "paused",
    "note",
    "odd",
)
TURNS = ("resolved", "reopened", "resolved", "reopened", "closed", "acknowledged", "detected")
NOTES = (
    "Mitigated: traffic moved",
    " mitigated:by rollback",
    "ROOT CAUSE FOUND: disk",
    "We mitigated: nothing",
    "Mitigated",
)


# --- custom records ---------------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Any]:
    """One custom record without its id: a timeline and, often, stamps as fields."""
    at = AS_OF_US - draw(st.integers(2, 20)) * 24 * HOUR
    timeline: list[dict[str, Any]] = []
    types, steps = map(st.sampled_from, draw(st.sampled_from(((TYPES, STEPS), (TURNS, STEPS), (TURNS, DAYS)))))
    for _ in range(draw(st.integers(0, 10))):
        at += draw(steps)
        entry: dict[str, Any] = {"event_type": draw(types), "at": iso(at)}
        if draw(st.integers(0, 5)) == 0:
            entry["notes"] = draw(st.sampled_from(NOTES))
        if draw(st.integers(0, 14)) == 0:
            entry["at"] = iso(draw(st.sampled_from(ABSURD + EDGES)))
        timeline.append(entry)
    record: dict[str, Any] = {"timeline": draw(st.permutations(timeline))}
    span = st.integers(0, at - AS_OF_US + 20 * 24 * HOUR)
    names = draw(st.sets(st.sampled_from(STAMPS), max_size=4)) if draw(st.booleans()) else set()
    if not any(entry["event_type"] in STAMPS for entry in timeline):
        names = names | {"detected"}  # a record without any stamp is no incident and goes to quarantine
    for name in sorted(names):
        near = [microseconds(e["at"]) for e in timeline if e["at"][4] == "-"]
        choices = [st.sampled_from(near)] if near else []
        choices += [span.map(lambda us: AS_OF_US - 20 * 24 * HOUR + us), st.sampled_from(ABSURD + EDGES)]
        record[f"{name}_at"] = iso(draw(choices[0] if draw(st.booleans()) else st.one_of(choices)))
    if draw(st.booleans()):
        record["severity"] = draw(st.sampled_from(("SEV1", "SEV2", "SEV3", "SEV4")))
        record["service"] = draw(st.sampled_from(("api", "web")))
        record["kind"] = draw(st.sampled_from(("incident", "incident", "incident", "maintenance")))
    if draw(st.integers(0, 3)) == 0:
        record["status"] = draw(st.sampled_from(("Done", "closed", "CLOSED", "open", "banana")))
        if draw(st.booleans()):
            record["updated_at"] = iso(AS_OF_US)
    if draw(st.integers(0, 4)) == 0:
        record["resolution_kind"] = draw(st.sampled_from(("human", "integration", "timeout")))
    return record


@st.composite
def groups(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A few records, some of them duplicates: of one another, in chains and circles, or of something unknown."""
    group = draw(st.lists(histories(), min_size=1, max_size=5))
    for place, record in enumerate(group):
        record["external_id"] = str(place)
        target = draw(st.sampled_from([None, None, "unknown", *(str(n) for n in range(len(group)) if n != place)]))
        if target is not None and len(group) > 1:
            record["duplicate_of"] = target
    return group


def numbered(drawn_groups: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Ids that no two groups share."""
    for number, group in enumerate(drawn_groups):
        for record in group:
            for name in ("external_id", "duplicate_of"):
                if name in record:
                    record[name] = f"{number}-{record[name]}"
    return drawn_groups


@pytest.fixture(scope="module")
def drawn_groups() -> list[list[dict[str, Any]]]:
    return numbered(drawn(groups(), 250))


@pytest.fixture(scope="module")
def folded(drawn_groups: list[list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """All drawn groups in one build, without correlation: duplicates keep their rows, and can be compared too."""
    records = [record for group in drawn_groups for record in group]
    off = {"correlation": {"enabled": False}}
    with door(tmp_path_factory.mktemp("folded"), custom=records, configured=off, only=TABLES) as warehouse:
        assert rows(warehouse.con, "SELECT reason FROM mart.quarantine") == []
        yield warehouse


def test_custom_records_fold_as_the_reference_says(folded: Warehouse, drawn_groups: list[list[dict[str, Any]]]) -> None:
    """Provenance, order of equal instants, reopens around 24 h, absurd stamps, duplicates: everything at once."""
    found = built_incidents(folded)
    expected: dict[str, Any] = {}
    for group in drawn_groups:
        told = [custom_history(record) for record in group]
        incidents = fold([about for about, _ in told], [event for _, events in told for event in events], AS_OF_US)
        for incident in incidents:
            expected[incident.incident_id] = expected_incident(incident)
            assert found.get(incident.incident_id) == expected_incident(incident), json.dumps(group, indent=1)
    assert found.keys() == expected.keys()
    all_of = list(expected.values())
    seen = {  # the drawn histories do reach what they are drawn for
        "reopened twice": [i for i in all_of if i["reopen_count"] > 1],
        "third episode": [i for i in all_of if i["episode"] > 2],
        "duplicate": [i for i in all_of if i["duplicate_of"]],
        "imputed": [i for i in all_of if i["provenance"].get("resolved") == "imputed"],
        "derived": [i for i in all_of if i["provenance"].get("mitigated") == "derived"],
        "over at an unknown time": [
            i for i in all_of if i["status"] in ("resolved", "closed") and "resolved" not in i["at"]
        ],
        "first closed, not resolved": [i for i in all_of if i["first_resolved"] and "resolved" not in i["at"]],
        "negative": [i for i in all_of if i["at"].get("resolved", AS_OF_US) < i["at"].get("detected", 0)],
    }
    assert {name: len(them) for name, them in seen.items() if not them} == {}


def test_no_history_is_worse_than_its_own_promises(folded: Warehouse) -> None:
    """What must hold for every incident, whatever the reference says: readers build on it."""
    for promise in (
        "first_resolved_at <= resolved_at OR resolved_at IS NULL OR reopen_count > 0",
        "resolved_at IS NOT NULL OR closed_at IS NULL",
        "resolution_kind IS NULL OR resolved_at IS NOT NULL",
        "NOT auto_resolved OR resolved_at IS NOT NULL",
        "started_at = coalesce(detected_at, started_at)",
        "duplicate_of IS NULL OR incident_id <> duplicate_of",
        "severity_max <= severity AND severity_max <= severity_first",
        "active_minutes >= 0",
        "(acknowledged_at IS NULL) = (acknowledged_provenance IS NULL)",
    ):
        broken = rows(folded.con, f"SELECT external_id FROM mart.incidents WHERE NOT ({promise})")
        assert broken == [], promise


# --- PagerDuty --------------------------------------------------------------------------------------------------------

CREATED = AS_OF_US - 10 * 24 * HOUR
SECOND = 1_000_000
PAGER_STEPS = (0, SECOND, MINUTE, 10 * MINUTE, 10 * MINUTE + SECOND, HOUR, 24 * HOUR, 24 * HOUR + SECOND)


@st.composite
def pagers(draw: st.DrawFn) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """A few PagerDuty incidents of one service with their log entries: same dedup keys, merges, reopens, notes."""
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    began = CREATED
    count = draw(st.integers(1, 4))
    for place in range(count):
        at = began
        kinds = st.sampled_from(
            (
                "acknowledge",
                "acknowledge",
                "resolve",
                "resolve",
                "reopen",
                "annotate",
                "priority_change",
                "unacknowledge",
                "notify",
            )
        )
        entries: list[dict[str, Any]] = []
        for kind in draw(st.lists(kinds, max_size=7)):
            at += draw(st.sampled_from(PAGER_STEPS))
            channel: dict[str, Any] = {"type": draw(st.sampled_from(("web_trigger", "timeout", "api")))}
            if kind == "annotate":
                channel = {"type": "note", "summary": draw(st.sampled_from(NOTES))}
            if kind == "priority_change":
                old, new = draw(st.lists(st.sampled_from(sorted(PRIORITIES)), min_size=2, max_size=2))
                channel = {"type": "web", "old_priority": {"name": old}, "new_priority": {"name": new}}
            entries.append(
                {
                    "id": f"{place}-{len(entries)}",
                    "type": f"{kind}_log_entry",
                    "created_at": seconds(at),
                    "agent": {"type": draw(st.sampled_from(("user_reference", "service_reference")))},
                    "channel": channel,
                }
            )
        silent = not any(e["type"].startswith("resolve") for e in entries) and draw(st.booleans())
        said = not silent and draw(st.integers(0, 2)) == 0
        resolves = [e["created_at"] for e in entries if e["type"].startswith("resolve")]
        incident: dict[str, Any] = {
            "id": str(place),
            "incident_number": place,
            "status": "resolved" if silent or said else "triggered",
            "urgency": draw(st.sampled_from(("high", "low"))),
            "incident_key": draw(st.sampled_from(("a", "a", "a", "b", None))),
            "created_at": seconds(began),
            "resolved_at": seconds(at + MINUTE) if silent else max(resolves) if said and resolves else None,
            "service": {"id": "S", "summary": "api"},
            "priority": draw(st.sampled_from((None, {"id": "X", "name": "P2"}))),
        }
        if silent and place and draw(st.integers(0, 2)) == 0:
            into = str(draw(st.integers(0, count - 1)))
            incident["resolve_reason"] = {"type": "merge_resolve_reason", "incident": {"id": into}}
        found.append((incident, entries))
        began = draw(st.sampled_from((began, at))) + draw(st.sampled_from(PAGER_STEPS))
    return found


def seconds(us: int) -> str:
    """As PagerDuty writes it: whole seconds."""
    return iso(us)[:19] + "Z"


def test_pager_histories_fold_as_the_reference_says(tmp_path: Path) -> None:
    """Flaps of one dedup key around 10 minutes, merges into what flapped, reopens told or only inferred, resolve kinds."""
    drawn_groups = drawn(pagers(), 150)
    streams: dict[str, list[dict[str, Any]]] = {"incidents": [], "log_entries": []}
    for number, group in enumerate(drawn_groups):
        for incident, entries in group:
            own = incident["id"] = f"{number}-{incident['id']}"
            incident["service"] = {"id": f"S{number}", "summary": f"api-{number}"}
            if "resolve_reason" in incident:
                incident["resolve_reason"]["incident"]["id"] = (
                    f"{number}-{incident['resolve_reason']['incident']['id']}"
                )
            for entry in entries:
                entry["id"], entry["incident"] = f"{number}-{entry['id']}", {"id": own}
            streams["incidents"].append(incident)
            streams["log_entries"] += entries
    with door(tmp_path, pagerduty=streams, only=TABLES) as warehouse:
        found = built_incidents(warehouse)
        sources = rows(warehouse.con, "SELECT * FROM mart.incident_sources")
        (stampless,) = rows(warehouse.con, "SELECT n FROM mart.data_quality WHERE dq_check = 'record_without_stamp'")
    expected: dict[str, Any] = {}
    for group in drawn_groups:
        told = [pagerduty_history(incident, entries, PRIORITIES) for incident, entries in group]
        for incident in fold([about for about, _ in told], [e for _, events in told for e in events], AS_OF_US):
            expected[incident.incident_id] = expected_incident(incident)
            if incident.duplicate_of is not None:  # a member of its target, which has no row of its own
                assert incident.incident_id not in found
                continue
            assert found.get(incident.incident_id) == expected_incident(incident), json.dumps(group, indent=1)
    assert found.keys() == {key for key, incident in expected.items() if incident["duplicate_of"] is None}
    assert {row["incident_id"] for row in sources} <= found.keys()
    assert len({row["external_id"] for row in sources}) + stampless["n"] == len(
        streams["incidents"]
    )  # every vendor record is counted somewhere
    all_of = list(expected.values())
    seen = {
        "flap": [i for i in all_of if i["flap_count"]],
        "second episode": [i for i in all_of if i["episode"] > 1],
        "over at an unknown time": [i for i in all_of if i["status"] == "resolved" and "resolved" not in i["at"]],
        "merged": [i for i in all_of if i["duplicate_of"]],
        "timeout": [i for i in all_of if i["resolution_kind"] == "timeout"],
        "was worse": [i for i in all_of if i["severity_max"] < i["severity"]],
    }
    assert {name: len(them) for name, them in seen.items() if not them} == {}


# --- the cases of the definition page ---------------------------------------------------------------------------------


def read_case(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


#: Cases that say nothing but what the incidents are, with the settings as they come: one build is enough for all of them.
TOGETHER = [
    path for path in CASES if "settings" not in (case := read_case(path)) and set(case["expected"]) == {"incidents"}
]


def of_case(path: Path, node: Any, key: str = "") -> Any:
    """What a case lands, with ids that no other case has."""
    if isinstance(node, dict):
        return {name: of_case(path, value, name) for name, value in node.items()}
    if isinstance(node, list):
        return [of_case(path, value) for value in node]
    return f"{path.stem}:{node}" if key in ("external_id", "duplicate_of", "id", "incident_key") and node else node


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    custom: list[dict[str, Any]] = []
    pagerduty: dict[str, list[dict[str, Any]]] = {}
    for path in TOGETHER:
        case = of_case(path, read_case(path))
        custom += case.get("custom", ())
        for stream, payloads in case.get("pagerduty", {}).items():
            pagerduty[stream] = pagerduty.get(stream, []) + payloads
    folder = tmp_path_factory.mktemp("together")
    with door(folder, custom, pagerduty, only=("core.incidents", "mart.source_runs")) as warehouse:
        yield warehouse


@pytest.mark.parametrize("path", TOGETHER, ids=lambda path: path.stem)
def test_case(path: Path, together: Warehouse) -> None:
    """`why` in each file says what would go wrong; `expected` holds the rows of the incidents, in order."""
    case = read_case(path)
    assert case["why"]
    expect(together, case["expected"], f"{path.stem}:")


@pytest.mark.parametrize("path", [path for path in CASES if path not in TOGETHER], ids=lambda path: path.stem)
def test_case_by_itself(path: Path, tmp_path: Path) -> None:
    """With settings of its own, or with rows that count the records of a source; `expected` names the tables."""
    case = read_case(path)
    assert case["why"]
    tables = (
        "core.incidents",
        "mart.source_runs",
        *(f"mart.{table}" for table in case["expected"] if table != "incidents"),
    )
    with door(tmp_path, case.get("custom", ()), case.get("pagerduty"), case.get("settings"), only=tables) as warehouse:
        expect(warehouse, case["expected"])


def expect(warehouse: Warehouse, tables: dict[str, list[dict[str, Any]]], prefix: str = "") -> None:
    """The rows of these tables, those of incidents whose id begins with `prefix`; and no record was lost."""
    names = warehouse.con.execute("SELECT external_id, episode, incident_id FROM mart.incidents").fetchall()
    shown = {key: f"{external_id}/{episode}".removeprefix(prefix) for external_id, episode, key in names}
    for table, expected in tables.items():
        order = {"incidents": "external_id, episode", "data_quality": "dq_check", "quarantine": "external_id"}[table]
        for found, wanted in zip(rows_as_text(warehouse, table, order, expected, prefix), expected, strict=True):
            told = {name: shown.get(str(found[name]), found[name]) for name in wanted}
            if "external_id" in told:
                told["external_id"] = (told["external_id"] or "").removeprefix(prefix) or None
            assert told == wanted
    lost = (
        "SELECT * FROM mart.source_runs WHERE records_fetched <> records_normalised + duplicates_dropped + quarantined"
    )
    assert warehouse.con.execute(lost).fetchall() == []


def rows_as_text(
    warehouse: Warehouse, table: str, order: str, expected: list[dict[str, Any]], prefix: str
) -> list[dict[str, Any]]:
    """The columns that the case names, instants as ISO text; of data quality only the findings that it names."""
    columns = list(dict.fromkeys(name for row in expected for name in row)) or ["*"]
    wanted = [row["dq_check"] for row in expected] if table == "data_quality" else None
    own = f"WHERE starts_with(external_id, '{prefix}')" if prefix else ""
    found = rows(warehouse.con, f"SELECT {', '.join(columns)} FROM mart.{table} {own} ORDER BY {order}")
    return [
        {name: instant_text(value) for name, value in row.items()}
        for row in found
        if wanted is None or row["dq_check"] in wanted
    ]


def instant_text(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def test_every_rule_of_the_definition_has_a_case() -> None:
    """A rule without a pair of files is a rule that nobody can look up."""
    assert {path.stem for path in CASES} >= {
        "absurd_stamps",
        "closed_without_resolved",
        "duplicate",
        "end_before_start",
        "equal_stamps",
        "flap",
        "mitigated_missing",
        "naive_stamp",
        "no_acknowledgement",
        "reopened_late",
        "reopened_soon",
        "unknown_words",
        "unreadable_record",
    }
