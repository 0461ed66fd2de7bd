"""What `mttr stats` prints of names that vendors wrote: nothing that steers a terminal or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from support import door
from support_e2e import mttr

from mttr_pipeline.publish import publish

EVIL = "=cmd|' /C calc'!A0\x1b[2J\u202e\x9b1m"


def test_names_of_vendors_are_harmless_in_every_format(tmp_path: Path) -> None:
    """A service, and a link, that somebody wrote to attack who reads the figures."""
    record = {"external_id": "1", "service": EVIL, "url": "javascript:alert(1)", "title": EVIL}
    record |= {"detected_at": "2026-10-01T00:00:00Z", "resolved_at": "2026-10-01T01:00:00Z"}
    base = ("--data-dir", tmp_path / "data")
    with door(tmp_path / "data", [record]) as warehouse:
        publish(warehouse, tmp_path / "data" / "published", "run-1")
    shown = {
        form: mttr(*base, "stats", "--by", "service", "--format", form).ended(0).out
        for form in ("table", "csv", "json")
    }
    for text in shown.values():
        assert all(line.isprintable() for line in text.splitlines()) and "calc" in text
    (row,) = csv.DictReader(io.StringIO(shown["csv"]))
    assert row["scope_value"].startswith("'=cmd|") and float(row["mean_minutes"]) == 60
    assert json.loads(shown["json"])[0]["scope_value"].startswith("=cmd|")
    with duckdb.connect(str(tmp_path / "data" / "published" / "latest" / "mttr.duckdb"), read_only=True) as con:
        assert con.execute("SELECT url FROM incidents").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://host.example/browse/A-1?x=1#y", True),
        ("HTTP://host:8080", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt://host/%0aalert(1)", False),
        ("data:text/html,x", False),
        (" https://host/x", False),
        ("https://host/\nx", False),
        ("https:///x", False),
        ("//host/x", False),
        ("file:///etc/passwd", False),
        ('https://host/"><script>', False),
    ],
)
def test_what_is_a_link(url: str, is_link: bool) -> None:
    """One rule in SQL for every source, so that pages, JSON and dashboards may all use the column."""
    with duckdb.connect() as con:
        text = (Path(__file__).parents[1] / "sql" / "macros" / "internal.sql").read_text()
        con.execute(text[text.index("CREATE OR REPLACE MACRO web_link") :])
        assert con.execute("SELECT web_link(?) IS NOT NULL", [url]).fetchone() == (is_link,)
