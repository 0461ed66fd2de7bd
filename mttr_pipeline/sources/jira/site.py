"""What a pull asks a Jira site before it reads issues: who we are, and which issue types are incidents.

What does not belong here: issues.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mttr_pipeline.config.names import normalize
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.jira import SOURCE
from mttr_pipeline.sources.jira.jql import quoted
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.http import HttpClient


class _Named(msgspec.Struct):
    name: str = ""


_NAMED = msgspec.json.Decoder(_Named)


def account_name(client: HttpClient, api: str) -> str:
    """The display name of the account. Raises what `HttpClient.get` raises, HttpRefused for wrong credentials."""
    me = client.get(f"{api}/myself", parse=envelope.members)
    return str(envelope.decode(me.get("displayName")) or envelope.decode(me.get("name")) or "an unnamed account")


def incident_types(configured: Mapping[str, str]) -> dict[str, str]:
    """The issue types that are incidents: name as it is compared -> name as written.

    `configured` maps issue types to incident or other, before the defaults of the source.
    """
    words = {**SOURCE.words["type"], **configured}
    meanings = {normalize(word): (word, meaning) for word, meaning in words.items()}
    return {compared: word for compared, (word, meaning) in meanings.items() if meaning == "incident"}


def incident_jql(client: HttpClient, api: str, types: Mapping[str, str], remedy: str) -> str:
    """The query for those of the `incident_types` that the site has.

    Raises PermanentError, which ends with `remedy`, when the site has none of them.
    """
    rows = client.get(f"{api}/issuetype", parse=envelope.items)
    names = [found.name.strip() for row in rows if (found := envelope.decode_as(_NAMED, row))]
    chosen = dict.fromkeys(name for name in names if normalize(name) in types)
    if not chosen:
        raise PermanentError(
            f"{client.title}: {client.host} has no issue type that is mapped to incident (mapped: "
            f"{', '.join(types.values()) or 'none'}); {remedy}."
        )
    return f"issuetype in ({', '.join(map(quoted, chosen))})"
