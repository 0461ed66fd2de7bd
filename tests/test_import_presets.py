"""Presets of `mttr import --as`: exports of other programs and lists of vendors' APIs, from the file to the incident.

The files in `fixtures/imports` have the columns that the vendors document. One build shows them all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import build_all, open_warehouse, rows, settings_for
from test_import import records, shared, unreadable

from mttr_pipeline.config.imports import KNOWN_FIELDS, ImportPreset
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.intake.importer import ImportReport, import_files
from mttr_pipeline.intake.presets import house_presets, own_preset, preset
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.registry import registry

FIXTURES = Path(__file__).parent / "fixtures" / "imports"
SETTINGS = {"sources": {"custom": {"time_zone": "Europe/Berlin"}}}
FILES = {
    "pagerduty-csv": "pagerduty.csv",
    "jira-csv": "jira.csv",
    "servicenow-csv": "servicenow.csv",
    "opsgenie-csv": "opsgenie.csv",
    "statuspage-json": "statuspage.json",
    "grafana-webhook": "grafana.json",
    "pagerduty-incidents": "pagerduty-incidents.json",
    "opsgenie-alerts": "opsgenie-alerts.json",
    "jira-search": "jira-search.json",
}


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


def take(landing: Landing, path: Path, name: str | None, configured: dict[str, Any] | None = None) -> ImportReport:
    settings = settings_for(landing.root.parent, configured or SETTINGS)
    chosen = preset(name, settings) if name else None
    zone = settings.account("custom").options.time_zone
    return import_files([path], landing, new_run_id(), accounts=settings.accounts, preset=chosen, zone=zone)


@pytest.fixture(scope="module")
def incidents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], dict[str, Any]]]:
    """(source, external_id) -> record, of every fixture, each taken with its preset."""
    folder = tmp_path_factory.mktemp("presets")
    landing = Landing(folder / "landing")
    for name, file in FILES.items():
        take(landing, FIXTURES / file, name)
    take(landing, FIXTURES / "alertmanager-list.json", None)
    warehouse = open_warehouse(folder, SETTINGS)
    try:
        warehouse.load(landing)
        build_all(warehouse, ("mart.records", "mart.source_runs"))
        assert rows(warehouse.con, "SELECT * FROM ops.quarantine") == []
        found = rows(warehouse.con, "SELECT * FROM mart.records")
        yield {(row["source"], row["external_id"]): row for row in found}
    finally:
        warehouse.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-10-{text}+00:00").astimezone(UTC)


EXPECTED: list[tuple[str, str, dict[str, Any]]] = [
    # the offset of the export; the acknowledgement from its number of seconds; urgency as severity
    (
        "custom",
        "QA1",
        {"detected_at": at("01T15:00"), "acknowledged_at": at("01T15:05"), "resolved_at": at("01T16:30")},
    ),
    ("custom", "QA1", {"severity": "SEV1", "service": "Queue", "title": "Queue is full, again"}),
    ("custom", "QA2", {"severity": "SEV3", "acknowledged_at": None, "resolved_at": None}),
    # no resolved_on: created_on plus seconds_to_resolve; resolved by itself
    ("custom", "QA3", {"resolved_at": at("03T15:04:30"), "resolution_kind": "integration"}),
    # the site's own way to write times, in the zone of [sources.custom]; repeated columns as lists
    ("custom", "OPS-7", {"detected_at": at("01T06:05"), "resolved_at": at("01T21:20"), "occurred_at": at("01T05:55")}),
    ("custom", "OPS-7", {"severity": "SEV1", "service": "Checkout", "tags": ["eu", "deploy"], "kind": "incident"}),
    ("custom", "OPS-8", {"severity": "SEV3", "kind": "incident"}),
    ("custom", "OPS-9", {"kind": "false_alarm", "detected_at": at("03T10:00"), "severity": "SEV4"}),
    ("custom", "INC0010001", {"severity": "SEV1", "resolved_at": at("01T07:35"), "closed_at": at("04T07:35")}),
    ("custom", "INC0010001", {"team": "Mail Team", "service": "Mail", "tags": ["Software", "phone"]}),
    ("custom", "INC0010002", {"team": None, "severity": "SEV4", "resolved_at": None}),  # its group is `?`
    ("custom", "INC0010003", {"kind": "false_alarm"}),
    (
        "custom",
        "a-1",
        {
            "detected_at": at("01T08:00"),
            "resolved_at": None,
            "status": "resolved",
            "team": "DevOps",
            "severity": "SEV1",
        },
    ),
    ("custom", "a-2", {"resolved_at": None, "acknowledged_at": None, "severity": "SEV4"}),
    ("custom", "s1", {"detected_at": at("01T08:00"), "resolved_at": at("01T09:00"), "mitigated_at": at("01T08:40")}),
    (
        "custom",
        "s1",
        {"root_cause_found_at": at("01T08:30"), "severity": "SEV2", "reopen_count": 0, "service": "Uploads"},
    ),
    ("custom", "s2", {"kind": "maintenance"}),
    # both near relatives become alerts
    ("alertmanager", "gf01/2026-10-01T08:00:00.500000Z", {"resolved_at": at("01T09:00"), "severity": "SEV1"}),
    ("alertmanager", "gf02/2026-10-01T08:30:00.000000Z", {"resolved_at": None, "severity": "SEV3"}),
    # the end of a listed alert is the one that is expected
    (
        "alertmanager",
        "am01/2026-10-01T08:00:00.000000Z",
        {"resolved_at": None, "severity": "SEV1", "title": "API is slow"},
    ),
    # lists of vendors' APIs are records of their sources
    (
        "pagerduty",
        "QL1",
        {"detected_at": at("01T08:00"), "resolved_at": at("01T08:45"), "service": "Queue", "team": "Data"},
    ),
    ("pagerduty", "QL2", {"resolved_at": None}),
    ("opsgenie", "ga-1", {"acknowledged_at": at("01T08:05"), "resolved_at": at("01T09:00"), "severity": "SEV2"}),
    ("jira", "30001", {"resolved_at": at("01T09:00"), "severity": "SEV2", "title": "Site down"}),
]


@pytest.mark.parametrize(("source", "external_id", "expected"), EXPECTED)
def test_an_export_becomes_the_incident_it_tells_of(
    incidents: dict[tuple[str, str], dict[str, Any]], source: str, external_id: str, expected: dict[str, Any]
) -> None:
    found = incidents[source, external_id]
    assert {name: found[name] for name in expected} == expected


def test_a_link_to_the_original_is_a_duplicate(incidents: dict[tuple[str, str], dict[str, Any]]) -> None:
    merged, original = incidents["custom", "OPS-8"], incidents["custom", "OPS-7"]
    assert (merged["role"], merged["incident_id"]) == ("duplicate", original["incident_id"])
    assert {one["role"] for one in incidents.values() if one is not merged} == {"primary"}


def test_nothing_else_becomes_an_incident(incidents: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert incidents.keys() == {(source, external_id) for source, external_id, _ in EXPECTED}


def test_the_record_keeps_what_it_was_made_of(landing: Landing) -> None:
    """A better preset must be able to start again from the landing zone, and quarantine must show what stood in the file."""
    from test_import import raw_lines

    take(landing, FIXTURES / "pagerduty.csv", "pagerduty-csv")
    first = json.loads(raw_lines(landing)[0])
    assert (first["line"], first["given"]["seconds_to_first_ack"], first["record"]["external_id"]) == (2, "300", "QA1")


def test_a_list_is_landed_byte_for_byte(landing: Landing) -> None:
    """As a pull lands it, numbers and spaces untouched, and without moving the high-water mark."""
    import zstandard

    report = take(landing, FIXTURES / "pagerduty-incidents.json", "pagerduty-incidents")
    assert dict(report.bodies) == {"PagerDuty record": 2} and "Landed 2 PagerDuty records" in str(report)
    (manifest,) = landing.manifests("pagerduty")
    assert manifest.high_water is None and landing.latest("pagerduty") is None
    path = landing.folder(manifest) / manifest.files[0].file
    with path.open("rb") as raw:
        lines = zstandard.ZstdDecompressor().stream_reader(raw).read().splitlines()
    assert b'"type": "incident", "incident_number": 21, "title": "Queue is full"' in lines[0] and len(lines) == 2


@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [
        ("jira-csv", "pagerduty.csv", "it has no column issue_key, created"),
        ("pagerduty-csv", "opsgenie.csv", "use `--as opsgenie-csv`"),
        (
            "jira-search",
            "pagerduty-incidents.json",
            "it has no record with id, key, fields (found: incidents, limit, offset, more, total); use `--as pagerduty-incidents`",
        ),
        ("jira-search", "jira.csv", "reads a JSON or JSON Lines file"),
        ("jira-csv", "jira-search.json", "reads a CSV or Parquet file"),
        ("grafana-webhook", "statuspage.json", "it has no record with alerts"),
    ],
)
def test_a_file_of_another_kind_is_refused(landing: Landing, name: str, file: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        take(landing, FIXTURES / file, name)
    assert f"does not fit the preset {name}" in str(caught.value) and sentence in str(caught.value)
    assert not landing.root.exists()


def test_an_unknown_preset_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"There is no preset 'pagerduty'; known: mine, grafana-webhook, .*\[imports.pagerduty\]"
    ):
        preset("pagerduty", settings_for(tmp_path, {"imports": {"mine": {"columns": {"external_id": "id"}}}}))


def test_every_preset_of_the_house_is_complete() -> None:
    """Its header says what it makes and where that goes."""
    assert house_presets().keys() == FILES.keys()
    for name, found in house_presets().items():
        source, _, stream = found.lands.partition(".")
        assert found.form in ("table", "json") and found.description and found.needs, name
        if found.lands == "custom.records":
            assert set(found.columns) <= set(KNOWN_FIELDS), name
        else:
            assert (stream if source == "inbox" else source) in registry().sources, name
        assert all(text.strip() for text in found.columns.values()), name


# --- presets of one's own ---------------------------------------------------------------------------------------------

OWN = {
    **SETTINGS,
    "imports": {
        "desk": {
            "columns": {
                "external_id": "Nr.",
                "title": "Betreff",
                "severity": "Stufe",
                "detected_at": "Beginn",
                "tags": "Worte",
                "status": "Zustand",
                "team": "Gruppe",
            },
            "time_format": "%d.%m.%Y %H:%M",
            "null_values": ["-", "unbekannt"],
            "encoding": "cp1252",
            "durations": {
                "acknowledged_at": {"column": "Minuten bis Annahme", "unit": "minutes"},
                "resolved_at": {"column": "Dauer (h)", "unit": "hours"},
            },
            "status": {"erledigt": "resolved"},
            "severity": {"sehr hoch": "SEV1"},
        },
        "api": {
            "columns": {
                "external_id": "attributes.public_id",
                "title": "attributes.title",
                "detected_at": "attributes.detected",
                "service": "attributes.services",
            },
            "records": "data.items",
        },
    },
}
CSV = (
    "Nr.;Betreff;Stufe;Beginn;Worte;Zustand;Gruppe;Minuten bis Annahme;Dauer (h)\r\n"
    "7;Störung;Sehr Hoch;24.10.2026 23:30;eu, netz;Erledigt;-;15;4,5\r\n"
    "8;Größe;SEV2;25.10.2026 00:30;;offen;unbekannt;-;4.5\r\n"
)


def test_a_preset_of_ones_own_reads_a_table(landing: Landing, tmp_path: Path) -> None:
    """Separator, encoding, words, times and durations of a German spreadsheet. The clock goes back between 00:30 and 05:00, so the
    duration is counted on the instants and not on the clock."""
    path = tmp_path / "desk.csv"
    path.write_bytes(CSV.encode("cp1252"))
    assert take(landing, path, "desk", OWN).records == 2
    first, second = records(landing).values()
    assert first == {
        "external_id": "7",
        "title": "Störung",
        "severity": "SEV1",
        "detected_at": "2026-10-24T23:30:00.000000",
        "tags": ["eu", "netz"],
        "status": "resolved",
        "acknowledged_at": "2026-10-24T21:45:00.000000Z",
    }, "4,5 is no number: there is no resolve that nobody wrote"
    assert second == {
        "external_id": "8",
        "title": "Größe",
        "severity": "SEV2",
        "detected_at": "2026-10-25T00:30:00.000000",
        "status": "offen",
        "resolved_at": "2026-10-25T03:00:00.000000Z",
    }


def test_a_preset_of_ones_own_reads_json_by_paths(landing: Landing, tmp_path: Path) -> None:
    items = [
        {
            "attributes": {
                "public_id": n,
                "title": "x",
                "detected": "2026-10-01T08:00:00Z",
                "services": [{"name": "web"}],
            }
        }
        for n in (7, 8)
    ]
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"data": {"items": [*items, 5]}}))
    report = take(landing, path, "api", OWN)
    assert (report.records, report.unreadable) == (2, 1)
    assert records(landing)[2] == {
        "external_id": "8",
        "title": "x",
        "detected_at": "2026-10-01T08:00:00Z",
        "service": "web",
    }
    assert list(unreadable(landing).values()) == ["not a JSON object"]


def test_without_a_zone_a_duration_has_none_either(landing: Landing, tmp_path: Path) -> None:
    """The zone that is configured later then holds for both."""
    path = tmp_path / "desk.csv"
    path.write_bytes(CSV.encode("cp1252"))
    take(landing, path, "desk", {"imports": OWN["imports"]})
    assert records(landing)[3]["resolved_at"] == "2026-10-25T05:00:00.000000"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"columns": {"title": "a"}}, "columns must name external_id"),
        ({"columns": {"external_id": "a", "opened": "b"}}, "'opened' is no field of a custom record"),
        ({"columns": {"external_id": "a"}, "encoding": "klingon"}, "must be an encoding that Python knows"),
        ({"columns": {"external_id": "a"}, "encoding": "base64"}, "must be an encoding that Python knows"),
        ({"columns": {"external_id": "a"}, "delimiter": ";;"}, "must be one character"),
        ({"columns": {"external_id": "a"}, "time_format": "DD.MM.YYYY"}, "must be a format of strptime"),
        ({"columns": {"external_id": "a"}, "status": {"x": "done"}}, "imports.mine.status"),
        (
            {"columns": {"external_id": "a"}, "durations": {"resolved_at": {"column": "b"}}},
            "which columns does not name",
        ),
        (
            {
                "columns": {"external_id": "a", "detected_at": "d", "resolved_at": "b"},
                "durations": {"resolved_at": {"column": "b"}},
            },
            "keep one of them",
        ),
        ({"columns": {"external_id": "a"}, "colums": 1}, "unknown key 'imports.mine.colums'"),
    ],
)
def test_a_wrong_preset_is_a_sentence(tmp_path: Path, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_for(tmp_path, {"imports": {"mine": given}})
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_names_with_quotes_do_no_harm(landing: Landing, tmp_path: Path) -> None:
    """A column's name is a text in SQL and a path in JSON."""
    path = tmp_path / "odd.csv"
    path.write_text('"it\'s ""the"" id",x\n7,1\n')
    mine = own_preset("mine", ImportPreset.model_validate({"columns": {"external_id": 'it\'s "the" id', "title": "x"}}))
    import_files([path], landing, new_run_id(), preset=mine)
    assert list(records(landing).values()) == [{"external_id": "7", "title": "1"}]


