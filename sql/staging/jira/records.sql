/*
description = """Jira issues in the common shape. Severity is the mapped field's, else the priority's; a major incident is at
least SEV2. The vocabulary says which resolutions are false alarms and which are duplicates; the original of a duplicate is the issue it
`duplicates`, else any issue linked by that type."""
like = "staging.records"
yields = "records"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "the account"
external_id = "numeric id of the issue"
key = "issue key"
title = "="
url = "page of the issue; NULL where the issue was read through Atlassian's gateway and web_url does not say where the site is"
kind = "incident, or false_alarm by its resolution"
severity = "="
severity_source = "field, priority or major_incident"
vendor_severity = "="
vendor_status = "="
status_event = "what the status means by the vocabulary, else by its category"
service = "name of the first affected service, or its resource name where no issue says the name; else the component"
team = "mapped field, else the first team among the responders whose name is known"
tags = "="
root_cause_category = "mapped field"
affected_users = "mapped field"
revenue_impact = "mapped field"
duplicate_of_id = "id of the issue that it repeats; NULL when no link says which"
is_duplicate = "whether its resolution says that it is a duplicate"
updated_at = "="
reported_by = "mapped field, else the kind of account of the reporter"
reported_via = "field or reporter"
field_problems = "="
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
        list(DISTINCT field_problem ORDER BY field_problem) FILTER (WHERE field_problem IS NOT NULL) AS field_problems,
        coalesce(bool_or(target = 'major_incident' AND lower(value) NOT IN ('false', 'no', 'none', '0')), false) AS is_major
    FROM staging.${source}_fields
    GROUP BY external_id
),
called AS (
    SELECT external_id, arg_min(responder, place) FILTER (WHERE kind = 'team' AND NOT starts_with(responder, 'ari:')) AS team
    FROM staging.${source}_responders
    GROUP BY external_id
),
judged AS (
    SELECT
        i.*,
        f.* EXCLUDE (external_id, service, team),
        coalesce(s.name, f.service) AS service,
        coalesce(f.team, called.team) AS team,
        resolution.meaning AS resolved_as,
        nullif(state.event_type, 'other') AS status_event,
        coalesce(from_field.severity, from_priority.severity) AS stated_severity,
        CASE WHEN f.is_major THEN least(coalesce(from_field.severity, from_priority.severity, 'SEV2'), 'SEV2')
            ELSE coalesce(from_field.severity, from_priority.severity) END AS judged_severity,
        CASE WHEN from_field.severity IS NOT NULL THEN 'field' WHEN from_priority.severity IS NOT NULL THEN 'priority' END
            AS stated_by,
        list_filter(i.links, lambda l: lower(l.type.name) = 'duplicate') AS duplicates
    FROM staging.${source}_issues AS i
    LEFT JOIN fields AS f ON f.external_id = i.external_id
    LEFT JOIN called ON called.external_id = i.external_id
    LEFT JOIN staging.${source}_services AS s ON s.ari = f.service
    LEFT JOIN staging.${source}_statuses AS state
        ON state.project_key = coalesce(i.project_key, '') AND state.status_id = coalesce(i.status_id, '')
        AND state.name = coalesce(i.status, '')
    LEFT JOIN config.resolutions AS resolution
        ON resolution.source = '${source}' AND resolution.word = normalized(i.resolution)
    LEFT JOIN config.severities AS from_field ON from_field.source = '${source}' AND from_field.word = normalized(f.severity)
    LEFT JOIN config.severities AS from_priority ON from_priority.source = '${source}' AND from_priority.word = normalized(i.priority)
)
SELECT
    '${source}' AS source,
    external_id,
    key,
    title,
    -- An issue that is read through the gateway names that as its address (seen at live sites), and it has no pages.
    coalesce(
        (SELECT web_url FROM config.sources WHERE source = '${source}'),
        CASE WHEN NOT starts_with(site_url, 'https://api.atlassian.com/') THEN site_url END
    ) || '/browse/' || key AS url,
    CASE WHEN resolved_as = 'false_alarm' THEN 'false_alarm' ELSE 'incident' END AS kind,
    judged_severity AS severity,
    CASE WHEN judged_severity IS DISTINCT FROM stated_severity THEN 'major_incident' ELSE stated_by END AS severity_source,
    coalesce(severity, priority) AS vendor_severity,
    status AS vendor_status,
    status_event,
    coalesce(service, component) AS service,
    team,
    labels AS tags,
    root_cause_category,
    affected_users,
    revenue_impact,
    CASE WHEN resolved_as = 'duplicate' THEN coalesce(
        list_filter(duplicates, lambda l: l.outwardIssue.id IS NOT NULL)[1].outwardIssue.id,
        duplicates[1].inwardIssue.id
    ) END AS duplicate_of_id,
    coalesce(resolved_as = 'duplicate', false) AS is_duplicate,
    updated_at,
    coalesce(detected_by, reporter_type) AS reported_by,
    CASE WHEN detected_by IS NOT NULL THEN 'field' WHEN reporter_type IS NOT NULL THEN 'reporter' END AS reported_via,
    field_problems,
    landed_in
FROM judged
