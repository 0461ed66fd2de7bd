"""A list or an object where a text belongs: the first element, or the name; an object without a name never becomes one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import AS_OF, build_all, land, land_custom, open_warehouse, rows

from mttr_pipeline.landing.store import Landing

AT = "2026-10-01T10:00:00Z"
#: What a field holds, and the text that it stands for.
VALUES: dict[str, tuple[Any, str | None]] = {
    "a text": ("Search", "Search"),
    "a number": (7, "7"),
    "a list": (["Search", "Web"], "Search"),
    "an option": ({"id": "1", "value": "Search"}, "Search"),
    "options": ([{"id": "1", "value": "Search"}, {"id": "2", "value": "Web"}], "Search"),
    "a named object": ({"self": "x", "name": "Search"}, "Search"),
    "nothing": ([], None),
    "an object without a name": ({"weight": 1}, None),
    "an object whose name is one": ({"name": {"de": "Suche"}}, None),
    "a list in a list": ([["Search"]], None),
}
NAMED = [{"id": "customfield_1", "name": "Affected"}, {"id": "customfield_2", "name": "People"}]
UNNAMED = ("an object without a name", "an object whose name is one", "a list in a list")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str | None]:
    """The service of one record of each source for each of the values; quarantine is under the source `refused`."""
    folder = tmp_path_factory.mktemp("lists")
    landing = Landing(folder / "landing")
    names = {name: f"R{number}" for number, name in enumerate(VALUES)}
    pages, fields, alerts, details, issues, custom = [], [], [], [], [], []
    for name, (value, _) in VALUES.items():
        ident = names[name]
        pages.append({"id": ident, "title": "t", "created_at": AT, "updated_at": AT, "status": "resolved"})
        field = {"name": "affected", "display_name": "Affected", "value": value}
        fields.append({"id": ident, "updated_at": AT, "custom_fields": [field]})
        alerts.append({"id": ident, "message": "t", "createdAt": AT, "updatedAt": AT})
        details.append({"id": ident, "updatedAt": AT, "details": {"service": value}})
        issues.append({"id": ident, "key": "A-1", "fields": {"created": AT, "customfield_1": value}})
        custom.append({"external_id": ident, "detected_at": AT, "service": value})
    # Beside them, a number that is none and an entity that is no text.
    many = {"name": "people", "display_name": "People", "value": "many"}
    pages.append({**pages[0], "id": "other"})
    fields.append({**fields[0], "id": "other", "custom_fields": [many]})
    alerts.append({**alerts[0], "id": "other"})
    details.append({"id": "other", "updatedAt": AT, "entity": {"weight": 1}, "details": {"service": "Search"}})
    issues.append({"id": "other", "key": "A-2", "fields": {"created": AT, "customfield_2": "many"}})
    land(landing, "pagerduty", {"incidents": pages, "incident_fields": fields})
    land(landing, "opsgenie", {"alerts": alerts, "alert_details": details})
    land(
        landing,
        "jsm",
        {"alerts": alerts, "alert_details": [{**row, "extraProperties": row["details"]} for row in details]},
    )
    land(landing, "jira", {"issues": issues, "fields": NAMED})
    land_custom(landing, custom)
    mapped = {"fields": {"Affected": "service", "People": "affected_users"}}
    warehouse = open_warehouse(
        folder, {"sources": {"pagerduty": mapped, "jira": mapped}}, as_of=AS_OF, after_nothing=True
    )
    try:
        warehouse.load(landing)
        build_all(warehouse, only=["core.vendor_records", "mart.quarantine", "figures.findings_texts"])
        found = {
            (row["source"], row["external_id"]): row["service"]
            for row in rows(warehouse.con, "SELECT source, external_id, service FROM core.vendor_records")
        }
        for row in rows(warehouse.con, "SELECT source, external_id, reason FROM mart.quarantine"):
            found["refused " + row["source"], row["external_id"]] = row["reason"]
        by_id = {ident: name for name, ident in names.items()} | {"other": "other"}
        told = {(source, by_id[ident]): value for (source, ident), value in found.items()}
        for row in rows(warehouse.con, "FROM figures.findings_texts WHERE dq_check = 'field_without_text'"):
            told["finding", row["source"]] = f"{row['n']} of {row['total']}, {row['level']}"
        return told
    finally:
        warehouse.close()


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("source", ["pagerduty", "opsgenie", "jsm", "jira"])
def test_the_same_text_in_every_source(services: dict[tuple[str, str], str | None], source: str, name: str) -> None:
    """A service called `["Search", "Web"]` stood beside the service Search."""
    assert services[source, name] == VALUES[name][1]


@pytest.mark.parametrize("name", VALUES)
def test_a_custom_record(services: dict[tuple[str, str], str | None], name: str) -> None:
    """Its schema is ours, so a value without a text is refused, and the field is named."""
    if name in UNNAMED:
        shown = json.dumps(VALUES[name][0], separators=(",", ":"))[:40]
        assert services["refused custom", name] == f"service is no text: {shown}"
        assert ("custom", name) not in services
    else:
        assert services["custom", name] == VALUES[name][1]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("source", ["pagerduty", "opsgenie", "jsm", "jira"])
def test_a_field_without_a_text_is_told(services: dict[tuple[str, str], str | None], source: str, name: str) -> None:
    """The incident counts, without that field; quarantine names the field, and only where its value is lost."""
    assert (source, name) in services
    refused = services.get((f"refused {source}", name))
    field = "Affected" if source in ("pagerduty", "jira") else "service"
    if name in UNNAMED:
        shown = json.dumps(VALUES[name][0], separators=(",", ":"))[:40]
        assert refused == f"the field {field} is no text and stays empty: {shown}"
    else:
        assert refused is None


@pytest.mark.parametrize("source", ["pagerduty", "opsgenie", "jsm", "jira"])
def test_a_finding_counts_them(services: dict[tuple[str, str], str | None], source: str) -> None:
    """Nobody looks into quarantine without a reason to."""
    assert services["finding", source] == f"{len(UNNAMED) + 1} of {len(VALUES) + 1}, warn"


def test_no_finding_counts_what_is_refused_whole(services: dict[tuple[str, str], str | None]) -> None:
    """A custom record that is refused is in quarantine already, and none that is used lacks a field."""
    assert services["finding", "custom"] == f"0 of {len(VALUES) - len(UNNAMED)}, warn"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("pagerduty", "the field People is no number and stays empty: many"),
        ("jira", "the field People is no number and stays empty: many"),
        ("opsgenie", 'the field entity is no text and stays empty: {"weight":1}'),
        ("jsm", 'the field entity is no text and stays empty: {"weight":1}'),
    ],
)
def test_any_other_field_that_cannot_be_read(
    services: dict[tuple[str, str], str | None], source: str, said: str
) -> None:
    """Users of which nobody knows the number cost nothing, and an entity was the last to name a service."""
    assert services[f"refused {source}", "other"] == said
