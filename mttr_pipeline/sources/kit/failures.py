"""What a failed request raises, and the sentence that explains it: what happened, where, and what the user can do.

What does not belong here: sending and retrying (`http`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from mttr_pipeline.errors import PermanentError, TransientError
from mttr_pipeline.sources.kit.explain import is_json, safe_to_show, vendor_message
from mttr_pipeline.sources.kit.route import Route

_MOST_OF_ADDRESS = 200  # characters of an address that a vendor redirects to


class HttpRefused(PermanentError):
    """The vendor answered with a status that a retry does not change.

    `status` is the HTTP status, 0 when the TLS certificate is not trusted. `reason` is the vendor's message without
    credentials, empty when there is none. `location` is the address that a redirect names, as sent: for no message.
    """

    def __init__(self, message: str, status: int, reason: str = "", location: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.location = location


class HttpUnavailable(TransientError):
    """All retries failed. `status` is the HTTP status of the last response, None when there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Stopped(TransientError):
    """The request was cancelled because another request of the same source failed."""


class Refusal(NamedTuple):
    """A response that holds no data: its HTTP status, its headers (names in any case) and the vendor's message."""

    status: int
    headers: Mapping[str, str]
    reason: str


class Failures:
    """Builds the exceptions of one client. See HttpClient for the parameters."""

    def __init__(
        self,
        title: str,
        host: str,
        *,
        secrets: Sequence[str] = (),
        address_variable: str,
        remedies: Mapping[int, str] | None = None,
        remedy_for: Callable[[Refusal], str | None] | None = None,
        route: Route | None = None,
    ) -> None:
        self._title = title
        self._host = host
        self._route = route or Route()
        self._secrets = (*secrets, *self._route.secrets)
        self._address_variable = address_variable
        self._remedies = {
            401: "check the credentials",
            402: "the account's plan does not include this",
            403: "give the credentials read access to it",
            404: f"check {address_variable}",
            495: "set client_cert and client_key in mttr.toml to a client certificate that it accepts",
            496: "set client_cert and client_key of this source in mttr.toml",
            **(remedies or {}),
        }
        self._remedy_for = remedy_for

    def reason(self, content: bytes) -> str:
        """The vendor's message in an error body, without credentials."""
        return vendor_message(content, self._secrets)

    def bad_body(
        self, status: int, headers: Mapping[str, str], content: bytes, error: Exception
    ) -> tuple[str, str | None]:
        """What is wrong with a body that cannot be parsed, and what to do about it where the body or a header says more."""
        kind = headers.get("content-type", "").split(";")[0].strip()
        text = content.strip()
        if kind == "text/html" or text[:1] == b"<":
            page = f"a web page instead of JSON ({self.reason(content)[:120]!r}, perhaps from a proxy or a login)"
            return page, self._special(status, headers, "")
        if not text:
            return "an empty response", self._special(status, headers, "")
        said = self.reason(content) if text[:1] == b"{" and is_json(text) else ""
        if said:
            special = self._special(status, headers, said)
            return f"an error message instead of data ({said})", special or "correct what the message names"
        return f"incomplete or unexpected JSON ({safe_to_show(str(error), self._secrets)[:120]})", None

    def _special(self, status: int, headers: Mapping[str, str], reason: str) -> str | None:
        return self._remedy_for(Refusal(status, headers, reason)) if self._remedy_for else None

    def stopped(self) -> Stopped:
        """For a request that is cancelled."""
        return Stopped(f"{self._title}: stopped because another request failed.")

    def untrusted_certificate(self) -> HttpRefused:
        """For a host whose TLS certificate is not trusted."""
        ca = self._route.ca
        remedy = (
            f"add the certificate of its issuer to {ca} ({self._route.ca_from})"
            if ca
            else "if your company issues certificates itself, or a proxy opens the connections, set SSL_CERT_FILE or ca_bundle in "
            "mttr.toml to the file of your company's certificates"
        )
        return HttpRefused(
            f"{self._title}: the TLS certificate of {self._host} is not trusted; check {self._address_variable}, and {remedy}.",
            0,
        )

    def client_certificate(self, alert: str) -> HttpRefused:
        """For a TLS connection that the other side ended with an alert about the certificate that we show, or about its absence."""
        shown = self._route.certificate
        text = (
            f"{self._host} refused the client certificate {shown[0]} ({alert}); name one that it accepts in client_cert and "
            "client_key in mttr.toml."
            if shown
            else f"{self._host} wants a client certificate ({alert}); set client_cert and client_key of this source in mttr.toml."
        )
        return HttpRefused(f"{self._title}: {text}", 0)

    def proxy_unreachable(self, reason: str) -> HttpUnavailable:
        """For a proxy that no connection came to."""
        proxy = self._proxy()
        return self._unavailable(
            f"{proxy} cannot be reached ({reason}); check {self._route.proxy_from} and the network", None, ""
        )

    def proxy_refused(self, status: int, reason: str) -> HttpRefused:
        """For a proxy that does not pass a request on."""
        # mttr.toml holds no credentials
        variable = (
            self._route.proxy_from if self._route.proxy_from.isidentifier() else "HTTPS_PROXY instead of mttr.toml"
        )
        remedy = (
            f"put user:password@ before the host in {variable}"
            if status == 407
            else f"ask its operators to allow {self._host}, or name the host in NO_PROXY"
        )
        what = "wants credentials" if status == 407 else f"does not pass on requests to {self._host}"
        if status == 407 and self._route.secrets:
            what, remedy = "refused the credentials", f"correct user name and password in {self._route.proxy_from}"
        text = f"{self._title}: {self._proxy()} {what} (status {status}{f': {reason}' if reason else ''}); {remedy}."
        return HttpRefused(safe_to_show(text, self._secrets), status, reason)

    def _proxy(self) -> str:
        return f"the proxy {self._route.shown} ({self._route.proxy_from})"

    def unreachable(self, reason: str) -> HttpUnavailable:
        """For a host that never answered."""
        return self._unavailable(f"cannot be reached ({reason}); check {self._address_variable} and the network", None)

    def unusable(self, path: str, reason: str, status: int | None, remedy: str | None = None) -> HttpUnavailable:
        """For a path whose successful responses cannot be parsed."""
        remedy = remedy or f"check {self._address_variable} and any proxy in between"
        return self._unavailable(f"answered {path} with {reason}; {remedy}", status)

    def too_large(self, path: str, most: int) -> PermanentError:
        """For a response with more than `most` bytes after decompression. To ask again would bring the same."""
        return PermanentError(
            safe_to_show(
                f"{self._title}: {self._host} answered {path} with more than {most >> 20} MB (decompressed), more than any page "
                f"of records has, and was not read further; check {self._address_variable} and any proxy in between, then run "
                "again.",
                self._secrets,
            )
        )

    def no_answer(self, path: str, reason: str, status: int | None, tries: int) -> HttpUnavailable:
        """For a path whose last try failed in a way that may pass."""
        times = "1 try" if tries == 1 else f"{tries} tries"
        return self._unavailable(
            f"did not answer {path} after {times} ({f'status {status}: ' if status else ''}{reason}); wait a while",
            status,
        )

    def _unavailable(self, text: str, status: int | None, who: str | None = None) -> HttpUnavailable:
        who = f"{self._host} " if who is None else who
        return HttpUnavailable(safe_to_show(f"{self._title}: {who}{text}, then run again.", self._secrets), status)

    def refused(self, path: str, status: int, headers: Mapping[str, str], content: bytes) -> HttpRefused:
        """For a status that is not retried, and for a redirect."""
        if status == 407 and self._route.proxy:
            return self.proxy_refused(status, self.reason(content))
        location = headers.get("location", "") if 300 <= status < 400 else ""
        if 300 <= status < 400:
            target = urlsplit(location)
            to = f"{target.scheme}://{target.hostname}{target.path}" if target.hostname else "another address"
            reason = f"it redirects to {safe_to_show(to, self._secrets)[:_MOST_OF_ADDRESS]}"
            remedy = f"redirects are not followed; set {self._address_variable} to the final address"
        else:
            reason = self.reason(content)
            remedy = self._remedy(Refusal(status, headers, reason))
        message = f"{self._title}: {self._host} refused {path} with status {status}"
        message += f" ({reason}); {remedy}." if reason else f"; {remedy}."
        return HttpRefused(safe_to_show(message, self._secrets), status, reason, location)

    def _remedy(self, refusal: Refusal) -> str:
        return self._special(*refusal) or self._remedies.get(
            refusal.status, "nothing was changed; report this if it happens again"
        )
