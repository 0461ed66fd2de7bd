"""JSM Operations payloads to the common shape; each case says in its case.toml what would go wrong without it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from staging_cases import AS_OF, built, cases, run_case

from mttr_pipeline.landing.store import Landing


@pytest.mark.parametrize("name", cases("jsm"))
def test_case(name: str, tmp_path: Path) -> None:
    run_case("jsm", name, tmp_path)


@pytest.mark.parametrize(
    ("selves", "page"),
    [
        (["https://acme.atlassian.net"], "https://acme.atlassian.net/jira/ops/alerts/a-1"),
        (["https://old.atlassian.net", "https://new.atlassian.net"], "https://new.atlassian.net/jira/ops/alerts/a-1"),
        (["https://api.atlassian.com/ex/jira/ab-12"], None),
        (["https://jira.example.com"], None),
    ],
)
def test_pages_are_on_the_site_of_the_issues(selves: list[str], page: str | None, tmp_path: Path) -> None:
    """Without a setting the issues tell the site, the newest of them after a change of its name. The gateway has no pages, and
    a Data Center beside JSM is another system: a link to either would be wrong."""
    for number, site in enumerate(selves):
        issue = {"id": f"{number}", "key": f"OPS-{number}", "self": f"{site}/rest/api/3/issue/{number}"}
        extract = Landing(tmp_path / "landing").begin("jira", f"run-{number}", {"extract": number})
        extract.land("issues", "all", [json.dumps({**issue, "fields": {"created": "2026-10-01T00:00:00Z"}}).encode()])
        extract.finish(AS_OF)
    alert = json.dumps({"id": "a-1", "createdAt": "2026-10-01T00:00:00Z"}).encode()
    with built("jsm", [{"alerts": [alert]}], {}, tmp_path) as warehouse:
        assert warehouse.con.execute("SELECT count(*) FROM raw.jira_issues").fetchall() == [(len(selves),)]
        assert warehouse.con.execute("SELECT url FROM staging.jsm_records").fetchall() == [(page,)]
