"""`mttr links` as a person uses it: what is listed, how a decision is written, and what cannot be decided."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from correlation_cases import DAY, HOUR, Link, Rec, correlated, different, same
from report_cases import incident
from support import AS_OF_US, door, settings_for
from support_e2e import Result, mttr, query

from mttr_pipeline.cli.links import COLUMNS, pairs
from mttr_pipeline.config.decisions import COLUMNS as OF_FILE
from mttr_pipeline.config.decisions import Decision, Decisions, add_decision, contradictions, read_decisions
from mttr_pipeline.errors import ConfigError
from mttr_pipeline.publish import publish

BY = ("--by", "ada", "--why", "one outage, two pages")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records with the same title, one of them with an id that a terminal and a spreadsheet would act on; and another record."""
    folder = tmp_path_factory.mktemp("decisions")
    records = [
        incident("=twin:1\x1b[2J", days=9, minutes=40, title="Checkout is down"),
        incident("twin 2", days=9, minutes=41, title="Checkout is down!"),
        incident("other", days=30, minutes=41, title="Search"),
    ]
    with door(folder, records) as warehouse:
        publish(warehouse, folder / "published", "run-1")
    return folder


def links(data: Path, cwd: Path, *arguments: str) -> Result:
    return mttr("--data-dir", data, "links", *arguments, cwd=cwd)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_may_be_one_incident_is_listed_in_every_format(data: Path, tmp_path: Path) -> None:
    """Harmless where it is shown, exact where a program reads it; and gone once a person has decided."""
    shown = {form: links(data, tmp_path, "--format", form).ended(0).out for form in ("table", "csv", "json")}
    assert all(line.isprintable() for text in shown.values() for line in text.splitlines())
    (row,) = json.loads(shown["json"])
    assert tuple(row) == COLUMNS and row["reason"] == "similar_title" and row["minutes_apart"] == 0
    assert {row["external_id"], row["other_external_id"]} == {"=twin:1\x1b[2J", "twin 2"}
    (flat,) = csv.DictReader(io.StringIO(shown["csv"]))
    assert "'=twin:1" in flat["external_id"] + flat["other_external_id"]
    assert "custom:twin 2" in shown["table"] and "similar titles" in shown["table"]
    side = "" if row["external_id"] != "twin 2" else "other_"
    links(data, tmp_path, "--refuse", row[f"{side}incident_id"][:12], "custom:twin 2", *BY).ended(0)
    assert "no pair" in links(data, tmp_path).ended(0).out
    assert json.loads(links(data, tmp_path, "--format", "json").ended(0).out) == []


def test_links_that_are_not_followed_are_listed_with_the_reason(tmp_path: Path) -> None:
    """A pair that a link names and that stayed two incidents, once, with what kept it apart; not what a person decided, nor what is
    one incident."""
    began = AS_OF_US - 60 * DAY
    tickets = [
        Rec("jira", str(number), {"detected": began + number * 10 * DAY, "resolved": began + number * 10 * DAY + HOUR})
        for number in range(3)
    ]
    page = Rec("pagerduty", "P", tickets[0].at)
    naming = [Link("pagerduty", "P", "url", "url", ticket.url, place=place) for ticket in tickets for place in "ab"]
    with correlated(tmp_path, [page, *tickets], naming, [different(page, tickets[2])]) as warehouse:
        warehouse.con.execute(f"ATTACH '{tmp_path / 'mttr.duckdb'}' AS published")
        for name in ("links", "records", "suggested_links"):
            warehouse.con.execute(f"CREATE TABLE published.{name} AS FROM mart.{name}")
        warehouse.con.execute("DETACH published")
    settings = settings_for(tmp_path)
    found = pairs(tmp_path / "mttr.duckdb", settings)
    assert [(row["external_id"], row["other_external_id"]) for row in found] == [("P", "1")]
    assert {(row["reason"], row["why"]) for row in found} == {
        ("not_followed", "their lifetimes are more than 24 hours apart")
    }
    assert found[0]["minutes_apart"] == 10 * 24 * 60
    decided = replace(settings, decisions=Decisions((same(tickets[1], page),)))
    assert pairs(tmp_path / "mttr.duckdb", decided) == []


