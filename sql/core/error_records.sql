/*
description = """Issues of error trackers that are records of incidents: with [errors.incidents] enabled, those of its levels that are not archived, and
that are new in a release, unhandled, or affected enough users. New in a release: a production deploy of its service brought out the
version in which it was first seen."""
like = "staging.records"
not_null = ["source", "external_id", "kind"]
unique = [["source", "external_id"]]

[columns]
source = "="
external_id = "="
key = "="
title = "="
url = "="
kind = "always incident"
severity = "by its level; SEV2 by default for an unhandled one of high priority"
severity_source = "always level"
vendor_severity = "the level"
vendor_status = "status and what the vendor adds to it"
status_event = "="
service = "="
team = "="
tags = "="
affected_users = "users that it affected"
dedup_key = "the short id: pages about it carry it"
updated_at = "="
landed_in = "="
*/
SELECT
    e.source,
    e.external_id,
    e.key,
    e.title,
    e.url,
    'incident' AS kind,
    CASE WHEN e.is_unhandled AND e.priority = 'high' THEN least(l.severity, g.urgent) ELSE l.severity END AS severity,
    'level' AS severity_source,
    e.level AS vendor_severity,
    concat_ws(': ', e.status, e.substatus) AS vendor_status,
    CASE e.status WHEN 'resolved' THEN 'resolved' WHEN 'unresolved' THEN 'detected' END AS status_event,
    given.service,
    given.team,
    e.tags,
    e.users AS affected_users,
    e.key AS dedup_key,
    e.updated_at,
    e.landed_in
FROM core.errors AS e
JOIN staging.error_issues AS given ON given.source = e.source AND given.external_id = e.external_id
JOIN config.error_gate AS g ON g.is_open
JOIN config.error_levels AS l ON l.level = e.level AND l.passes
LEFT JOIN core.releases AS r ON r.service = e.service AND r.release = release_key(e.first_release)
WHERE e.status IS DISTINCT FROM 'archived'
    AND ((g.new_in_release AND r.deploy_no IS NOT NULL) OR (g.unhandled AND coalesce(e.is_unhandled, false)) OR coalesce(e.users >= g.users, false))
