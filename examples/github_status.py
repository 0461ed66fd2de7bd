"""Turn GitHub's status history (github-statuses, incidents.jsonl) into custom incident records.

    python examples/github_status.py incidents.jsonl github.jsonl

One record per incident, one JSON object per line, ready for `mttr import`. examples/README.md lists what the
records contain.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import zstandard

SEVERITY = {"critical": "SEV1", "major": "SEV2", "minor": "SEV3", "none": "SEV4"}
EVENTS = {"investigating": "investigating", "identified": "root_cause_found", "monitoring": "mitigated"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path, help="the incidents, .jsonl or .jsonl.zst")
    parser.add_argument("output", type=Path, help="the file to write, .jsonl")
    arguments = parser.parse_args()
    partial = arguments.output.with_name(arguments.output.name + ".part")
    try:
        with partial.open("w", encoding="utf-8") as out:
            records = maintenance = 0
            for record in convert(read_text(arguments.input)):
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
                records += 1
                maintenance += record["kind"] == "maintenance"
        partial.replace(arguments.output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        sys.exit(f"{error.filename}: {error.strerror}. Nothing was written; correct the file name.")
    except (ValueError, zstandard.ZstdError) as error:
        partial.unlink(missing_ok=True)
        sys.exit(f"{arguments.input}: {error}. Nothing was written; give incidents.jsonl as it was published.")
    print(f"{records:,} records in {arguments.output}, {maintenance:,} of them maintenance.")


def read_text(path: Path) -> io.TextIOWrapper:
    """The text of a file, decompressed when its name ends in .zst. Raises ValueError for one that was cut short."""
    content = path.read_bytes()
    if path.suffix == ".zst":
        frame = zstandard.ZstdDecompressor().decompressobj()
        content = frame.decompress(content)
        if not frame.eof:
            raise ValueError("the compressed file ends early")
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig")


def convert(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One custom record per line. Raises ValueError, naming the line, for what is no incident."""
    for number, line in enumerate(lines, 1):
        try:
            yield one_incident(json.loads(line))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number} is no incident with id, started_at and updates ({error!r})") from error
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON ({error})") from error


def one_incident(incident: dict[str, Any]) -> dict[str, Any]:
    impact = incident.get("impact")
    components = incident.get("components") or []
    window = incident.get("impact_window") or {}
    record = {
        "external_id": incident["id"],
        "title": incident.get("title"),
        "url": incident.get("url"),
        "severity": SEVERITY.get(impact or ""),
        "kind": "maintenance" if impact == "maintenance" else "incident",
        "occurred_at": window.get("start_at"),  # known where a post-mortem names it
        "detected_at": incident["started_at"],
        "resolved_at": incident.get("resolved_at"),
        "service": components[0] if components else None,
        "tags": components,
        "updated_at": incident.get("updated_at"),
        "timeline": [
            {"event_type": event_type(update, incident), "at": update["at"], "notes": update.get("message")}
            for update in incident["updates"]
        ],
    }
    return {name: value for name, value in record.items() if value}


def event_type(update: dict[str, Any], incident: dict[str, Any]) -> str:
    """The event an update stands for. An end is told only by the update at resolved_at, and what follows it is a note:
    a status page writes on after the end, and none of that reopens the incident.
    """
    status, end = update["status"].lower(), incident.get("resolved_at")
    if status in ("resolved", "completed"):
        return "resolved" if update["at"] == end else "note"
    return EVENTS.get(status, "note") if end is None or update["at"] <= end else "note"


if __name__ == "__main__":
    main()
