"""The commits that a deployment brought out first: those between the commit that was live before, and its own.

What belongs here: which deployment came before which, in one environment, and what is landed of a comparison. What does not: which
environments are production.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from mttr_pipeline.sources.gitlab.pages import project_path
from mttr_pipeline.sources.kit.commits import headline
from mttr_pipeline.sources.kit.envelope import InvalidBody
from mttr_pipeline.sources.kit.http import HttpClient


class Live(NamedTuple):
    """A successful deployment: when it was over (ISO 8601 in UTC, as far as known), its id and its commit."""

    over_at: str
    id: str
    sha: str


class Comparison(NamedTuple):
    """Commits to read: of deployment `id` in `project`, from `before` to `sha`."""

    project: str
    id: str
    before: str
    sha: str


def comparisons(project: str, known: Sequence[Live], found: Iterable[Live]) -> tuple[list[Comparison], list[Live]]:
    """What is to be compared in one environment, and its deployments in order. `known` are its last ones as earlier pulls left them.

    A deployment that is older than all known ones was compared when it was new, and its row has changed since. The same commit
    again brings nothing out first, so it costs no request.
    """
    old = {one.id for one in known}
    oldest = min((one.over_at for one in known), default="")
    fresh = {one.id: one for one in found if one.id not in old and one.over_at >= oldest}
    ordered = sorted([*known, *fresh.values()])
    wanted = [
        Comparison(project, one.id, before.sha, one.sha)
        for before, one in pairwise(ordered)
        if one.id in fresh and one.sha != before.sha
    ]
    return wanted, ordered


class _Commit(msgspec.Struct):
    id: Any = None
    title: Any = None
    authored_date: Any = None
    message: Any = None


class _Answer(msgspec.Struct):
    commits: list[_Commit]


_ANSWER = msgspec.json.Decoder(_Answer)


def read_comparison(client: HttpClient, comparison: Comparison) -> bytes:
    """The line of a comparison: titles and dates of its commits. The rest of the answer, most of it changes of files, and the names
    and addresses of people are not landed. It has no commits where the deployment goes back, for it brings nothing new.

    Raises what `HttpClient.get` raises.
    """

    def parse(body: bytes) -> list[_Commit]:
        try:
            return _ANSWER.decode(body).commits
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidBody(str(error)) from error

    params = [("from", comparison.before), ("to", comparison.sha)]
    commits = client.get(f"{project_path(comparison.project)}/repository/compare", params, parse=parse)
    told = [{"id": one.id, "title": _title(one), "authored_date": one.authored_date} for one in commits]
    return msgspec.json.encode({"id": comparison.id, "from": comparison.before, "to": comparison.sha, "commits": told})


def _title(commit: _Commit) -> Any:
    """With that of the merge request that it merges. GitLab's own title ends after 255 characters, the message does not."""
    message = commit.message
    merges = isinstance(message, str) and isinstance(commit.title, str) and message.startswith(commit.title)
    return headline(message) if merges else commit.title
