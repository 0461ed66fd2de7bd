"""The reports of one run: a JSON document per question and one page for people, all made from the mart tables.

The page is made from the documents only. Every figure on the page is therefore in a document, and every figure in a document
is a value of a table or a count of rows.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from mttr_pipeline.reports import (
    bottlenecks,
    comparisons,
    compliance,
    data_quality,
    delivery,
    errors,
    learning,
    summary,
    trend,
)
from mttr_pipeline.reports.document import Document, dumps, instant_text
from mttr_pipeline.reports.members import member_details
from mttr_pipeline.reports.openmetrics import metrics
from mttr_pipeline.reports.page import markdown, pages, plain, render

__all__ = [
    "DOCUMENTS",
    "Document",
    "documents",
    "dumps",
    "instant_text",
    "markdown",
    "member_details",
    "metrics",
    "pages",
    "plain",
    "read",
    "render",
]

DOCUMENTS = {
    "summary": summary.document,
    "trend": trend.document,
    "comparisons": comparisons.document,
    "compliance": compliance.document,
    "bottlenecks": bottlenecks.document,
    "delivery": delivery.document,
    "errors": errors.document,
    "learning": learning.document,
    "data_quality": data_quality.document,
}


def documents(con: duckdb.DuckDBPyConnection) -> dict[str, Document]:
    """Name -> document. `reports.schemas.schema(name)` is the JSON Schema of each."""
    return {name: build(con) for name, build in DOCUMENTS.items()}


def read(generation: Path) -> dict[str, Document]:
    """Name -> document, read from a published generation."""
    return {name: json.loads((generation / f"json/{name}.json").read_text(encoding="utf-8")) for name in DOCUMENTS}
