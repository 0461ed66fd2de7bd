"""Custom deploys: records of what was brought out, told apart from incidents by their fields.

What belongs here: which record is which. What does not: any judgement of a value, which is the matter of SQL.
"""

from __future__ import annotations

import msgspec

from mttr_pipeline.config.imports import KNOWN_FIELDS
from mttr_pipeline.config.terms import STAMPS
from mttr_pipeline.landing.formats import NULL_WORDS
from mttr_pipeline.sources.kit.declare import Fields

STREAM, NOUN = "deploys", "custom deploy"
#: The fields of a custom deploy.
DEPLOY_FIELDS = (
    *("external_id", "service", "environment", "version", "sha", "ref", "repo", "title", "status", "started_at"),
    *("finished_at", "url", "rollback_of", "caused", "updated_at"),
)
#: Fields that only deploys have, and those that only incidents have: a record with one of these is an incident.
_OF_DEPLOYS = ("environment", "version", "sha", "finished_at", "rollback_of", "caused")
_OF_INCIDENTS = (*STAMPS, "timeline")

_deploy = frozenset(DEPLOY_FIELDS)
_incident = frozenset(KNOWN_FIELDS)


def is_deploy(fields: Fields) -> bool:
    """Whether a custom record is a deploy: it says something that only deploys have, and nothing of when an incident happened."""
    return any(_says(fields.get(name)) for name in _OF_DEPLOYS) and not any(
        _says(fields.get(name)) for name in _OF_INCIDENTS
    )


def unknown(fields: Fields, *, deploy: bool) -> set[str]:
    """The members of a record that are no field of its kind. An empty field of the other kind is none: both may share a table."""
    own, other = (_deploy, _incident) if deploy else (_incident, _deploy)
    return {name for name in fields.keys() - own if name not in other or _says(fields[name])}


def _says(value: msgspec.Raw | None) -> bool:
    if value is None:
        return False
    content = bytes(value).strip()
    if content in (b"null", b"[]", b"{}"):
        return False
    return not (content.startswith(b'"') and len(content) < 80 and msgspec.json.decode(content).strip() in NULL_WORDS)