@pytest.mark.slow
def test_a_real_log_is_read_with_a_preset_of_ones_own(tmp_path: Path) -> None:
    """141,712 states of 24,918 tickets, dates with the day first, `?` where nothing is known: the figures are those of its
    publisher, to the last digit, without a conversion script."""
    source = shared("uci_servicenow", "incident_event_log.csv.zst")
    columns = {
        "external_id": "number",
        "detected_at": "opened_at",
        "resolved_at": "resolved_at",
        "updated_at": "sys_updated_at",
        "team": "assignment_group",
    }
    mine = {"columns": columns, "time_format": "%d/%m/%Y %H:%M"}
    configured = {"sources": {"custom": {"time_zone": "UTC"}}, "imports": {"log": mine}}
    landing = Landing(tmp_path / "landing")
    assert take(landing, source, "log", configured).records == 141_712
    warehouse = open_warehouse(tmp_path, configured)
    try:
        warehouse.load(landing)
        (found,) = rows(
            warehouse.con,
            """SELECT count(*) AS n, count(resolved_at) AS resolved, count(team) AS owned,
                round(avg(epoch(resolved_at - detected_at)) / 60, 4) AS mean,
                median(epoch(resolved_at - detected_at)) / 60 AS median
            FROM raw.custom_records""",
        )
        assert rows(warehouse.con, "SELECT * FROM ops.quarantine") == []
    finally:
        warehouse.close()
    assert found == {"n": 24_918, "resolved": 23_362, "owned": 22_761, "mean": 10_690.2949, "median": 1_326.0}
