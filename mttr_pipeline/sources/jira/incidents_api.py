"""The incidents API of Jira Service Management Cloud: the alerts of one incident issue.

`GET /jsm/incidents/cloudId/{cloudId}/v1/incident/{issueID}/alert` gives `{"values": {"alertIds": [...]}, "startKey": null}`, where a
number in `startKey` asks for the next page. `.../responder-alerts` gives `{"responderAlerts": [{"id", "link", ...}]}`, all at once.

Source: developer.atlassian.com, Jira Service Management Incidents REST API, groups Linked alerts and Responder alerts; beta; scope
read:incident:jira-service-management. An earlier edition of its introduction names Basic authentication, the newest OAuth 2.0 only.
The header for experimental methods does no harm where a method is none. Rate limits, and the status for an issue that is no
incident, are not documented.

The path needs the cloud id of the site, which is in the address of the gateway for tokens with scopes, and else shown at
`/_edge/tenant_info` of the site (Atlassian support, Retrieve my Atlassian site's cloud ID).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from mttr_pipeline.errors import PermanentError
from mttr_pipeline.sources.jira import JiraAccess, JiraOptions
from mttr_pipeline.sources.kit import envelope
from mttr_pipeline.sources.kit.failures import HttpRefused
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.paging import TokenExpired, TokenPage, read_by_token

SCOPE = "read:incident:jira-service-management"
PATIENCE = 2.0  # minutes of retries: this API is beta, and a night does not wait for it
_GATEWAY_PATH = re.compile(r"/ex/jira/([0-9A-Za-z-]+)/?")


class IncidentsApi:
    """One site's. `site` is the client of the issues. Close it when done."""

    def __init__(
        self,
        access: JiraAccess,
        options: JiraOptions,
        site: HttpClient,
        *,
        variable: Callable[[str], str],
        **client: Any,
    ) -> None:
        token, email = access.token.get_secret_value(), access.email
        named = f"{variable('EMAIL')} and {variable('API_TOKEN')}"
        patient = options.model_copy(update={"max_wait_minutes": min(options.max_wait_minutes, PATIENCE)})
        self.client = HttpClient(
            access.incidents_url,
            f"{site.title}, linked alerts",
            patient,
            headers={"X-ExperimentalApi": "opt-in"},
            auth=(email, token) if email else None,
            secrets=(token,),
            address_variable=variable("INCIDENTS_URL"),
            remedies={
                401: f"check {named}; a token with scopes needs {SCOPE}",
                402: "the site's plan does not include this",
                403: f"a token with scopes needs {SCOPE}, and the account behind {named} must be an agent of the service desk",
                404: "the issue is no incident of Jira Service Management, or the site's plan does not include this",
            },
            **client,
        )
        self._site = site
        found = _GATEWAY_PATH.fullmatch(urlsplit(access.url).path)
        self._cloud_id = found[1] if found else ""
        self._lock = threading.Lock()

    def linked(self, issue_id: str) -> list[str]:
        """The ids of the alerts that are linked to an issue. Raises what `HttpClient.get` raises."""
        path, found = self._path(issue_id, "alert"), list[bytes]()

        def page(key: str | None) -> TokenPage:
            try:
                return self.client.get(path, [("startKey", key)] if key else None, parse=_linked_page)
            except HttpRefused as error:
                if error.status == 400 and key:
                    raise TokenExpired(f"status 400 for a start key: {error.reason}") from error
                raise

        read_by_token(page, found.extend)
        return [msgspec.json.decode(row) for row in found]

    def responders(self, issue_id: str) -> list[str]:
        """The ids of the alerts that page people for an issue. Raises what `HttpClient.get` raises."""
        return self.client.get(self._path(issue_id, "responder-alerts"), parse=_responder_ids)

    def _path(self, issue_id: str, what: str) -> str:
        return f"/jsm/incidents/cloudId/{self._cloud()}/v1/incident/{quote(issue_id, safe='')}/{what}"

    def _cloud(self) -> str:
        with self._lock:
            if not self._cloud_id:
                found = self._site.get("/_edge/tenant_info", parse=envelope.members)
                self._cloud_id = quote(envelope.decode_text(found.get("cloudId")) or "", safe="")
            if not self._cloud_id:
                raise PermanentError(f"{self.client.title}: {self._site.host} does not tell its cloud id.")
            return self._cloud_id


def _linked_page(body: bytes) -> TokenPage:
    found = envelope.members(body)
    ids = envelope.decode(envelope.required(envelope.members(envelope.required(found, "values")), "alertIds"))
    if not isinstance(ids, list):
        raise envelope.InvalidBody("no list 'alertIds'")
    key = envelope.decode(found.get("startKey"))
    return [msgspec.json.encode(one) for one in ids if isinstance(one, str)], None if key in (None, "") else str(key)


def _responder_ids(body: bytes) -> list[str]:
    rows = [envelope.members(row) for row in envelope.member_list(body, "responderAlerts")]
    return list(dict.fromkeys(name for row in rows if (name := envelope.decode_text(row.get("id")))))
