/*
description = """PagerDuty incidents in the common shape. Severity is the priority's, else a mapped custom field's. Without both
it is the urgency's (high SEV1, low SEV3). Names of services and teams are today's, else those the incident carried."""
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "PagerDuty id"
key = "incident number"
title = "="
url = "page of the incident"
kind = "always incident"
severity = "="
severity_source = "priority, field or urgency"
vendor_severity = "="
vendor_status = "="
service = "="
team = "="
root_cause_category = "mapped custom field"
affected_users = "mapped custom field"
revenue_impact = "mapped custom field"
duplicate_of_id = "incident it was merged into"
is_duplicate = "whether it was merged"
dedup_key = "incident_key"
updated_at = "updated_at"
field_problems = "="
reported_by = "mapped custom field, else what triggered the incident"
reported_via = "field, integration or reporter (a person)"
landed_in = "="
*/
WITH fields AS (
    SELECT
        external_id,
        max(value) FILTER (WHERE target = 'severity') AS severity,
        max(value) FILTER (WHERE target = 'service') AS service,
        max(value) FILTER (WHERE target = 'team') AS team,
        max(value) FILTER (WHERE target = 'root_cause_category') AS root_cause_category,
        max(value) FILTER (WHERE target = 'detected_by') AS detected_by,
        max(try_cast(value AS BIGINT)) FILTER (WHERE target = 'affected_users') AS affected_users,
        max(try_cast(value AS DOUBLE)) FILTER (WHERE target = 'revenue_impact') AS revenue_impact,
        list(DISTINCT problem ORDER BY problem) FILTER (WHERE problem IS NOT NULL) AS field_problems
    FROM staging.${source}_fields
    GROUP BY external_id
),
-- A person triggers an incident by hand; everything else is a machine.
triggered AS (
    SELECT incident_id, arg_min(agent_type, (created_at, external_id)) AS agent_type, arg_min(agent_name, (created_at, external_id)) AS agent_name
    FROM raw.${source}_log_entries
    WHERE entry_type = 'trigger' AND agent_type IS NOT NULL
    GROUP BY incident_id
),
named AS (
    SELECT i.*, coalesce(p.name, i.priority_name) AS priority
    FROM staging.${source}_incidents AS i
    LEFT JOIN raw.${source}_priorities AS p ON p.external_id = i.priority_id
),
judged AS (
    SELECT
        n.external_id,
        -- The urgency says nothing about an incident with a word that no map knows: somebody chose that word.
        coalesce(n.priority, f.severity) IS NULL AND n.urgency IN ('high', 'low') AS is_by_urgency,
        coalesce(from_priority.severity, from_field.severity,
            CASE WHEN is_by_urgency THEN CASE n.urgency WHEN 'high' THEN 'SEV1' ELSE 'SEV3' END END) AS severity,
        CASE
            WHEN from_priority.severity IS NOT NULL THEN 'priority'
            WHEN from_field.severity IS NOT NULL THEN 'field'
            WHEN is_by_urgency THEN 'urgency'
        END AS severity_source
    FROM named AS n
    LEFT JOIN fields AS f ON f.external_id = n.external_id
    LEFT JOIN config.severities AS from_priority
        ON from_priority.source = '${source}' AND from_priority.word = normalized(n.priority)
    LEFT JOIN config.severities AS from_field
        ON from_field.source = '${source}' AND from_field.word = normalized(f.severity)
)
SELECT
    '${source}' AS source,
    n.external_id,
    n.incident_number AS key,
    n.title,
    n.html_url AS url,
    'incident' AS kind,
    j.severity,
    j.severity_source,
    coalesce(n.priority, f.severity, n.urgency) AS vendor_severity,
    n.status AS vendor_status,
    coalesce(f.service, s.name, n.service_name) AS service,
    coalesce(f.team, t.name, n.team_name, service_team.name) AS team,
    f.root_cause_category,
    f.affected_users,
    f.revenue_impact,
    n.merged_into AS duplicate_of_id,
    n.merged_into IS NOT NULL AS is_duplicate,
    n.incident_key AS dedup_key,
    n.updated_at,
    f.field_problems,
    coalesce(f.detected_by, CASE WHEN t_entry.agent_type = 'user' THEN 'person' ELSE t_entry.agent_name END) AS reported_by,
    CASE WHEN f.detected_by IS NOT NULL THEN 'field' WHEN t_entry.agent_type = 'user' THEN 'reporter' WHEN t_entry.agent_type IS NOT NULL
        THEN 'integration' END AS reported_via,
    n.landed_in
FROM named AS n
JOIN judged AS j ON j.external_id = n.external_id
LEFT JOIN fields AS f ON f.external_id = n.external_id
LEFT JOIN triggered AS t_entry ON t_entry.incident_id = n.external_id
LEFT JOIN raw.${source}_services AS s ON s.external_id = n.service_id
LEFT JOIN raw.${source}_teams AS t ON t.external_id = n.team_id
LEFT JOIN raw.${source}_teams AS service_team ON service_team.external_id = s.team_id
