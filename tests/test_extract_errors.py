"""Errors of Sentry and GlitchTip pulled over HTTP from their simulator: what is resolved when, told by servers that do not say it."""

from __future__ import annotations

from pathlib import Path

from error_cases import DAY, HOUR, NOW, Organization, counts, plain, site

from mttr_pipeline.demo.sentry.truth import Episode


def test_a_person_resolves_an_issue(tmp_path: Path) -> None:
    here = Organization()
    at = NOW - 5 * DAY
    here.issue(at, Episode(at, at + 3 * HOUR, by="Ana Diaz"))
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert counts(manifest) == {"error_days_older_than_given": 640}
        assert sentry.events("external_id, event_type, happened_at, provenance, actor, actor_kind") == [
            ("1", "resolved", plain(at + 3 * HOUR), "api", "Ana Diaz", "human")
        ]
        print(sentry.table("error_issues"))
        print(sentry.table("links"))
        print(sentry.table("words"))
        print(len(sentry.table("error_counts")))
        print(sentry.requests())
        sentry.pull(NOW + DAY)
        print(sentry.requests())
