"""The two simulated sites and how each is configured: project, statuses, issue types, priorities, people.

The sites differ on purpose: the Cloud project has a status for every stage of an incident, the Data Center one has the
classic workflow. Everything is given by flavour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from mttr_pipeline.demo.facts import identifier

Json = dict[str, Any]
Flavour = Literal["cloud", "dc"]

SITES = {"cloud": "https://larkspur.atlassian.net", "dc": "https://jira.larkspur.example.com"}
PROJECTS = {"cloud": ("10003", "ITD", "IT Desk"), "dc": ("10400", "PAY", "Payroll Desk")}
#: Where issues are moved to.
HELP = ("10900", "HELP", "Help Centre")
VERSION = {"cloud": "3", "dc": "2"}

CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}
#: Status name -> (id, category).
STATUSES: dict[str, dict[str, tuple[str, str]]] = {
    "cloud": {
        "Open": ("10010", "new"),
        "Triaged": ("10011", "indeterminate"),
        "Work in progress": ("10012", "indeterminate"),
        "Identified": ("10013", "indeterminate"),
        "Mitigated": ("10014", "indeterminate"),
        "Waiting for customer": ("10015", "indeterminate"),
        "Resolved": ("10016", "done"),
        "Closed": ("10017", "done"),
        "Reopened": ("10018", "new"),
    },
    "dc": {
        "Open": ("1", "new"),
        "In Progress": ("3", "indeterminate"),
        "Reopened": ("4", "new"),
        "Resolved": ("5", "done"),
        "Closed": ("6", "done"),
        "Workaround": ("10201", "indeterminate"),
    },
}
#: Kind of fact -> the status that it moves the issue to.
MOVES: dict[str, dict[str, str]] = {
    "cloud": {
        "acknowledged": "Triaged",
        "investigating": "Work in progress",
        "root_cause": "Identified",
        "mitigated": "Mitigated",
        "resolved": "Resolved",
        "duplicate": "Resolved",
        "closed": "Closed",
        "reopened": "Reopened",
    },
    "dc": {
        "investigating": "In Progress",
        "mitigated": "Workaround",
        "resolved": "Resolved",
        "duplicate": "Resolved",
        "closed": "Closed",
        "reopened": "Reopened",
    },
}
PRIORITIES = {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low", "P5": "Lowest"}
TYPES = {
    "cloud": {
        "incident": ("10007", "[System] Incident"),
        "request": ("10008", "[System] Service request"),
        "post_mortem": ("10009", "[System] Post-incident review"),
        "action": ("10010", "Task"),
    },
    "dc": {
        "incident": ("10600", "Incident"),
        "request": ("3", "Task"),
        "post_mortem": ("10601", "Post-mortem"),
        "action": ("10602", "Action"),
    },
}


def category(key: str, site: str, version: str) -> Json:
    """A status category: new, indeterminate or done."""
    row = CATEGORIES[key]
    return {"self": f"{site}/rest/api/{version}/statuscategory/{row['id']}", **row}


@cache
def account_id(handle: str) -> str:
    """The opaque account id of a person on Cloud."""
    return f"712020:{identifier('account', handle)[:24]}"


def iso_jira(at: datetime) -> str:
    """`2026-10-01T02:14:05.120+0000`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}+0000"
