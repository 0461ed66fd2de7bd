"""GitHub's REST API over HTTP: who asks, how the vendor slows down, and what can be wrong with a token or a repository.

What is read of the repositories stands in `reading`. Sources: the vendor's documentation (Rate limits, Best practices, Permissions
required for fine-grained personal access tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.github import GitHubAccess, GitHubOptions
from mttr_pipeline.sources.github.reading import NOT_READABLE, Reading
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused, Refusal
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull
from mttr_pipeline.sources.kit.ratelimit import Throttling
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of

HOUR = 3_600.0


def is_throttled(status: int, headers: Mapping[str, str], reason: str) -> bool:
    """Whether a refusal is one for the rate (Rate limits for the REST API): it has the status 429, or 403 with the sign of one."""
    said = headers.get("retry-after") is not None or headers.get("x-ratelimit-remaining") == "0"
    return status == 429 or (status == 403 and (said or "rate limit" in reason.lower()))


#: A used up hour is waited for. Without headers: a minute at least, and longer each time.
THROTTLING = Throttling(is_throttled, longest_reset=HOUR + 60, silent=60, most=HOUR / 4, patience=HOUR + 60)


class GitHub(HttpSource[GitHubOptions]):
    """The repositories of one token. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: GitHubAccess,
        options: GitHubOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        self._variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        http = HttpClient(
            access.url,
            instance_title("GitHub", "github", name),
            options,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            secrets=(token,),
            address_variable=self._variable("API_URL"),
            remedies={401: f"check {self._variable('TOKEN')}: it is wrong, expired or revoked"},
            remedy_for=self._remedy_for,
            throttling=THROTTLING,
            redirects=True,  # of a repository that has another name now
            **client,
        )
        super().__init__(name, options, http)
        self._repositories = access.repositories

    @property
    def scope(self) -> dict[str, Any]:
        """What is read besides deployments, and which environments are production. Not the repositories: each has a memory of its
        own."""
        words = dict(sorted(self.options.environment.items()))
        return {
            **({"production": words} if words and self.options.commits else {}),
            **({} if self.options.commits else {"commits": False}),
            **({"release_environment": self.options.release_environment} if self.options.release_environment else {}),
            **({} if self.options.releases else {"releases": False}),
        }

    def check(self) -> str:
        """Ask each repository for one deployment: whether a token may read one says nothing of the others."""
        refused = {}
        for name in self._repositories:
            try:
                self._client.get(f"/repos/{quote(name)}/deployments", [("per_page", 1)], parse=envelope.items)
            except HttpRefused as error:
                if error.status not in NOT_READABLE:
                    raise
                refused[name] = error
        if refused:
            raise self._not_readable(refused)
        n = len(self._repositories)
        return f"ok: {self.title} reachable at {self._client.host}, {n} {'repository' if n == 1 else 'repositories'}"

    def _not_readable(self, refused: Mapping[str, HttpRefused]) -> PermanentError:
        """The sentence about repositories that cannot be read."""
        shown = [
            f"{name} (status {error.status}{f': {error.reason}' if error.reason else ''})"
            for name, error in sorted(refused.items())
        ]
        more = f" and {len(shown) - 5} more" if len(shown) > 5 else ""
        what, they, them = ("repository", "It does", "it") if len(shown) == 1 else ("repositories", "They do", "them")
        return PermanentError(
            f"{self.title}: {self._client.host} does not show the {what} {', '.join(shown[:5])}{more}. {they} not exist, or the "
            f"token may not read {them}: check {self._variable('REPOS')}, and {self._scopes()}."
        )

    def _scopes(self) -> str:
        return (
            f"give the token in {self._variable('TOKEN')} the repository permissions Deployments (read) and Contents (read), or the "
            "scope repo if it is a classic one"
        )

    def _remedy_for(self, refusal: Refusal) -> str | None:
        if refusal.status == 403 and "SAML" in refusal.reason:
            return f"authorise the token in {self._variable('TOKEN')} for the organisation's single sign-on"
        return self._scopes() if refusal.status in (403, 404) else None

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        return Reading(self._repositories, self._not_readable, self._client, self.options, plan, extract, progress)
