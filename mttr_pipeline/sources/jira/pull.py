"""Jira Cloud and Jira Data Center: the issues of a JQL with their whole changelog, fields and statuses.

Issues are read in windows of `created`, which never changes. The first pull reads the range that is asked for, later pulls
everything that was `updated` since the high-water mark: no issue can move from one window to another while it is read.
Sources: developer.atlassian.com (Jira Cloud REST API v3, search and reconcile, rate limiting).

An issue that is deleted leaves no trace. One that is moved or retyped so that the JQL does not select it any more counts as
deleted; one that is moved but still selected keeps its id. The audit finds both by comparing ids.

Streams: issues; changelogs (`{"issueId", "changeHistories": [...]}`, several lines per issue); fields; statuses;
linked_alerts (if `linked_alerts`); tombstones of deleted issues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.jira import JiraAccess, JiraOptions
from mttr_pipeline.sources.jira.cloud import CloudPull
from mttr_pipeline.sources.jira.data_center import DataCenterPull
from mttr_pipeline.sources.jira.incidents_api import IncidentsApi
from mttr_pipeline.sources.jira.issues import IssuePull
from mttr_pipeline.sources.jira.jql import without_order
from mttr_pipeline.sources.jira.site import account_name, incident_jql, incident_types
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.kit.failures import Refusal
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import row_id
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.source import HttpSource, instance_title, variables_of

GATEWAY = "https://api.atlassian.com/ex/jira"  # for API tokens with scopes (Atlassian support, Manage API tokens)
SCOPES = "read:jira-work and read:jira-user"  # issues, fields, projects; the account itself


class Jira(HttpSource[JiraOptions]):
    """One Jira site. `variables` maps a suffix to the environment variable of this instance, for messages."""

    def __init__(
        self,
        name: str,
        access: JiraAccess,
        options: JiraOptions,
        *,
        variables: Callable[[str], str] | None = None,
        **client: Any,
    ) -> None:
        variable = variables or variables_of(name)
        token = access.token.get_secret_value()
        key = variable("API_TOKEN" if access.is_cloud else "PERSONAL_TOKEN")
        credentials = f"{variable('EMAIL')} and {key}" if access.is_cloud else key
        self._jql_variable = variable("JQL")
        http = HttpClient(
            access.url,
            instance_title("Jira", "jira", name),
            options,
            headers=None if access.is_cloud else {"Authorization": f"Bearer {token}"},
            auth=(access.email, token) if access.email else None,
            secrets=(token,),
            address_variable=variable("URL"),
            remedies={
                400: f"check {self._jql_variable}: a project, field or value in it may not exist or not be visible to this "
                "account",
                401: f"check {credentials}{_address_for(access, variable('URL'))}",
                402: "the site's plan does not include this",
                403: f"the account behind {credentials} may not read this; give it access to the projects",
                404: f"check {variable('URL')}: the address of the site, with the context path of a Data Center",
                410: f"the site has removed this API; check {variable('URL')} and which kind of token is set",
            },
            remedy_for=lambda refusal: _remedy_for(refusal, variable, credentials),
            **client,
        )
        super().__init__(name, options, http)
        self._access = access
        self._jql = ""  # set by the first pull
        self._incidents: IncidentsApi | None = None
        if options.linked_alerts and access.is_cloud:
            self._incidents = IncidentsApi(access, options, http, variable=variable, **client)

    @property
    def requests(self) -> int:
        """See Source."""
        return super().requests + (self._incidents.client.requests if self._incidents else 0)

    def limit(self, deadline: Deadline) -> None:
        """See LimitedSource."""
        super().limit(deadline)
        if self._incidents:
            self._incidents.client.limit(deadline)

    def close(self) -> None:
        """See Source."""
        super().close()
        if self._incidents:
            self._incidents.client.close()

    @property
    def scope(self) -> dict[str, Any]:
        """The query, and which product answers it; issue types where the settings say which of them are incidents; whether
        all remote links are read."""
        scope: dict[str, Any] = {"jql": self._access.jql or "", "cloud": self._access.is_cloud}
        types = incident_types(self.options.type)
        if not self._access.jql and types.keys() != incident_types({}).keys():
            scope["types"] = sorted(types)
        if self.options.remote_links == "all":
            scope["remote_links"] = "all"
        return scope

    def check(self) -> str:
        """Ask who we are: every site refuses that to an anonymous user. Then for the linked alerts of one incident, if wanted."""
        said = f"ok: {self.title} reachable at {self._client.host} as {account_name(self._client, self._kind.api)}"
        return f"{said}; {self._check_linked_alerts()}" if self.options.linked_alerts else said

    def _check_linked_alerts(self) -> str:
        if self._incidents is None:
            return "no linked alerts: Jira Data Center has none, remove linked_alerts"
        search = {"jql": f"({without_order(self._incident_jql())}) ORDER BY created DESC", "maxResults": 1}
        rows = self._client.post(
            f"{self._kind.api}/search/jql", search, parse=lambda body: envelope.member_list(body, "issues")
        )
        newest = row_id(rows[0]) if rows else None
        if newest is None:
            return "no incident yet to ask for linked alerts"
        try:
            n = len(self._incidents.linked(newest)) + len(self._incidents.responders(newest))
        except (PermanentError, TransientError) as error:
            return f"no linked alerts: {error}"
        return f"linked alerts, {n} of the newest incident"

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> IssuePull:
        if not self._jql:
            # some sites answer a search with wrong credentials as they would an anonymous user: without issues
            account_name(self._client, self._kind.api)
            self._jql = self._incident_jql()
        return self._kind(
            self._client, self.options, self._jql, self._jql_variable, plan, extract, progress, self._incidents
        )

    def _incident_jql(self) -> str:
        """The query for incidents. Raises what `incident_jql` raises."""
        return self._access.jql or incident_jql(
            self._client,
            self._kind.api,
            incident_types(self.options.type),
            f"map one in [sources.{self.name}.type], or set {self._jql_variable} to a query for the incidents",
        )

    @property
    def _kind(self) -> type[IssuePull]:
        return CloudPull if self._access.is_cloud else DataCenterPull


def _address_for(access: JiraAccess, variable: str) -> str:
    """Which address a Cloud token needs: one with scopes works at the gateway only, one without at the site only."""
    if not access.is_cloud:
        return ""
    if urlsplit(access.url).hostname == urlsplit(GATEWAY).hostname:
        return f"; {variable} is the address for tokens with scopes ({SCOPES}), a token without scopes needs the site's own"
    return f"; a token with scopes ({SCOPES}) needs {variable}={GATEWAY}/<cloud id>"


def _remedy_for(refusal: Refusal, variable: Callable[[str], str], credentials: str) -> str | None:
    """What the user can do about refusals that the status alone does not explain."""
    login = " ".join(
        refusal.headers.get(name, "") for name in ("x-seraph-loginreason", "x-authentication-denied-reason")
    ).upper()
    if "CAPTCHA" in login or "AUTHENTICATION_DENIED" in login:
        return "the account is locked by a CAPTCHA: log in once in a browser, then run again"
    if "scope does not match" in refusal.reason.lower():
        return f"the API token lacks a scope: create one with {SCOPES}"
    if refusal.status == 200 and "FAILED" in login:
        return f"the site did not accept the login: check {credentials}"
    if "CHANGE-2046" in refusal.reason:
        return (
            f"this site has removed the old search; {variable('URL')} must be a Cloud site with {variable('EMAIL')} and "
            f"{variable('API_TOKEN')}"
        )
    return None