def test_a_decision_is_written_once_and_never_against_another(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mttr.toml").write_text("")
    file = tmp_path / "links.csv"
    file.write_bytes(b"custom,a,custom,b,same,,written by hand")  # no column names, no line end
    file.chmod(0o640)
    told = links(data, tmp_path, "--accept", "custom:twin 2", "custom:other", "--by", "ada\n", "--why", "one\n outage")
    assert "are one incident from the next `mttr run`" in told.ended(0).out
    after = file.read_text()
    assert after.splitlines()[1] == "custom,twin 2,custom,other,same,ada,one outage"
    assert file.stat().st_mode & 0o777 == 0o640 and names_in(tmp_path) == ["links.csv", "mttr.toml"]
    again = links(data, tmp_path, "--accept", "custom:other", "custom:twin 2", *BY).ended(0)
    assert "says so already in line 2" in again.out and file.read_text() == after
    against = links(data, tmp_path, "--refuse", "custom:other", "custom:twin 2", *BY).ended(2)
    assert "says the opposite in line 2: same (ada, one outage)" in against.err and file.read_text() == after
    assert [decision.line for decision in read_decisions(file, ["custom"]).valid] == [1, 2]


@pytest.mark.parametrize("last", ["--refuse", "--accept"])
def test_a_contradiction_of_several_lines_is_told_when_it_is_written(data: Path, tmp_path: Path, last: str) -> None:
    """A is B, B is C, A is not C: each pair is decided once, and nobody sees it in a long file."""
    known = ["custom,other,custom,=twin:1\x1b[2J,same,ada,", "custom,=twin:1\x1b[2J,custom,twin 2,same,ada,"]
    if last == "--accept":
        known[1] = "custom,other,custom,twin 2,different,ada,"
    (tmp_path / "links.csv").write_text("\n".join(known) + "\n")
    other = "custom:other" if last == "--refuse" else "custom:=twin:1\x1b[2J"
    told = links(data, tmp_path, last, "custom:twin 2", other, *BY).ended(0).out
    assert "It contradicts what lines 1, 2 say together: different holds" in told
    read = read_decisions(tmp_path / "links.csv", ["custom"])
    assert len(read.valid) == 3, "each line is used, and the groups show which gives way"
    ((line, problem),) = read.problems
    assert (
        line == 3
        and problem.startswith("contradicts lines 1 and 2: together they say")
        and "different holds" in problem
    )


def test_only_a_closed_chain_is_a_contradiction() -> None:
    """The shortest one, once for each refusal; records that a chain does not reach are none."""

    def one(line: int, pair: str, decision: str) -> Decision:
        return Decision("custom", pair[0], "custom", pair[1], decision, None, None, line)

    chain = [one(place, pair, "same") for place, pair in enumerate(("ab", "bc", "cd", "ad", "xy"), 1)]
    found = contradictions([*chain, one(6, "ca", "different"), one(7, "ax", "different"), one(8, "zz", "different")])
    assert [(lines[0], sorted(lines[1:])) for lines in found] in ([(6, [1, 2])], [(6, [3, 4])])
    assert contradictions(chain) == []


def test_a_new_file_begins_with_its_columns(data: Path, tmp_path: Path) -> None:
    told = links(data, tmp_path, "--refuse", "custom:twin 2", "custom:other", *BY).ended(0)
    assert "They are two incidents already; the decision keeps it so." in told.out
    assert (tmp_path / "links.csv").read_text().splitlines()[0] == ",".join(OF_FILE)
    (decision,) = read_decisions(tmp_path / "links.csv", ["custom"]).valid
    assert (decision.decision, decision.decided_by, decision.why) == ("different", *BY[1::2])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--accept", "custom:twin 2", "custom:nobody", *BY], "'custom:nobody' is no published record"),
        (["--accept", "custom:twin 2", "custom:twin 2", *BY], "are one record; name two"),
        (["--accept", "custom:twin 2", "twin 2", *BY], "'twin 2' names no record; write source:external_id"),
        (["--accept", "custom:twin 2", "ab", *BY], "at least 6 characters"),
        (["--accept", "custom:twin 2", "000000000", *BY], "is no published record"),
        (["--accept", "custom:twin 2", "custom:other"], "--by and --why: who decides"),
        (["--by", "ada"], "belong to a decision"),
        (
            ["--accept", "custom:twin 2", "custom:other", "--refuse", "custom:twin 2", "custom:other", *BY],
            "two decisions",
        ),
        (["--accept", "custom:=twin:1\x1b[2J", "", *BY], "--accept is empty"),
    ],
)
def test_what_cannot_be_decided_is_told_and_nothing_is_written(
    data: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    result = links(data, tmp_path, *arguments).ended(2)
    assert said in result.err and result.err.count("\n") == 1 and names_in(tmp_path) == []


def test_a_file_that_cannot_be_used_is_not_written_to(data: Path, tmp_path: Path) -> None:
    """Text in another encoding would have one line in UTF-8, and none of it would be used."""
    (tmp_path / "links.csv").write_bytes("custom,a,custom,b,same,J\xfcrgen,x\n".encode("latin-1"))
    said = links(data, tmp_path, "--accept", "custom:twin 2", "custom:other", *BY).ended(2).err
    assert "is no UTF-8 text" in said and "Nothing was decided" in said


def test_an_id_that_no_line_can_hold_is_refused(tmp_path: Path) -> None:
    """Each line is read by itself, so an id with a line break would be two broken lines."""
    values: dict[str, Any] = {"decision": "same", "decided_by": "ada", "why": "x", "line": 0}
    for odd in ("a\nb", " a", "a\u2028b"):
        with pytest.raises(ConfigError, match="Nothing was decided"):
            add_decision(tmp_path / "links.csv", Decision("custom", odd, "custom", "b", **values))
    assert names_in(tmp_path) == []


@pytest.mark.slow
def test_a_person_says_which_deploy_broke_it(tmp_path: Path) -> None:
    """The whole road: a deploy of days before is named, the one that came just before is refused, and the figures follow."""
    data, cwd = tmp_path / "data", tmp_path / "here"
    cwd.mkdir()
    (tmp_path / "rows.jsonl").write_text(
        '{"external_id": "INC-1", "title": "Checkout is down", "severity": "SEV1", "service": "Checkout",'
        ' "detected_at": "2026-09-10T12:00:00Z", "resolved_at": "2026-09-10T13:00:00Z"}\n'
        '{"external_id": "near", "service": "Checkout", "version": "2", "finished_at": "2026-09-10T11:50:00Z"}\n'
        '{"external_id": "far", "service": "Checkout", "version": "1", "finished_at": "2026-09-07T11:50:00Z"}\n'
    )

    def run(*arguments: str) -> Result:
        return mttr("--data-dir", data, *arguments, cwd=cwd).ended(0)

    def linked() -> list[tuple[Any, ...]]:
        run("rebuild", "--as-of", "2026-09-20T00:00:00Z")
        return query(
            data,
            """SELECT d.external_id, l.method, f.failed_deploys FROM incident_deploys AS l JOIN deploys AS d USING (deploy_id)
            JOIN delivery AS f ON f.scope = 'all' AND f.window_start IS NULL""",
        )

    run("import", str(tmp_path / "rows.jsonl"))
    assert linked() == [("near", "window", 1)]
    said = run("links", "--refuse", "custom:INC-1", "custom:near", *BY).out
    assert "custom:INC-1 was not introduced by the deploy custom:near from the next" in said
    assert linked() == []
    (deploy_id,) = query(data, "SELECT deploy_id FROM deploys WHERE external_id = 'far'")[0]
    assert (
        "was introduced by the deploy custom:far" in run("links", "--accept", deploy_id[:12], "custom:INC-1", *BY).out
    )
    assert linked() == [("far", "explicit", 1)]
    refused = mttr("--data-dir", data, "links", "--refuse", "custom:INC-1", "custom:far", *BY, cwd=cwd)
    assert refused.code == 2 and "says the opposite" in refused.err
    both = mttr("--data-dir", data, "links", "--accept", "custom:near", "custom:far", *BY, cwd=cwd)
    assert both.code == 2 and "are both deploys" in both.err
