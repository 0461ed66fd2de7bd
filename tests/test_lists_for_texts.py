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
    land(landing, "pagerduty", {"incidents": pages, "incident_fields": fields})
    land(landing, "opsgenie", {"alerts": alerts, "alert_details": details})
    land(
        landing,
        "jsm",
        {"alerts": alerts, "alert_details": [{**row, "extraProperties": row["details"]} for row in details]},
    )
    land(landing, "jira", {"issues": issues, "fields": [{"id": "customfield_1", "name": "Affected"}]})
    land_custom(landing, custom)
    mapped = {"fields": {"Affected": "service"}}
    warehouse = open_warehouse(
        folder, {"sources": {"pagerduty": mapped, "jira": mapped}}, as_of=AS_OF, after_nothing=True
    )
    try:
        warehouse.load(landing)
        build_all(warehouse, only=["core.records"])
        found = {
            (row["source"], row["external_id"]): row["service"]
            for row in rows(warehouse.con, "SELECT source, external_id, service FROM core.records")
        }
        for row in rows(warehouse.con, "SELECT source, external_id, reason FROM ops.quarantine"):
            found["refused " + row["source"], row["external_id"]] = row["reason"]
        by_id = {ident: name for name, ident in names.items()}
        return {(source, by_id[ident]): value for (source, ident), value in found.items()}
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


@pytest.mark.parametrize("name", UNNAMED)
def test_a_field_without_a_text_is_told(services: dict[tuple[str, str], str | None], name: str) -> None:
    """The incident itself stays; only what its custom fields say is missing, and quarantine names the field."""
    assert ("pagerduty", name) in services
    assert str(services["refused pagerduty", name]).startswith("the custom field Affected is no text: ")
