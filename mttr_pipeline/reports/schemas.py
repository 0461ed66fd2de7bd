"""The JSON Schemas of the documents, derived from their types. `python -m mttr_pipeline.reports.schemas NAME` prints one."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from mttr_pipeline.reports.bottlenecks import Bottlenecks
from mttr_pipeline.reports.comparisons import Comparisons
from mttr_pipeline.reports.compliance import Compliance
from mttr_pipeline.reports.data_quality import DataQuality
from mttr_pipeline.reports.delivery import Delivery
from mttr_pipeline.reports.document import JsonObject
from mttr_pipeline.reports.errors import Errors
from mttr_pipeline.reports.learning import Learning
from mttr_pipeline.reports.summary import Summary
from mttr_pipeline.reports.trend import Trend

#: Name of a document -> its type.
TYPES: dict[str, type[JsonObject]] = {
    "summary": Summary,
    "trend": Trend,
    "comparisons": Comparisons,
    "compliance": Compliance,
    "bottlenecks": Bottlenecks,
    "delivery": Delivery,
    "errors": Errors,
    "learning": Learning,
    "data_quality": DataQuality,
}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document `name`, for example `summary`. ValueError: no document has that name."""
    if name not in TYPES:
        raise ValueError(f"No document is called {name!r}. The documents are {', '.join(TYPES)}.")
    kind = TYPES[name]
    _, definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    document = definitions.pop(kind.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document,
        "title": f"{name}.json",
        "description": f"{document['description']} Minutes are numbers, instants ISO 8601 with Z, missing is null.",
        "$defs": definitions,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Print the JSON Schema of a published document.")
    parser.add_argument("name", choices=TYPES, help="name of the document, without .json")
    print(json.dumps(schema(parser.parse_args().name), indent=2))
