"""What a pull asks a Jira site before it reads issues: who we are, and which issue types are incidents or post-mortems.

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
    """The issue types that are incidents: name as it is compared -> name as written. `configured` is as in `types_of`."""
    return types_of("incident", configured)


def types_of(wanted: str, configured: Mapping[str, str]) -> dict[str, str]:
    """The issue types that mean incident or post_mortem: name as it is compared -> name as written.

    `configured` maps issue types to their meaning, before the defaults of the source.
    """
    words = {**SOURCE.words["type"], **configured}
    meanings = {normalize(word): (word, meaning) for word, meaning in words.items()}
    return {compared: word for compared, (word, meaning) in meanings.items() if meaning == wanted}


def incident_jql(client: HttpClient, api: str, types: Mapping[str, str], remedy: str) -> str:
    """The query for those of the `incident_types` that the site has.

    Raises PermanentError, which ends with `remedy`, when the site has none of them.
    """
    found = type_jql(client, api, types)
    if found is None:
        raise PermanentError(
            f"{client.title}: {client.host} has no issue type that is mapped to incident (mapped: "
            f"{', '.join(types.values()) or 'none'}); {remedy}."
        )
    return found


def type_jql(client: HttpClient, api: str, types: Mapping[str, str]) -> str | None:
    """The query for those of these types that the site has; None when it has none of them: naming one would fail the query."""
    rows = client.get(f"{api}/issuetype", parse=envelope.items)
    names = [found.name.strip() for row in rows if (found := envelope.decode_as(_NAMED, row))]
    chosen = dict.fromkeys(name for name in names if normalize(name) in types)
    return f"issuetype in ({', '.join(map(quoted, chosen))})" if chosen else None
