"""A whole company with an error tracker: custom records of incidents through the real door, issues in the place of those that
sources yield, and every table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import error_cases
from correlation_cases import DAY, HOUR
from delivery_cases import give as give_deploys
from error_cases import Issue, Told, World
from report_cases import incident
from support import AS_OF_US, discard, land_custom, open_warehouse, untouched

from mttr_pipeline.landing.store import Landing
from mttr_pipeline.warehouse.database import Warehouse

INCIDENTS = [
    incident("ticket", days=9, minutes=300, title="Checkout fails, see CHECKOUT-12", service="Checkout"),
    incident("alone", days=5, minutes=60, title="Certificate expired", service="Checkout"),
    *(incident(f"note {n}", days=3, minutes=60, title=f"CHECKOUT-13 again, {n}", service="Checkout") for n in range(4)),
]
NINE_DAYS = AS_OF_US - 9 * DAY
ISSUES = World(
    issues=[
        Issue("12", key="CHECKOUT-12", title="None", first_seen_at=NINE_DAYS - HOUR, status="resolved", is_unhandled=True, users=3,
              level="fatal"),
        Issue("13", key="CHECKOUT-13", title="Zero", first_seen_at=NINE_DAYS, status="archived", is_unhandled=True),
        Issue("14", key="CHECKOUT-14", title="Comes back", first_seen_at=NINE_DAYS, is_unhandled=True, service="Search"),
        Issue("15", key="CHECKOUT-15", title="Handled", first_seen_at=NINE_DAYS, users=99),
    ],
    told=[
        Told("12", "resolved", NINE_DAYS + 2 * HOUR, actor_kind="human"),
        Told("12", "acknowledged", NINE_DAYS, actor_kind="human"),
        Told("12", "note", NINE_DAYS + HOUR, notes="Mitigated: switched off"),
        Told("14", "resolved", NINE_DAYS + HOUR, actor_kind="timeout"),
        Told("14", "regression", NINE_DAYS + 3 * DAY),
    ],
)  # fmt: skip


@contextmanager
def company(folder: Path, world: World, file: dict[str, Any] | None = None) -> Iterator[Warehouse]:
    """A warehouse with every table of a company with these issues. Every promise was checked."""
    landing = Landing(folder / "landing")
    land_custom(landing, INCIDENTS)
    warehouse = open_warehouse(folder, file, after_nothing=True)
    try:
        warehouse.load(landing)
        idle = untouched(warehouse.catalog, {"custom"})
        for model in warehouse.catalog:
            if model.table not in idle:
                warehouse.build(model)
                assert [check for check in warehouse.check(model) if not check.passed] == [], model.table
            if model.table == "staging.release_sessions":
                warehouse.con.execute("SELECT 1").fetchall()  # what is read to its end lets tables be registered
                error_cases.give(warehouse, world)
                give_deploys(warehouse, world.deploys)
        yield warehouse
    finally:
        discard(warehouse)
