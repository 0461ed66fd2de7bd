"""The fields of the two sites: the ids of their custom fields, and the list that the site answers.

The Cloud site has fields for the start of the impact, responders and SLAs with cycles; the Data Center one has a Severity
field and an SLA field that is plain text.
"""

from __future__ import annotations

from mttr_pipeline.demo.jira.site import Flavour, Json

AFFECTED_SERVICES = {"cloud": "customfield_10043", "dc": "customfield_11201"}
IMPACT_START, MAJOR_INCIDENT, SEVERITY = "customfield_10051", "customfield_10052", "customfield_11202"
RESPONDERS, SLA_RESOLUTION, SLA_RESPONSE = "customfield_10053", "customfield_10041", "customfield_10042"
SLA_TEXT = "customfield_11205"
AFFECTED_USERS = {"cloud": "customfield_10054", "dc": "customfield_11206"}
REVENUE_IMPACT = {"cloud": "customfield_10055", "dc": "customfield_11207"}


def field_rows(flavour: Flavour) -> list[Json]:
    """The field list of a site: the system fields that matter here, and the site's own."""
    types = {"summary": "string", "created": "datetime", "updated": "datetime", "resolutiondate": "datetime"}
    types |= {name: name for name in ("issuetype", "project", "priority", "status", "resolution")}
    types |= {"assignee": "user", "reporter": "user", "creator": "user", "labels": "array", "issuelinks": "array"}
    names = {"issuetype": "Issue Type", "resolutiondate": "Resolved", "issuelinks": "Linked Issues"}
    rows: list[Json] = [
        {
            "id": name,
            "key": name,
            "name": names.get(name, name.capitalize()),
            "custom": False,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [name],
            "schema": {"type": kind, "system": name} | ({"items": "string"} if kind == "array" else {}),
        }
        for name, kind in types.items()
    ]
    own = [(AFFECTED_SERVICES[flavour], "Affected services", "array")]
    own += [
        (AFFECTED_USERS[flavour], "Affected users", "number"),
        (REVENUE_IMPACT[flavour], "Revenue impact", "number"),
    ]
    if flavour == "cloud":
        own += [(IMPACT_START, "Incident start", "datetime"), (MAJOR_INCIDENT, "Major incident", "option")]
        own += [(RESPONDERS, "Responders", "array")]
        own += [(SLA_RESOLUTION, "Time to resolution", "sd-servicelevelagreement")]
        own += [(SLA_RESPONSE, "Time to first response", "sd-servicelevelagreement")]
    else:
        own += [(SEVERITY, "Severity", "option"), (SLA_TEXT, "Time to resolution", "string")]
    for identity, name, kind in own:
        number = int(identity.rpartition("_")[2])
        plugin = f"com.atlassian.jira.plugin.system.customfieldtypes:{kind}"
        schema = {"type": kind, "custom": plugin, "customId": number}
        row = {"id": identity, "name": name, "custom": True, "orderable": True, "navigable": True}
        row |= {"searchable": True, "clauseNames": [f"cf[{number}]", name]}
        rows.append({**row, "key": identity, "schema": schema | ({"items": "option"} if kind == "array" else {})})
    if flavour == "dc":
        for row in rows:
            del row["key"]
    return rows
