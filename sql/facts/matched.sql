/*
description = """Every incident that counts, as numbers: duplicates and non-incidents are left out. All statistics are made of this narrow
table."""
like = "core.incidents"
not_null = ["incident_no", "severity_id", "service_id", "team_id", "started_us", "is_over", "by_timeout", "is_paged",
    "is_noise", "is_before_history", "is_abandoned"]
unique = [["incident_no"]]

[columns]
incident_no = "rowid of the incident in core.incidents"
severity_id = "member_id of its severity in core.scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "instant that decides the window, in microseconds since 1970"
occurred_us = "occurred_at in microseconds since 1970"
detected_us = "detected_at in microseconds since 1970"
acknowledged_us = "acknowledged_at in microseconds since 1970"
investigating_us = "investigating_at in microseconds since 1970"
root_cause_found_us = "root_cause_found_at in microseconds since 1970"
mitigated_us = "mitigated_at in microseconds since 1970"
resolved_us = "resolved_at in microseconds since 1970"
closed_us = "closed_at in microseconds since 1970"
is_over = "whether its status says that it is over, with or without a stamp of it"
by_timeout = "whether a timeout resolved it"
is_paged = "its acknowledgement, if it has one, comes from a pager, which notifies somebody; false for tickets, machine alerts and channels"
last_event_us = "last_event_at in microseconds since 1970; NULL where a stamp says when users had service again"
is_noise = "it resolved automatically and nobody acknowledged it"
affected_users = "users affected; NULL when unknown"
revenue_impact = "revenue lost, in the company's currency; NULL when unknown"
is_before_history = "="
is_abandoned = "="
*/
SELECT
    i.rowid AS incident_no,
    severity.member_id AS severity_id,
    service.member_id AS service_id,
    team.member_id AS team_id,
    epoch_us(i.started_at) AS started_us,
    epoch_us(i.occurred_at) AS occurred_us,
    epoch_us(i.detected_at) AS detected_us,
    epoch_us(i.acknowledged_at) AS acknowledged_us,
    epoch_us(i.investigating_at) AS investigating_us,
    epoch_us(i.root_cause_found_at) AS root_cause_found_us,
    epoch_us(i.mitigated_at) AS mitigated_us,
    epoch_us(i.resolved_at) AS resolved_us,
    epoch_us(i.closed_at) AS closed_us,
    status_is_over(i.status) AS is_over,
    coalesce(i.resolution_kind = 'timeout', false) AS by_timeout,
    coalesce(r.role = 'pager', false) AS is_paged,
    CASE WHEN coalesce(i.mitigated_at, i.resolved_at, i.closed_at) IS NULL THEN epoch_us(i.last_event_at) END AS last_event_us,
    i.auto_resolved AND i.acknowledged_at IS NULL AS is_noise,
    i.affected_users,
    i.revenue_impact,
    i.is_before_history,
    i.is_abandoned
FROM core.incidents AS i
LEFT JOIN config.record_sources AS r ON r.source = coalesce(i.acknowledged_source, i.source)
JOIN core.scope_members AS severity ON severity.scope = 'severity' AND severity.scope_value = i.severity
JOIN core.scope_members AS service ON service.scope = 'service' AND service.scope_value = coalesce(i.service, 'unknown')
JOIN core.scope_members AS team ON team.scope = 'team' AND team.scope_value = coalesce(i.team, 'unknown')
WHERE i.is_counted
