"""What the sides share that build tables beside given incidents: each table is built, timed and checked, then the incidents are
scanned once.

What does not belong here: what is given, and which tables.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from _side_metrics import opened

from mttr_pipeline.warehouse.catalog import default_catalog

#: The baseline: what one pass over the incidents takes.
SCAN = """SELECT service, w.name, count(*), quantile_cont(resolve_minutes, 0.5)
FROM mart.incidents AS i
JOIN core.windows AS w ON w.name = 'whole' OR (i.started_at >= w.window_start AND i.started_at < w.window_end)
WHERE is_counted
GROUP BY ALL"""


def build(given: Path, tables: Collection[str], before: Collection[str] = (), counted: str = "") -> dict[str, Any]:
    """Build `tables`, and untimed what of `before` they are made of, in a copy of what is given.

    Gives wall and CPU seconds and rows per table, the checks that failed, the CPU seconds of SCAN (the baseline), and what the
    query `counted` finds, a name and a number per row. The copy keeps every run alike.
    """
    data = given.with_name("night")
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(given, data)
    warehouse = opened(data)
    timed, failed = {}, []
    try:
        models = [model for model in default_catalog() if {model.table, model.place} & {*before, *tables}]
        for model in models:
            model.function()  # imports are no part of the work
        for model in models:
            started, cpu = time.perf_counter(), time.process_time()
            count = warehouse.build(model)
            if {model.table, model.place} & {*tables}:
                timed[model.table] = (time.perf_counter() - started, time.process_time() - cpu, count or 0)
            failed += [f"{model.table} {check.name}" for check in warehouse.check(model) if not check.passed]
        found = warehouse.con.execute(counted).fetchall() if counted else []
        cpu = time.process_time()
        warehouse.con.execute(SCAN).fetchall()
        baseline = time.process_time() - cpu
    finally:
        warehouse.close()
    return {"tables": timed, "failed": failed, "counted": dict(found), "baseline": baseline}
