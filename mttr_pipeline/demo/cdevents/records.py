"""CDEvents of deploys, as a pipeline sends them (cdevents/spec, continuous deployment events, service).

`deployed` is the first instance of a service in an environment, `upgraded` a new version, `rolledback` an earlier one. There is no
event for a deploy that failed or was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from mttr_pipeline.demo.deploys import Deploy
from mttr_pipeline.demo.facts import identifier, uuid

PIPELINE = "https://ci.larkspur.example/pipelines"


def bodies(deploys: Iterable[Deploy]) -> list[tuple[datetime, bytes]]:
    """One event for each deploy that succeeded, each with the instant when it is sent, in that order."""
    found: list[tuple[datetime, bytes]] = []
    seen: set[tuple[str, str]] = set()
    over = [(deploy.finished, deploy) for deploy in deploys if deploy.outcome == "success" and deploy.finished]
    for finished, deploy in sorted(over, key=lambda pair: (pair[0], pair[1].number)):
        place = (deploy.service, deploy.environment)
        predicate = "rolledback" if deploy.story == "rollback" else "upgraded" if place in seen else "deployed"
        seen.add(place)
        found.append((finished, msgspec.json.encode(event(deploy, finished, predicate))))
    return found


def event(deploy: Deploy, finished: datetime, predicate: str) -> dict[str, object]:
    """The event of one deploy."""
    name = deploy.service.lower().replace(" ", "-")
    return {
        "context": {
            "specversion": "0.6.0-draft",
            "id": event_id(deploy),
            "source": PIPELINE,
            "type": f"dev.cdevents.service.{predicate}.0.3.0",
            "timestamp": finished.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "subject": {
            "id": name,
            "source": PIPELINE,
            "content": {
                "environment": {"id": deploy.environment},
                "artifactId": f"pkg:oci/{name}@{deploy.sha}?repository_url=registry.larkspur.example&tag={deploy.version}",
            },
        },
    }


def event_id(deploy: Deploy) -> str:
    """The id of the event of a deploy."""
    return uuid(identifier("cdevents", deploy.number))
