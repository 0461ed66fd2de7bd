"""Whole companies with deploys: custom records of incidents through the real door, deploys in the place of those that sources yield,
and every table, document and page of them."""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from correlation_cases import DAY
from delivery_cases import Dep, give
from report_cases import Reader, incident
from sharing import made_once
from support import AS_OF_US, discard, land_custom, open_warehouse, untouched

from mttr_pipeline import reports
from mttr_pipeline.cli.terminal import deploys_lines
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse


def deploy(name: str, *, days: float, **more: Any) -> Dep:
    """A deploy of `shop` to production that was over so many days ago."""
    at = AS_OF_US - int(days * DAY)
    return Dep(
        **{"source": "custom", "external_id": name, "service": "shop", "finished_at": at, "version": name, **more}
    )


#: One incident that a deploy of 12 minutes before introduced, one that a deploy is said to have caused, one long after any deploy,
#: one of a service without deploys. Each misses its target.
INCIDENTS = [
    incident("by time", days=5, minutes=900, severity="SEV1", title="Checkout fails", team="red"),
    incident("named", days=8, minutes=1200, severity="SEV1", title="Basket is empty", team="red"),
    incident("alone", days=9.5, minutes=1000, severity="SEV1", title="Certificate expired", team="red"),
    incident("elsewhere", days=7, minutes=1000, severity="SEV1", title="Search is slow", service="search", team="blue"),
    *(incident(f"short {n}", days=12 + 2 * n, minutes=40 + n, severity="SEV2", team="red") for n in range(6)),
]
DEPLOYS = [
    *(
        deploy(f"1.{n}", days=40.3 - n, sha=f"{n:02d}c0ffee", first_commit_at=AS_OF_US - (41 - n) * DAY)
        for n in range(31)
    ),
    *(deploy(f"2.{n}", days=12 + 2 * n + 20 / 1440, title="tidy", url=f"https://ci.test/{n}") for n in range(6)),
    deploy("3.0", days=5 + 12 / 1440, sha="a1b2c3d4e5", url="https://ci.test/3", title="new checkout"),
    deploy("3.1", days=5 - 2 / 24, sha="9999999", title="roll back", rollback_of="3.0"),
    deploy("basket", days=8 + 3 / 24, caused=("named",)),
    deploy("to staging", days=3, environment="staging"),
]
UNMAPPED = [deploy(f"s{n}", days=n + 1, environment=name) for n, name in enumerate(("prod-eu", "prod-eu", "staging"))]
WORLDS: dict[str, list[Dep]] = {
    "delivery": DEPLOYS,
    "no deploys": [],
    "none to production": [*UNMAPPED, deploy("nowhere", days=2, environment=None)],
    "none ran": [
        deploy("failed", days=2, status="failure"),
        deploy("endless", days=2, finished_at=None, started_at=AS_OF_US - DAY, status=None),
    ],
    "not linked": [deploy("early", days=20 + 5 / 24)],
    "after all incidents": [deploy("late", days=1)],
    "only by time": [each for each in DEPLOYS if not each.caused],
    "only named": [deploy("basket", days=8 + 3 / 24, caused=("named",))],
    "not exact": [*DEPLOYS, deploy("tag", days=11, finished_precision="commit")],
    "rolled back before": [*DEPLOYS, deploy("back", days=9.5 + 30 / 1440, says_rollback=True)],
}


@contextmanager
def company(
    folder: Path,
    incidents: Sequence[dict[str, Any]] = INCIDENTS,
    deploys: Sequence[Dep] = DEPLOYS,
    words: Sequence[tuple[str, str, int]] = (),
    configured: dict[str, Any] | None = None,
) -> Iterator[Warehouse]:
    """A warehouse with every table; `words` are sources, environments and how many deploys name them. Every promise was checked."""
    landing = Landing(folder / "landing")
    land_custom(landing, incidents)
    warehouse = open_warehouse(folder, configured, after_nothing=True)
    try:
        warehouse.load(landing)
        build_with(warehouse, deploys, words)
        yield warehouse
    finally:
        discard(warehouse)


def build_with(warehouse: Warehouse, deploys: Sequence[Dep], words: Sequence[tuple[str, str, int]] = ()) -> None:
    """Every table of a company that has only custom records, with these deploys and words; and every promise of their headers."""
    idle = untouched(warehouse.catalog, {"custom"})
    for model in warehouse.catalog:
        if model.table not in idle:
            warehouse.build(model)
            assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
        if model.table == "staging.deploys":
            warehouse.con.execute("SELECT 1").fetchall()  # what is read to its end lets tables be registered
            give(warehouse, deploys)
        if model.table == "staging.words" and words:
            _say(warehouse, words)


def _say(warehouse: Warehouse, words: Sequence[tuple[str, str, int]]) -> None:
    """Put the environments beside the words that sources yield."""
    warehouse.con.execute("CREATE OR REPLACE TABLE main.given_words AS FROM staging.words")
    for source, word, n in words:
        warehouse.con.execute(
            "INSERT INTO main.given_words BY NAME SELECT ? AS source, 'environment' AS kind, ? AS word, ? AS n",
            [source, word, n],
        )
    warehouse.con.execute("DROP VIEW IF EXISTS staging.words; DROP TABLE IF EXISTS staging.words")
    warehouse.con.execute("CREATE VIEW staging.words AS FROM main.given_words")


def tidy(page: str) -> str:
    """The text of a page, without the blanks that tags leave before punctuation."""
    return re.sub(r" (?=[,.:;)])|(?<=[(]) ", "", Reader(page).text)


@dataclass(frozen=True)
class Shown:
    """What people get to see of a company."""

    documents: dict[str, Any]
    page: str
    markdown: str
    metrics: str
    lines: list[str]
    numbers: set[str]  # every number in the tables about deploys

    @property
    def text(self) -> str:
        return tidy(self.page)

    @property
    def section(self) -> str:
        """The text of the section Delivery."""
        found = re.search(r'(?s)<section aria-labelledby="delivery">.*?</section>', self.page)
        return tidy(found[0]) if found else ""


@functools.cache
def shown(world: str) -> Shown:
    """What is shown of a company."""
    found: Shown = pickle.loads((made_once(f"delivery {world}", partial(_show, world)) / "shown").read_bytes())
    return found


def _show(world: str, folder: Path) -> None:
    with company(folder, deploys=WORLDS[world]) as warehouse:
        con = warehouse.con
        documents = reports.documents(con)
        values = [
            value
            for table in ("delivery", "delivery_weeks", "deploy_environments", "incident_deploys", "incidents")
            for row in con.execute(f"FROM mart.{table}").fetchall()
            for value in row
        ]
        made = Shown(
            documents,
            reports.render(documents),
            reports.markdown(documents),
            reports.metrics(con),
            deploys_lines(con),
            {repr(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)},
        )
    (folder / "shown").write_bytes(pickle.dumps(made))
