"""The settings in force as rows of the `config.*` tables that the SQL files join."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from typing import Any

from mttr_pipeline.config.decisions import OF_DEPLOYS
from mttr_pipeline.config.definitions import definition_rows, variants_in_force
from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.options import DeployOptions, LinkedOptions
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.config.terms import PHASES, STAMPS
from mttr_pipeline.config.vocabulary import vocabulary

Rows = list[list[Any]]

#: The same rows by kind, as models join them, and the marks of notes one by one.
VIEWS = """
CREATE VIEW config.severities AS SELECT source, word, meaning AS severity FROM config.words WHERE kind = 'severity';
CREATE VIEW config.resolutions AS SELECT source, word, meaning FROM config.words WHERE kind = 'resolution';
CREATE VIEW config.types AS SELECT source, word, meaning FROM config.words WHERE kind = 'type';
CREATE VIEW config.environments AS SELECT source, word, meaning FROM config.words WHERE kind = 'environment';
CREATE VIEW config.detections AS SELECT source, word, meaning FROM config.words WHERE kind = 'detection';
CREATE VIEW config.statuses AS
    SELECT source, scope, word, is_prefix, meaning AS event_type FROM config.words WHERE kind = 'status';
CREATE VIEW config.fields AS SELECT source, word, written, meaning AS target FROM config.words WHERE kind = 'field';
CREATE VIEW config.marks AS
    SELECT source, 'root_cause_found' AS event_type, root_cause_marks AS marks FROM config.sources
    UNION ALL SELECT source, 'mitigated', mitigated_marks FROM config.sources;
CREATE VIEW config.refusals AS
    SELECT source, external_id, other_source, other_external_id, decided_by, why FROM config.decisions WHERE decision = 'different'
    UNION ALL
    SELECT other_source, other_external_id, source, external_id, decided_by, why FROM config.decisions WHERE decision = 'different';
