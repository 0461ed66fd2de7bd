/*
description = """What the incidents that are made of several records say, without what their primary record says for them. Each stamp is the best
of core.evidence. Severity: the ticket's severity field, else a pager's priority, its urgency, the ticket's priority, an alert's label, else
the default. Service, team and title by precedence, the category of the root cause from the ticket first, tags from all. Users and revenue are the
largest number of any record but merged ones."""
like = "core.incidents"
not_null = ["incident_id", "severity", "severity_source", "status"]
unique = [["incident_id"]]

[columns]
incident_id = "="
title = "="
severity = "="
severity_first = "="
severity_max = "="
severity_source = "="
vendor_severity = "="
status = "="
occurred_at = "="
detected_at = "="
acknowledged_at = "="
investigating_at = "="
root_cause_found_at = "="
mitigated_at = "="
resolved_at = "="
closed_at = "="
first_resolved_at = "="
occurred_provenance = "="
detected_provenance = "="
acknowledged_provenance = "="
investigating_provenance = "="
root_cause_found_provenance = "="
mitigated_provenance = "="
resolved_provenance = "="
closed_provenance = "="
occurred_source = "="
detected_source = "="
acknowledged_source = "="
investigating_source = "="
root_cause_found_source = "="
mitigated_source = "="
resolved_source = "="
closed_source = "="
active_minutes = "="
last_event_at = "="
changed_at = "when any of its records last changed at the vendor, changes after as_of left out. UTC"
auto_resolved = "="
resolution_kind = "="
service = "="
team = "="
tags = "="
root_cause_category = "="
affected_users = "="
revenue_impact = "="
updated_at = "="
*/
WITH stamped AS (
    SELECT
        incident_id,
        arg_min(said, place) FILTER (stamp = 'occurred') AS occurred,
        arg_min(said, place) FILTER (stamp = 'detected') AS detected,
        arg_min(said, place) FILTER (stamp = 'acknowledged') AS acknowledged,
        arg_min(said, place) FILTER (stamp = 'investigating') AS investigating,
        arg_min(said, place) FILTER (stamp = 'root_cause_found') AS root_cause_found,
        arg_min(said, place) FILTER (stamp = 'mitigated') AS mitigated,
        arg_min(said, place) FILTER (stamp = 'resolved') AS resolved,
        arg_min(said, place) FILTER (stamp = 'closed') AS closed
    FROM (
        -- Rank, order_us and precedence as one number: to compare structs takes twice as long.
        SELECT
            incident_id, stamp, {happened_at: "at", provenance: provenance, source: source, precedence: precedence} AS said,
            rank::HUGEINT * 79228162514264337593543950336::HUGEINT + order_us::HUGEINT * 4294967296::HUGEINT + precedence AS place
        FROM core.evidence
    )
    GROUP BY incident_id
),
spoken AS (
    SELECT
        m.incident_id, m.precedence, m.is_full, s.*,
        CASE WHEN s.role = 'ticket' THEN m.precedence - 1000000000 ELSE m.precedence END AS ticket_first,
        CASE
            WHEN NOT m.is_full THEN NULL
            WHEN s.severity_source = 'default' THEN 9
            WHEN s.role = 'ticket' THEN CASE WHEN s.severity_source IN ('field', 'major_incident') THEN 1 ELSE 4 END
            WHEN s.role = 'pager' THEN CASE WHEN s.severity_source = 'urgency' THEN 3 ELSE 2 END
            WHEN s.role = 'machine alert' THEN 5
            ELSE 6
        END AS severity_rank
    FROM core.members AS m
    JOIN core.standalone AS s ON s.record_id = m.record_id
    WHERE NOT m.is_silent
),
reopened AS (
    SELECT incident_id, reopened_at FROM spoken WHERE precedence = 1 AND reopened_at IS NOT NULL
),
told AS (
    SELECT
        s.incident_id,
        -- How far an open incident is. After a reopen of the primary record only what happened since then counts.
        max(CASE
            WHEN s.precedence = 1 OR (s.is_full AND greatest(s.acknowledged_at, s.investigating_at, s.root_cause_found_at, s.mitigated_at)
                >= coalesce(r.reopened_at, s.began_at))
                THEN list_position(['detected', 'acknowledged', 'investigating', 'mitigated'], s.status)
            WHEN NOT s.is_full AND s.acknowledged_at >= coalesce(r.reopened_at, s.acknowledged_at) THEN 2
        END) AS state,
        any_value(status) FILTER (precedence = 1 AND is_over_unknown) AS status_over,
        any_value(first_resolved_at) FILTER (precedence = 1) AS first_resolved_at,
        arg_min(title, precedence) FILTER (is_full AND title IS NOT NULL) AS title,
        arg_min({severity: severity, first: severity_first, worst: severity_max, source: severity_source, vendor: vendor_severity},
            severity_rank * 1000000000::BIGINT + precedence) FILTER (severity_rank IS NOT NULL) AS severity,
        max(last_event_at) AS last_event_at,
        max(updated_at) FILTER (epoch_us(updated_at) <= epoch_us(run.as_of) + 300_000_000) AS changed_at,
        max(updated_at) FILTER (is_full) AS updated_at,
        arg_min(service, precedence) FILTER (is_full AND service IS NOT NULL) AS service,
        arg_min(team, precedence) FILTER (is_full AND team IS NOT NULL) AS team,
        CASE WHEN count(tags) FILTER (is_full) > 1 THEN list_sort(list_distinct(flatten(list(tags) FILTER (is_full AND tags IS NOT NULL))))
            ELSE any_value(tags) FILTER (is_full) END AS tags,
        arg_min(root_cause_category, ticket_first) FILTER (is_full AND root_cause_category IS NOT NULL) AS root_cause_category,
        max(affected_users) FILTER (is_full) AS affected_users,
        max(revenue_impact) FILTER (is_full) AS revenue_impact
    FROM spoken AS s
    CROSS JOIN config.run AS run
    LEFT JOIN reopened AS r ON r.incident_id = s.incident_id
    GROUP BY s.incident_id
)
SELECT
    t.incident_id,
    t.title,
    t.severity.severity AS severity,
    t.severity.first AS severity_first,
    t.severity.worst AS severity_max,
    t.severity.source AS severity_source,
    t.severity.vendor AS vendor_severity,
    CASE
        WHEN s.closed IS NOT NULL THEN 'closed'
        WHEN s.resolved IS NOT NULL THEN 'resolved'
        WHEN t.status_over IS NOT NULL THEN t.status_over
        ELSE coalesce(['detected', 'acknowledged', 'investigating', 'mitigated'][t.state], 'detected')
    END AS status,
    s.occurred.happened_at AS occurred_at,
    s.detected.happened_at AS detected_at,
    s.acknowledged.happened_at AS acknowledged_at,
    s.investigating.happened_at AS investigating_at,
    s.root_cause_found.happened_at AS root_cause_found_at,
    s.mitigated.happened_at AS mitigated_at,
    s.resolved.happened_at AS resolved_at,
    s.closed.happened_at AS closed_at,
    coalesce(CASE WHEN s.resolved IS NOT NULL THEN lasting.first_resolved_at END, t.first_resolved_at) AS first_resolved_at,
    s.occurred.provenance AS occurred_provenance,
    s.detected.provenance AS detected_provenance,
    s.acknowledged.provenance AS acknowledged_provenance,
    s.investigating.provenance AS investigating_provenance,
    s.root_cause_found.provenance AS root_cause_found_provenance,
    s.mitigated.provenance AS mitigated_provenance,
    s.resolved.provenance AS resolved_provenance,
    s.closed.provenance AS closed_provenance,
    s.occurred.source AS occurred_source,
    s.detected.source AS detected_source,
    s.acknowledged.source AS acknowledged_source,
    s.investigating.source AS investigating_source,
    s.root_cause_found.source AS root_cause_found_source,
    s.mitigated.source AS mitigated_source,
    s.resolved.source AS resolved_source,
    s.closed.source AS closed_source,
    -- Of the record that was resolved last, else the primary one; a detection by another record moves the start.
    CASE WHEN NOT lasting.is_over_unknown
        THEN nullif(greatest(lasting.active_us + epoch_us(lasting.detected_at) - epoch_us(s.detected.happened_at), -1), -1) / 6e7 END AS active_minutes,
    t.last_event_at,
    t.changed_at,
    s.resolved IS NOT NULL AND lasting.auto_resolved AS auto_resolved,
    CASE WHEN s.resolved IS NOT NULL THEN lasting.resolution_kind END AS resolution_kind,
    t.service,
    t.team,
    t.tags,
    t.root_cause_category,
    t.affected_users,
    t.revenue_impact,
    t.updated_at
FROM told AS t
JOIN stamped AS s ON s.incident_id = t.incident_id
JOIN spoken AS lasting ON lasting.incident_id = t.incident_id AND lasting.precedence = coalesce(s.resolved.precedence, 1)
