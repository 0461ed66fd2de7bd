"""What became of a deployment, by its statuses; which deployments came after each other in an environment.

A status says what the deployment was at an instant. The newest one is not what became of it: a good deployment is `inactive` as soon
as another one takes its place. What does not belong here: requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from mttr_pipeline.config.names import normalize
from mttr_pipeline.sources.github.listing import instant

FAILED = frozenset({"failure", "error"})
#: Nothing is expected after one of these. `inactive`: another deployment came before this one was over.
OVER = FAILED | {"success", "inactive"}


class Deployment(msgspec.Struct):
    """The members of a deployment that decide whether its commits are read."""

    id: int
    sha: str = ""
    task: str | None = None
    environment: str | None = None
    transient_environment: bool | None = None
    updated_at: str | None = None
    created_at: str | None = None


class Status(msgspec.Struct):
    """The members of a status."""

    id: int = 0
    state: str = ""
    environment: str | None = None
    created_at: str | None = None


class Success(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A deployment that succeeded: when (ISO 8601, UTC), its id and its commit."""

    at: str
    id: int
    sha: str


class Outcome(NamedTuple):
    """What the statuses of a deployment say: whether it is over, when it succeeded first, and in which environment."""

    is_over: bool
    succeeded_at: datetime | None
    environment: str | None


def outcome(statuses: Sequence[Status], environment: str | None) -> Outcome:
    """Of a deployment that was asked for in this environment. A status may name another one: it was changed meanwhile."""
    found = [(at, one) for one in statuses if (at := instant(one.created_at))]
    dated = sorted(found, key=lambda pair: (pair[0], pair[1].id))
    good = [(at, one) for at, one in dated if one.state == "success"]
    named = [one.environment for _, one in good[:1]] + [one.environment for _, one in reversed(dated)]
    return Outcome(
        any(one.state in OVER for one in statuses),
        good[0][0] if good else None,
        next((name for name in named if name and name.strip()), environment),
    )


def is_deploy(task: str | None) -> bool:
    """Whether a task brings something out: `deploy`, which is the default, `deploy:migrations`, `rollback`. Others are chores."""
    return (task or "deploy").strip().lower().startswith(("deploy", "rollback"))


def production_environment(deployment: Deployment, environment: str | None, production: Collection[str]) -> str:
    """The environment as it is compared, if it is one of `production`; else empty. One that exists for this deployment only, such as
    the preview of a change, never is."""
    name = normalize(environment or "")
    wanted = name in production and is_deploy(deployment.task) and not deployment.transient_environment
    return name if wanted and deployment.sha else ""


def steps(successes: Iterable[Success]) -> list[tuple[Success, Success]]:
    """Each deployment of an environment that brought out another commit than the one before it, with that one."""
    return [(base, head) for base, head in pairwise(sorted(successes)) if base.sha != head.sha]


def kept(successes: Iterable[Success], since: str) -> list[Success]:
    """The deployments that the next pull needs: those that it may see again (from `since` on), and the last one before them."""
    ordered = sorted(successes)
    before = sum(one.at < since for one in ordered)
    return ordered[max(0, before - 1) :]
