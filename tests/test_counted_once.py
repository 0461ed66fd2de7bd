"""What readers see of records that are one incident: how many made how many, which they are, and where sources disagree."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import duckdb
import pytest
from correlation_cases import DAY, HOUR, MINUTE, Link, Rec, correlated
from report_cases import Reader, errors, rendered
from support import AS_OF_US
from support_e2e import finished_run, latest, query

from mttr_pipeline import reports
from mttr_pipeline.cli.terminal import records_line
from mttr_pipeline.reports import data_quality
from mttr_pipeline.reports.records import correlation, with_records

BEGAN = AS_OF_US - 10 * DAY
PAGE = Rec("pagerduty", "P", {"detected": BEGAN, "resolved": BEGAN + HOUR}, title="page", key="#7")
TICKET = Rec("jira", "T", {"detected": BEGAN + MINUTE, "mitigated": BEGAN, "resolved": BEGAN + HOUR}, key="OPS-1")
CHAT = Rec("opsgenie", "O", {"detected": BEGAN + 20 * MINUTE, "resolved": BEGAN + 2 * HOUR})
ALONE = Rec("jira", "U", {"detected": BEGAN + 5 * DAY, "resolved": BEGAN + 5 * DAY + HOUR}, key="OPS-2")
LINKS = [Link("jira", "T", "url", "url", PAGE.url), Link("opsgenie", "O", "url", "url", PAGE.url)]


def seen(folder: Path, **more: Any) -> dict[str, Any]:
    """The document on data quality, the line of the terminal, and the records of the incidents of PAGE and ALONE."""
    with correlated(folder, [PAGE, TICKET, CHAT, ALONE], LINKS, **more) as warehouse:
        con = warehouse.con
        document = data_quality.document(con)
        ids = con.execute("SELECT external_id, incident_id FROM mart.incidents").fetchall()
        listed = with_records(con, [{"external_id": name, "incident_id": identity} for name, identity in ids])
        con.execute(f"ATTACH '{folder / 'out.duckdb'}' AS out; CREATE TABLE out.correlation AS FROM mart.correlation")
        assert document["correlation"] == correlation(con)
    with duckdb.connect(str(folder / "out.duckdb")) as con:
        line = records_line(con)
    assert errors("data_quality", document) == []
    return {"document": document, "line": line, "records": {row["external_id"]: row["records"] for row in listed}}


def test_linked_records_are_told_wherever_incidents_are(tmp_path: Path) -> None:
    """Both numbers, per pair of sources; the records of an incident with what joins them; and the largest disagreement."""
    found = seen(tmp_path)
    assert found["line"] == (
        " records       4 records make 2 incidents; in two tools at once: jira and opsgenie 1, jira and pagerduty 1, "
        "opsgenie and pagerduty 1"
    )
    assert found["records"]["U"] == []
    assert [(row["source"], row["role"], row["link_reason"]) for row in found["records"]["P"]] == [
        *(("pagerduty", "primary", None), ("jira", "member", "url"), ("opsgenie", "member", "url")),
    ]
    told = {row["stamp"]: (row["chosen_source"], row["other_source"]) for row in found["document"]["conflicts"]}
    assert told == {"detected_at": ("pagerduty", "opsgenie"), "resolved_at": ("opsgenie", "pagerduty")}


@pytest.mark.parametrize("off", [{"enabled": False}, {"reasons": ["key"]}])
def test_without_a_link_that_joins_nothing_is_told(tmp_path: Path, off: dict[str, Any]) -> None:
    """Two equal numbers would be a riddle."""
    found = seen(tmp_path, file={"correlation": off})
    assert found["line"] is None and not any(found["records"].values()) and not found["document"]["conflicts"]
    assert {row["joined"] for row in found["document"]["correlation"]} == {0}


def test_the_page_of_a_pull_tells_of_merged_records() -> None:
    """Of real pulls: both numbers, though no two sources have records of one incident."""
    reader = Reader((latest(finished_run()) / "report.html").read_text(encoding="utf-8"))
    ((records, incidents),) = query(finished_run(), "SELECT records, incidents FROM correlation WHERE scope = 'all'")
    assert records > incidents and f"{records} records make {incidents} incidents, because" in reader.text


def test_a_breach_lists_its_records() -> None:
    """With an address that is safe only, and with what makes each a part of the incident."""
    documents = copy.deepcopy(rendered("odd")[0])
    record = {
        "source": "pager",
        "external_id": "P1",
        "key": "#7",
        "title": None,
        "role": "primary",
        "link_reason": None,
    }
    page, ticket = (
        {"url": "https://pager.example/7"},
        {"source": "tickets", "key": None, "link_reason": "key", "url": "javascript:x"},
    )
    documents["compliance"]["worst_breaches"][0]["records"] = [record | page, record | ticket]
    reader = Reader(reports.render(documents))
    assert reader.text.count("Records:") == 1 and "Records: pager #7 , tickets P1 (by key)" in reader.text
    links = [each["href"] or "" for each in reader.all("a")]
    assert page["url"] in links and not [link for link in links if "javascript" in link]


def test_a_page_without_linked_records_says_nothing_of_them() -> None:
    text = Reader(rendered("one")[1]).text
    assert "records make" not in text and "Records:" not in text and "sources have records of" not in text
