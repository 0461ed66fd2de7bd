/*
description = """Every state in which an issue was seen, one row per issue and pull that saw a new one. Numbers are those of its whole life
where the server says them: what stands at the top of an answer holds for the window that was asked for."""
key = ["external_id", "read_at"]

[columns]
external_id = "id of the issue, unique on the server"
read_at = "when this state was read"
before_at = "when the issue was last known to be in the state before; NULL where it was not known"
key = "short id, such as CHECKOUT-1A2"
title = "title"
url = "page of the issue"
level = "level as sent"
status = "status as sent"
substatus = "what the server adds to the status"
priority = "priority as sent"
is_unhandled = "whether the latest event was handled by nothing"
project = "slug of its project, else its name"
environment = "environment that the pull asked for, where it is one"
service = "most frequent value of the tag that names the service; empty without one, NULL where it was not looked at"
team = "the same of the tag that names the team"
assigned = "user or team; NULL when unassigned"
assigned_team = "name of the assigned team"
events = "events in its whole life"
users = "users in its whole life; a server that tells no lifetime may count none, so its 0 is none"
first_seen_at = "first event in its whole life; NULL where only that of a window is known"
shown_first_seen_at = "first event as shown, perhaps of a window"
last_seen_at = "latest event"
first_release = "version in which it was first seen"
first_short_release = "the same as people see it"
last_release = "version of its latest event"
last_short_release = "the same as people see it"
is_in_next_release = "whether the next release is said to resolve it"
resolved_in_release = "version that is said to resolve it"
is_auto_resolved = "whether its age resolved it"
keys = "keys of tickets of other tools that are linked with it"
urls = "addresses of tickets of other tools that are linked with it"
annotations = "addresses of its annotations"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    text_or_null(id) AS external_id,
    instant(read_at) AS read_at,
    instant(before_at) AS before_at,
    plain_text(record.shortId) AS key,
    plain_text(record.title) AS title,
    plain_text(record.permalink) AS url,
    lower(plain_text(record.level)) AS level,
    lower(plain_text(record.status)) AS status,
    lower(plain_text(record.substatus)) AS substatus,
    lower(plain_text(record.priority)) AS priority,
    try_cast(record.isUnhandled AS BOOLEAN) AS is_unhandled,
    coalesce(plain_text(record.project.slug), plain_text(record.project.name)) AS project,
    plain_text(environment) AS environment,
    trim(service) AS service,
    trim(team) AS team,
    lower(plain_text(record.assignedTo.type)) AS assigned,
    plain_text(record.assignedTo.name) AS assigned_team,
    coalesce(try_cast(record.lifetime.count AS BIGINT), try_cast(record.count AS BIGINT)) AS events,
    CASE WHEN record.lifetime IS NOT NULL THEN coalesce(try_cast(record.lifetime.userCount AS BIGINT), try_cast(record.userCount AS BIGINT))
        ELSE nullif(try_cast(record.userCount AS BIGINT), 0) END AS users,
    coalesce(instant(record.lifetime.firstSeen), CASE WHEN is_whole THEN instant(record.firstSeen) END) AS first_seen_at,
    instant(record.firstSeen) AS shown_first_seen_at,
    coalesce(instant(record.lifetime.lastSeen), instant(record.lastSeen)) AS last_seen_at,
    plain_text(record.firstRelease.version) AS first_release,
    plain_text(record.firstRelease.shortVersion) AS first_short_release,
    plain_text(record.lastRelease.version) AS last_release,
    plain_text(record.lastRelease.shortVersion) AS last_short_release,
    coalesce(try_cast(record.statusDetails.inNextRelease AS BOOLEAN), false) AS is_in_next_release,
    plain_text(record.statusDetails.inRelease) AS resolved_in_release,
    coalesce(try_cast(record.statusDetails.autoResolved AS BOOLEAN), false) AS is_auto_resolved,
    list_filter(list_transform(record.integrationIssues, lambda one: plain_text(one.key)), lambda one: one IS NOT NULL) AS keys,
    list_filter(
        list_concat(
            list_transform(record.sentryAppIssues, lambda one: plain_text(one.webUrl)),
            list_transform(record.integrationIssues, lambda one: plain_text(one.url))),
        lambda one: one IS NOT NULL) AS urls,
    list_filter(list_transform(record.annotations, lambda one: plain_text(one.url)), lambda one: one IS NOT NULL) AS annotations,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id'
        WHEN record IS NULL THEN 'no issue'
        ELSE instant_problem('read_at', read_at, instant(read_at))
    END AS reject_reason,
    landed_in
FROM landed({
    id: 'VARCHAR', read_at: 'VARCHAR', before_at: 'VARCHAR', is_whole: 'BOOLEAN', environment: 'VARCHAR', service: 'VARCHAR', team: 'VARCHAR',
    record: 'STRUCT(shortId VARCHAR, title VARCHAR, permalink VARCHAR, "level" VARCHAR, status VARCHAR, substatus VARCHAR, priority VARCHAR,
        isUnhandled VARCHAR, "count" VARCHAR, userCount VARCHAR, firstSeen VARCHAR, lastSeen VARCHAR,
        lifetime STRUCT("count" VARCHAR, userCount VARCHAR, firstSeen VARCHAR, lastSeen VARCHAR),
        project STRUCT(slug VARCHAR, "name" VARCHAR),
        statusDetails STRUCT(inNextRelease VARCHAR, inRelease VARCHAR, autoResolved VARCHAR),
        assignedTo STRUCT("type" VARCHAR, "name" VARCHAR),
        firstRelease STRUCT("version" VARCHAR, shortVersion VARCHAR), lastRelease STRUCT("version" VARCHAR, shortVersion VARCHAR),
        annotations STRUCT(url VARCHAR)[], integrationIssues STRUCT("key" VARCHAR, url VARCHAR)[], sentryAppIssues STRUCT(webUrl VARCHAR)[])'
})
