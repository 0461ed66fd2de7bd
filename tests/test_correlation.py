"""What is one incident: links and their guards, groups, and what an incident that several tools tell says.

The records are custom records, of accounts that play a pager, a ticket system and a machine alert; their links stand in the table
`staging.links`, which the sources fill.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support import AS_OF_US, iso, open_warehouse, rows

from mttr_pipeline.config.decisions import Decision, Decisions
from mttr_pipeline.warehouse.catalog import default_catalog
from mttr_pipeline.warehouse.database import Warehouse

HOUR, MINUTE = 3_600_000_000, 60_000_000
DAY = 24 * HOUR
T0 = AS_OF_US - 60 * DAY
TABLES = (
    *("core.members", "core.evidence", "core.golden", "core.incidents", "core.incident_sources"),
    *("mart.records", "mart.links", "mart.incident_conflicts", "mart.correlation"),
)
