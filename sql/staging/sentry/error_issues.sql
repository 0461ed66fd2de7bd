/*
description = """Issues of Sentry and servers with its API, as they were seen last. Whether nothing handled one is what was seen first, because the
vendor's flag is about the latest event."""
like = "staging.error_issues"
yields = "error_issues"
not_null = ["source", "external_id", "updated_at"]
unique = [["external_id"]]

[columns]
source = "="
external_id = "="
key = "="
title = "="
url = "="
level = "="
status = "="
substatus = "="
service = "="
team = "name of the owning team: of the tag that the configuration names, else the assigned one, else the only one of the project"
environment = "="
events = "="
users = "="
is_unhandled = "="
first_seen_at = "="
last_seen_at = "="
first_release = "="
last_release = "="
resolved_in_release = "="
assigned = "="
tags = "="
updated_at = "="
landed_in = "="
*/
WITH newest AS (
    SELECT *
    FROM raw.${source}_issues
    QUALIFY row_number() OVER (PARTITION BY external_id ORDER BY read_at DESC) = 1
),
ever AS (
    SELECT
        external_id,
        least(min(first_seen_at), min(shown_first_seen_at)) AS first_seen_at,
        max(last_seen_at) AS last_seen_at,
        arg_min(is_unhandled, read_at) AS is_unhandled,
        arg_max(first_release, read_at) AS first_release,
        arg_max(last_release, read_at) AS last_release,
        nullif(arg_max(service, read_at), '') AS service,
        nullif(arg_max(team, read_at), '') AS team
    FROM raw.${source}_issues
    GROUP BY external_id
)
SELECT
    '${source}' AS source,
    n.external_id,
    n.key,
    n.title,
    web_link(n.url) AS url,
    n.level,
    CASE s.state WHEN 'over' THEN 'resolved' WHEN 'archived' THEN 'archived' WHEN 'open' THEN 'unresolved' END AS status,
    n.substatus,
    coalesce(e.service, o.service) AS service,
    coalesce(e.team, CASE WHEN n.assigned = 'team' THEN n.assigned_team END, o.team) AS team,
    n.environment,
    n.events,
    n.users,
    e.is_unhandled,
    e.first_seen_at,
    e.last_seen_at,
    coalesce(first.version, e.first_release) AS first_release,
    coalesce(latest.version, e.last_release) AS last_release,
    coalesce(fix.version, n.resolved_in_release) AS resolved_in_release,
    CASE WHEN n.assigned IN ('user', 'team') THEN n.assigned END AS assigned,
    list_filter(['priority:' || n.priority, 'project:' || n.project], lambda tag: tag IS NOT NULL) AS tags,
    n.read_at AS updated_at,
    n.landed_in
FROM newest AS n
JOIN ever AS e ON e.external_id = n.external_id
LEFT JOIN staging.${source}_states AS s ON s.external_id = n.external_id AND s.read_at = n.read_at
LEFT JOIN staging.${source}_owners AS o ON o.project = n.project
LEFT JOIN staging.${source}_versions AS first ON first.release = e.first_release
LEFT JOIN staging.${source}_versions AS latest ON latest.release = e.last_release
LEFT JOIN staging.${source}_versions AS fix ON fix.release = n.resolved_in_release
ANTI JOIN staging.${source}_deletions AS d ON d.external_id = n.external_id