"""


def config_tables(settings: Settings, as_of: datetime, definition_hash: str) -> dict[str, tuple[str, Rows]]:
    """Name -> (columns, rows) of every `config` table. Words and names stand as they are compared; durations are microseconds."""
    file, accounts = settings.file, settings.accounts
    gate = file.errors.incidents
    return {
        "run": (
            "as_of TIMESTAMP, reopen_us BIGINT, flap_us BIGINT, abandoned_us BIGINT, deploy_window_us BIGINT, "
            "correlates BOOLEAN, count_noise BOOLEAN, per_person BOOLEAN, "
            "outliers_excluded BOOLEAN, outlier_hours DOUBLE, "
            "at_risk_pct DOUBLE, availability_target_pct DOUBLE, phase_model VARCHAR, reporting_time_zone VARCHAR, "
            "definition_hash VARCHAR",
            [
                [
                    as_of.replace(tzinfo=None),
                    round(file.lifecycle.reopen_hours * 3_600_000_000),
                    round(file.lifecycle.flap_minutes * 60_000_000),
                    round(file.lifecycle.abandoned_days * 86_400_000_000),
                    round(file.deploys.window_minutes * 60_000_000),
                    file.correlation.enabled,
                    file.downtime.count_noise,
                    file.oncall.per_person,
                    file.outliers.enabled,
                    file.outliers.hours,
                    file.targets.at_risk_pct,
                    file.targets.availability_pct,
                    file.phase_model,
                    file.reporting_time_zone,
                    definition_hash,
                ]
            ],
        ),
        "sources": (
            "source VARCHAR, time_zone VARCHAR, root_cause_marks VARCHAR[], mitigated_marks VARCHAR[], web_url VARCHAR",
            [
                [
                    *(account.name, account.options.time_zone),
                    *(list(account.options.root_cause_patterns), list(account.options.mitigated_patterns)),
                    account.options.web_url if isinstance(account.options, LinkedOptions) else None,
                ]
                for account in accounts
            ],
        ),
        "record_sources": (
            "source VARCHAR, account VARCHAR, role VARCHAR",
            [
                [name, account.name, account.options.role or account.source.role]
                for account in accounts
                for name in account.source.record_sources(account.name)
            ],
        ),
        "team_zones": (
            "team VARCHAR, time_zone VARCHAR",
            [[normalize(team), zone] for team, zone in file.oncall.time_zones.items()],
        ),
        "deployed_services": (
            "source VARCHAR, place VARCHAR, services VARCHAR[]",
            [
                [account.name, normalize(place), [services] if isinstance(services, str) else list(services)]
                for account in accounts
                if isinstance(account.options, DeployOptions)
                for place, services in account.options.services.items()
            ],
        ),
        "unnamed_environments": (
            "source VARCHAR, environment VARCHAR",
            [
                [account.name, account.options.unnamed_environment]
                for account in accounts
                if isinstance(account.options, DeployOptions) and account.options.unnamed_environment
            ],
        ),
        "patterns": (
            "source VARCHAR, pattern VARCHAR",
            [[account.name, pattern] for account in accounts for pattern in account.options.patterns()],
        ),
        "error_gate": (
            "is_open BOOLEAN, new_in_release BOOLEAN, unhandled BOOLEAN, users BIGINT, urgent VARCHAR",
            [[gate.enabled, gate.new_in_release, gate.unhandled, gate.users, gate.urgent]],
        ),
        "error_levels": (
            "level VARCHAR, severity VARCHAR, passes BOOLEAN",
            [[level, severity, level in gate.levels] for level, severity in gate.severities.items()],
        ),
        "path_values": (
            "kind VARCHAR, name VARCHAR, points DOUBLE",
            [["service", name, points] for name, points in file.errors.path_values.services.items()]
            + [["tag", normalize(name), points] for name, points in file.errors.path_values.tags.items()],
        ),
        "source_settings": (
            "source VARCHAR, setting VARCHAR, key VARCHAR, value VARCHAR",
            [[account.name, *row] for account in accounts for row in account.options.sql_settings()],
        ),
        "link_reasons": ("reason VARCHAR", [[reason] for reason in file.correlation.reasons]),
        "decisions": (
            "source VARCHAR, external_id VARCHAR, other_source VARCHAR, other_external_id VARCHAR, decision VARCHAR, "
            "decided_by VARCHAR, why VARCHAR, line BIGINT",
            # What people decided about records is correlation too.
            [
                list(astuple(decision))
                for decision in settings.decisions.valid
                if file.correlation.enabled or decision.decision in OF_DEPLOYS
            ],
        ),
        "decision_problems": ("line BIGINT, problem VARCHAR", [list(one) for one in settings.decisions.problems]),
        "words": (
            "source VARCHAR, kind VARCHAR, scope VARCHAR, word VARCHAR, is_prefix BOOLEAN, "
            "written VARCHAR, meaning VARCHAR, setting VARCHAR",
            [list(vars(word).values()) for word in vocabulary(settings)],
        ),
        "findings": (
            "fact VARCHAR, level VARCHAR, meaning VARCHAR, is_of_newest BOOLEAN",
            sorted(
                [fact, finding.level, finding.meaning, finding.newest]
                for source in {account.source.name: account.source for account in accounts}.values()
                for fact, finding in source.findings.items()
            ),
        ),
        "variants": (
            "calculation_type VARCHAR, start_place INTEGER, end_place INTEGER, start_stamp VARCHAR, end_stamp VARCHAR",
            [
                [name, STAMPS.index(start) + 1, STAMPS.index(end) + 1, start, end]
                for name, (start, end) in variants_in_force(file).items()
            ],
        ),
        "targets": (
            "severity VARCHAR, service VARCHAR, minutes DOUBLE",
            [[severity, None, minutes] for severity, minutes in file.targets.severities.items()]
            + [
                [severity, service, minutes]
                for service, targets in file.targets.services.items()
                for severity, minutes in targets.items()
            ],
        ),
        "downtime_weights": (
            "severity VARCHAR, service VARCHAR, weight USMALLINT",
            [[severity, None, round(weight * 1000)] for severity, weight in file.downtime.severities.items()]
            + [
                [severity, service, round(weight * 1000)]
                for service, weights in file.downtime.services.items()
                for severity, weight in weights.items()
            ],
        ),
        "phases": (
            "phase_model VARCHAR, place INTEGER, phase VARCHAR, start_place INTEGER, end_place INTEGER",
            [list(row) for row in PHASES],
        ),
        "phase_targets": ("phase VARCHAR, minutes DOUBLE", [[phase, m] for phase, m in file.targets.phases.items()]),
        "thresholds": (
            "scope VARCHAR, scope_value VARCHAR, phase VARCHAR, warning DOUBLE, critical DOUBLE",
            [
                [scope, value, phase, threshold.warning, threshold.critical]
                for scope, value, phases in [
                    ("all", "all", file.thresholds.phases),
                    *(("severity", name, phases) for name, phases in file.thresholds.severities.items()),
                    *(("service", name, phases) for name, phases in file.thresholds.services.items()),
                ]
                for phase, threshold in phases.items()
            ],
        ),
        "alerts": (
            "services BOOLEAN, abandoned_incidents BIGINT",
            [[file.alerts.services, file.alerts.abandoned_incidents]],
        ),
        "definitions": ("name VARCHAR, value VARCHAR", definition_rows(file)),
        "services": (
            "name VARCHAR, service VARCHAR, team VARCHAR, written VARCHAR",
            [
                [name, service, entry.team, written]
                for service, entry in file.services.items()
                for name, written in {normalize(name): name for name in (*entry.aliases, service)}.items()
            ],
        ),
    }
