"""What a source is: the interface that the pipeline pulls, and a base class for sources that are pulled over HTTP.

A source is built as `Vendor(name, access, options)`. `name` is that of the instance: two accounts of one vendor are two
sources with names of their own. What does not belong here: any vendor, what one pull reads (`plan`, `pull`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.audit import Audit
from mttr_pipeline.sources.kit.deadline import Deadline
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.pull import Pull

OptionsT = TypeVar("OptionsT", bound=SourceOptions)


class Source(Protocol):
    """One account of one vendor. After `close` or a failed extract it sends no more requests: build a new one."""

    @property
    def name(self) -> str:
        """The instance's name, e.g. in `[sources.<name>]`; also its folder in the landing zone."""
        ...

    @property
    def title(self) -> str:
        """The name for messages (see `instance_title`)."""
        ...

    @property
    def options(self) -> SourceOptions:
        """The settings of `[sources.<name>]`."""
        ...

    @property
    def scope(self) -> dict[str, Any]:
        """Everything else that decides which records the source gives, as plain JSON (see Plan)."""
        ...

    @property
    def requests(self) -> int:
        """How many requests the source has sent, retries included."""
        ...

    def check(self) -> str:
        """Send one cheap authenticated request; returns `ok: ...`. Raises MttrError with what the user can do."""
        ...

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        """Land everything of `plan` that is not landed yet. The caller finishes the extract. Raises MttrError."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


@runtime_checkable
class LimitedSource(Protocol):
    """A source that can be told how long it may take."""

    def limit(self, deadline: Deadline) -> None:
        """Whatever takes longer raises OutOfTime."""
        ...


@runtime_checkable
class RoutedSource(Protocol):
    """A source that can say how its vendor is reached."""

    @property
    def route(self) -> str:
        """Proxy and certificates for people, without passwords; empty for the direct way."""
        ...


class HttpSource(Generic[OptionsT]):
    """A base class with the parts of `Source` that do not depend on the vendor.

    A subclass builds the client, and implements `scope`, `check` and `_pull`.
    """

    def __init__(self, name: str, options: OptionsT, client: HttpClient) -> None:
        self.name = name
        self.title = client.title
        self.options = options
        self._client = client

    @property
    def requests(self) -> int:
        """See Source."""
        return self._client.requests

    @property
    def route(self) -> str:
        """See RoutedSource."""
        return self._client.route.in_words()

    def extract(self, plan: Plan, extract: Extract, progress: Progress) -> None:
        """See Source."""
        self._pull(plan, extract, progress).run()

    def audit(self, audit: Audit, plan: Plan, extract: Extract, progress: Progress) -> None:
        """See AuditableSource."""
        self._pull(plan, extract, progress).audit(audit)

    def limit(self, deadline: Deadline) -> None:
        """See LimitedSource."""
        self._client.limit(deadline)

    def close(self) -> None:
        """See Source."""
        self._client.close()

    def _pull(self, plan: Plan, extract: Extract, progress: Progress) -> Pull:
        raise NotImplementedError


def instance_title(vendor: str, kind: str, name: str) -> str:
    """What messages call an instance: `Acme` for the one named like its kind (`acme`), else e.g. `Acme (acme_eu)`."""
    return vendor if name == kind else f"{vendor} ({name})"


def variables_of(name: str) -> Callable[[str], str]:
    """The environment variables of an instance by suffix: for `acme_eu`, `TOKEN` gives `ACME_EU_TOKEN`."""
    return lambda suffix: f"{name.upper()}_{suffix}"
