/*
description = """The issues of error trackers as of the run, one row per issue: names of services and teams made comparable, instants that cannot be
left out, a state that was read later than as_of not known. Issues that the vendor deleted, and those that were first seen later, are left out."""
like = "staging.error_issues"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "="
external_id = "="
key = "="
title = "="
url = "page at the vendor; NULL where it is no address with http or https"
level = "fatal, error, warning, info or debug; NULL where the vendor has another word"
priority = "="
status = "="
substatus = "="
service = "name of the service as core.names shows it, NULL when unknown"
team = "name of the owning team as core.names shows it, NULL when unknown"
environment = "="
events = "="
users = "="
is_unhandled = "="
first_seen_at = "="
last_seen_at = "="
first_release = "version in which it was first seen, without the package before an @"
last_release = "version of its latest event, without the package"
resolved_in_release = "version that is said to resolve it, without the package; NULL while that is the next release"
assigned = "="
suspect_commits = "="
tags = "="
updated_at = "="
known_until = "until when the issue is known: when its state was read, at most as_of. UTC"
landed_in = "="
*/
SELECT
    e.source,
    e.external_id,
    text_or_null(e.key) AS key,
    e.title,
    web_link(e.url) AS url,
    CASE WHEN lower(trim(e.level)) IN ('fatal', 'error', 'warning', 'info', 'debug') THEN lower(trim(e.level)) END AS level,
    lower(text_or_null(e.priority)) AS priority,
    CASE WHEN is_known AND e.status IN ('unresolved', 'resolved', 'archived') THEN e.status END AS status,
    CASE WHEN is_known THEN lower(text_or_null(e.substatus)) END AS substatus,
    service.name AS service,
    coalesce(service.team, team.name) AS team,
    text_or_null(e.environment) AS environment,
    e.events,
    e.users,
    e.is_unhandled,
    possible_instant(e.first_seen_at, run.as_of) AS first_seen_at,
    possible_instant(e.last_seen_at, run.as_of) AS last_seen_at,
    short_version(e.first_release) AS first_release,
    CASE WHEN is_known THEN short_version(e.last_release) END AS last_release,
    CASE WHEN is_known THEN short_version(e.resolved_in_release) END AS resolved_in_release,
    e.assigned,
    e.suspect_commits,
    e.tags,
    e.updated_at,
    least(e.updated_at, run.as_of) AS known_until,
    e.landed_in
FROM (SELECT *, coalesce(updated_at <= (SELECT as_of + INTERVAL 5 MINUTE FROM config.run), true) AS is_known FROM staging.error_issues) AS e
CROSS JOIN config.run AS run
LEFT JOIN core.names AS service ON service.kind = 'service' AND service.written = e.service
LEFT JOIN core.names AS team ON team.kind = 'team' AND team.written = e.team
ANTI JOIN core.deleted_records AS d ON d.source = e.source AND d.external_id = e.external_id
WHERE NOT coalesce(e.first_seen_at > run.as_of + INTERVAL 5 MINUTE, false)
