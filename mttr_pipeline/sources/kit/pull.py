"""A base class for one extract under way: what every source's pull starts from and ends with.

What does not belong here: HTTP, any vendor's paths or parameters.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.store import Extract
from mttr_pipeline.progress import Progress
from mttr_pipeline.sources.kit.audit import Audit, AuditStream
from mttr_pipeline.sources.kit.http import HttpClient
from mttr_pipeline.sources.kit.plan import Plan
from mttr_pipeline.sources.kit.runner import Runner

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # before every record
OVERLAP = timedelta(hours=1)  # how late a vendor's index may learn of a change


class Pull:
    """One extract under way. A subclass implements `run`. A vendor that can be asked for deleted records also needs
    `_audit_streams`, and `_is_deleted` where records are read one by one.

    It has `_client`, `_plan` and `_extract` as they were given; `_runner`, which runs tasks and counts; and
    `_changed_since`, the instant since when an incremental pull reads changes: the high-water mark minus an overlap.
    """

    def __init__(
        self, client: HttpClient, options: SourceOptions, plan: Plan, extract: Extract, progress: Progress
    ) -> None:
        self._client = client
        self._plan = plan
        self._extract = extract
        self._runner = Runner(extract, client, options.connections, progress)
        self._changed_since = plan.since
        if plan.incremental:
            self._changed_since -= max(timedelta(0), OVERLAP - timedelta(minutes=options.lag_minutes))

    def run(self) -> None:
        """Land everything of the plan that is not landed yet. Raises MttrError."""
        raise NotImplementedError

    def audit(self, audit: Audit) -> None:
        """Compare our records with the vendor's; land tombstones, and the records that we lack. Raises MttrError."""
        audit.run(self._runner, lambda: self._client.requests, self._plan.as_of, self._audit_streams())
        self._write_tombstones()

    def _audit_streams(self) -> Iterable[AuditStream]:
        """The streams that can be compared; none where a subclass does not name any."""
        return ()

    def _is_deleted(self, stream: str, record_id: str) -> bool:
        """Whether the vendor does not know this record any more, asked for by its id."""
        raise NotImplementedError

    def _write_tombstones(self) -> None:
        self._runner.write_tombstones(self._plan.as_of, self._is_deleted)

    def _listing_too_long(self, path: str, ceiling: int) -> PermanentError:
        return PermanentError(
            f"{self._client.title}: {path} lists more than the {ceiling:,} rows that its paging can return, and this "
            "listing cannot be split; ask the vendor for an export."
        )
