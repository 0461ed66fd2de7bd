"""The commits that a deployment brings out first: those between the deployment before it in the same environment and itself.

One record per deployment is landed, with the date and title of each commit: `{"deploymentId", "status", "commits": [...]}`.
Of the people who wrote them, nothing is landed. What does not belong here: which deployments are compared.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.commits import headline
from mttr_pipeline.sources.kit.failures import HttpRefused, HttpUnavailable
from mttr_pipeline.sources.kit.http import HttpClient

PAGE = 100
MAX_COMMITS = 1_000
#: The commit is gone, after a branch was rewritten; or the two have nothing in common.
NOT_COMPARABLE = frozenset({404, 409, 410, 422})


class _Author(msgspec.Struct):
    date: str | None = None


class _Text(msgspec.Struct):
    message: str = ""
    author: _Author | None = None


class _Commit(msgspec.Struct):
    sha: str
    commit: _Text


class _Comparison(msgspec.Struct):
    status: str
    commits: list[_Commit]
    total_commits: int = 0


_decode = msgspec.json.Decoder(_Comparison).decode


def compare(client: HttpClient, repository: str, base: str, head: str) -> tuple[dict[str, Any], bool] | None:
    """What `head` has and `base` has not, as members of a record, and whether there are more commits than are read.

    None where the two cannot be compared. Raises HttpRefused and HttpUnavailable for everything else.
    """
    path = f"/repos/{quote(repository)}/compare/{quote(base, safe='')}...{quote(head, safe='')}"
    try:
        found = client.get(path, parse=_parse)
        commits = {one.sha: one for one in found.commits}
        # Without a page, at most 250 come; page by page, all of them do, the oldest first.
        wanted = min(found.total_commits, MAX_COMMITS)
        for page in range(1, -(-wanted // PAGE) + 1) if len(commits) < wanted else ():
            more = client.get(path, [("per_page", PAGE), ("page", page)], parse=_parse)
            commits |= {one.sha: one for one in more.commits}
    except HttpRefused as error:
        if error.status not in NOT_COMPARABLE:
            raise
        return None
    except HttpUnavailable as error:
        if error.status != 500:  # what a comparison that takes too long is answered with
            raise
        return None
    return {
        "status": found.status,
        "totalCommits": found.total_commits,
        "commits": [
            {
                "sha": one.sha,
                "authoredAt": one.commit.author.date if one.commit.author else None,
                "title": headline(one.commit.message),
            }
            for one in commits.values()
        ],
    }, found.total_commits > len(commits)


def _parse(body: bytes) -> _Comparison:
    try:
        return _decode(envelope.whole_object(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise envelope.InvalidBody(str(error)) from error
