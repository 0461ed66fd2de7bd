"""Links to the files next to the page: which tables and documents hold what a section shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Files:
    """What holds the figures of a section: tables, and a JSON document if there is one."""

    tables: tuple[str, ...]
    document: str | None = None


SECTIONS = {
    "trend": Files(("trend", "directions"), "trend"),
    "phases": Files(("phase_breakdown",), "summary"),
    "targets": Files(("target_compliance", "phase_compliance", "target_breaches"), "compliance"),
    "compare": Files(("mttr_stats", "changes", "frequency", "downtime"), "comparisons"),
    "delivery": Files(
        (
            *("delivery", "delivery_weeks", "deploys", "deploy_records"),
            *("incident_deploys", "deploy_environments"),
        ),
        "delivery",
    ),
    "errors": Files(
        (*("error_issues", "error_episodes", "incident_errors"), *("error_coverage", "release_health")), "errors"
    ),
    "learning": Files(
        (
            *("learning", "follow_ups", "recurrence", "repeaters", "noise", "detection_sources"),
            *("ownership", "unowned_incidents", "oncall_load"),
        ),
        "learning",
    ),
    "bottlenecks": Files(("bottlenecks_current", "opportunities", "recommendations"), "bottlenecks"),
    "quality": Files(
        (
            *("data_quality", "data_quality_status", "source_runs", "quarantine"),
            *("correlation", "links", "suggested_links", "incident_conflicts"),
        ),
        "data_quality",
    ),
    "definitions": Files(("metric_definitions",)),
}
TABLES = frozenset(name for files in SECTIONS.values() for name in files.tables) | {"incidents", "services", "teams"}
_NAMED = re.compile(r"\btable (?P<named>[a-z_]+)\b|\b(?P<bare>[a-z]+(?:_[a-z]+)+)\b")


def parquet(table: str, root: str = "") -> Markup:
    """A link to the Parquet file of a table. `root` leads from the page to the folder of the generation."""
    return Markup('<a href="{}parquet/{}.parquet"><code>{}</code></a>').format(root, table, table)


def of_section(name: str) -> Markup:
    """Links to the files of a section; empty for a section without any."""
    files = SECTIONS.get(name)
    if files is None:
        return Markup("")
    links = [parquet(table) for table in files.tables]
    if files.document:
        links.append(Markup('<a href="json/{}.json"><code>{}.json</code></a>').format(files.document, files.document))
    return Markup('<p class="files">Files: {}</p>').format(Markup(", ").join(links))


def linked(text: str) -> Markup:
    """The text, with each table that it names as a link."""
    found, end = Markup(""), 0
    for match in _NAMED.finditer(text):
        group = "named" if match["named"] else "bare"
        if match[group] in TABLES:
            found += text[end : match.start(group)]
            found += parquet(match[group])
            end = match.end(group)
    return found + text[end:]
