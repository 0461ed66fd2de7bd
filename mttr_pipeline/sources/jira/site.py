"""What a pull asks a Jira site before it reads issues: who we are, and which issue types are incidents.

What does not belong here: issues.
"""

from __future__ import annotations

import msgspec

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.jira.jql import quoted
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient

INCIDENT_TYPES = ("incident", "[system] incident")


class _Named(msgspec.Struct):
    name: str = ""


_NAMED = msgspec.json.Decoder(_Named)


def account_name(client: HttpClient, api: str) -> str:
    """The display name of the account. Raises what `HttpClient.get` raises, HttpRefused for wrong credentials."""
    me = client.get(f"{api}/myself", parse=envelope.members)
    return str(envelope.decode(me.get("displayName")) or envelope.decode(me.get("name")) or "an unnamed account")


def incident_jql(client: HttpClient, api: str, jql_variable: str) -> str:
    """The query for the issue types Incident and [System] Incident, those of them that the site has.

    Raises PermanentError when the site has neither: `jql_variable` names the variable to set instead.
    """
    rows = client.get(f"{api}/issuetype", parse=envelope.items)
    types = [found.name.strip() for row in rows if (found := envelope.decode_as(_NAMED, row))]
    names = dict.fromkeys(name for name in types if name.lower() in INCIDENT_TYPES)
    if not names:
        raise PermanentError(
            f"{client.title}: {client.host} has no issue type named Incident or [System] Incident; "
            f"set {jql_variable} to a query for the issues that are incidents."
        )
    return f"issuetype in ({', '.join(map(quoted, names))})"
