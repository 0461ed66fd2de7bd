/*
description = """The issues of error trackers, one row per issue: what they are, what class of attention they need, in which order to look at them, what
deploy brought them, which incident they are evidence of, and whether their fix holds. An issue is an incident only where [errors.incidents]
lets it pass (is_incident)."""
published = true
like = "core.errors"
not_null = ["source", "external_id", "is_incident", "episodes", "is_spiking", "is_linked"]
unique = [["source", "external_id"]]

[assert]
known_class = "class IN ('new', 'regression', 'spike', 'ongoing')"
resolved_has_no_class = "status <> 'resolved' OR class IS NULL"
only_unresolved_is_ranked = "(triage_rank IS NOT NULL) = coalesce(status = 'unresolved', false)"
rank_has_a_reason = "(triage_rank IS NULL) = (triage_reason IS NULL)"
confirmed_has_a_time = "coalesce(fix_state = 'confirmed', false) = (fix_confirmed_at IS NOT NULL)"

[columns]
source = "="
external_id = "="
key = "="
service = "="
team = "="
title = "="
level = "="
priority = "="
environment = "="
first_seen_at = "="
last_seen_at = "="
status = "unresolved, resolved or archived, as the vendor says; where it was read after as_of, by its history"
substatus = "="
class = "new (first seen less than 24 hours before as_of), else regression (its episode began with one, or the vendor says so), else spike (is_spiking), else ongoing; NULL once it is resolved, and where its status is unknown"
triage_rank = "1 for what to look at first, among unresolved issues: new ones, spiking ones, affected users, path value, then the earliest first seen; NULL for others"
triage_reason = "why it has its rank, in words; NULL without one"
events = "="
users = "="
is_unhandled = "="
assigned = "="
events_24h = "events in the hours that began in the last 24 hours before as_of; NULL where the vendor keeps no hours of them"
mean_daily_events = "mean events of the last seven whole days before those 24 hours, or of as many as there are; NULL without one"
is_spiking = "whether that mean is at least 5, and the last 24 hours have at least ten times as many"
path_value = "value of the part of the product that it is in, by [errors.path_values]"
first_release = "="
last_release = "="
introduced_by = "deploy_id of the production deploy of its service that brought out its first version; NULL when unknown"
suspect_commit = "the first commit that the vendor suspects; NULL without one"
is_incident = "whether it is a record of an incident itself"
incident_id = "the incident that a link makes it evidence of, or that it is a record of; of several, the one that began last. NULL without one"
is_linked = "whether there is one"
episodes = "how often it began: first seen, regressions, reopenings; 0 where nothing says when"
resolved_at = "when it was resolved last; NULL while it is not, or when nothing says it. UTC"
resolved_not_before = "of a resolve that was only seen between two runs, the earliest time. UTC"
resolved_provenance = "api, or derived where the time is that of a run or of a deploy"
resolved_in_release = "version that is said to resolve it"
fix_state = "of the newest episode with a fix: confirmed, pending, ineffective, or unknown where events after the fix may be of older versions; NULL without a fix"
fix_method = "release, commit or resolve: what the fix is known by"
fix_deploy_id = "deploy_id of the deploy that fixed it; NULL where only the resolve is known"
fix_at = "when the fix was out. UTC"
fix_confirmed_at = "when the first 30 minutes without events after the fix were over, at the latest; NULL unless confirmed. UTC"
fix_confirmed_not_before = "when they were over at the earliest. UTC"
url = "="
updated_at = "="
*/
WITH last AS (
    SELECT *, max(episode) OVER (PARTITION BY source, external_id) AS episodes FROM core.error_episodes QUALIFY is_last
),
fixed AS (
    SELECT * FROM core.error_fixes QUALIFY row_number() OVER (PARTITION BY source, external_id ORDER BY episode DESC) = 1
),
linked AS (
    SELECT e.source, e.external_id, arg_max(e.incident_id, (epoch_us(i.started_at), e.incident_id)) AS incident_id
    FROM core.error_incidents AS e
    JOIN core.incidents AS i ON i.incident_id = e.incident_id
    GROUP BY ALL
),
tagged AS (
    SELECT source, external_id, max(points) AS points
    FROM (SELECT source, external_id, unnest(tags) AS tag FROM core.errors WHERE (SELECT count(*) > 0 FROM config.path_values WHERE kind = 'tag')) AS t
    JOIN config.path_values AS v ON v.kind = 'tag' AND v.name = normalized(t.tag)
    GROUP BY ALL
),
placed AS (
    SELECT n.name AS service, max(v.points) AS points
    FROM config.path_values AS v
    JOIN core.names AS n ON n.kind = 'service' AND n.written = v.name
    WHERE v.kind = 'service'
    GROUP BY n.name
),
told AS (
    SELECT
        e.* EXCLUDE (status),
        coalesce(e.status, CASE WHEN e.updated_at > run.as_of + INTERVAL 5 MINUTE THEN
            CASE WHEN p.resolved_at IS NOT NULL THEN 'resolved' WHEN p.began_at IS NOT NULL THEN 'unresolved' END END) AS status,
        p.episodes, p.began_by, p.resolved_at, p.resolved_not_before, p.resolved_provenance, p.resolved_release,
        a.events_24h, a.mean_daily_events, coalesce(a.is_spiking, false) AS is_spiking,
        greatest(coalesce(t.points, 0), coalesce(v.points, 0)) AS path_value,
        coalesce(epoch_us(run.as_of) - epoch_us(e.first_seen_at) < 86400000000, false) AS is_new,
        coalesce(p.began_by = 'regression' AND p.resolved_at IS NULL, false) OR coalesce(e.substatus = 'regressed', false) AS is_regression
    FROM core.errors AS e
    CROSS JOIN config.run AS run
    LEFT JOIN last AS p ON p.source = e.source AND p.external_id = e.external_id
    LEFT JOIN core.error_activity AS a ON a.source = e.source AND a.external_id = e.external_id
    LEFT JOIN tagged AS t ON t.source = e.source AND t.external_id = e.external_id
    LEFT JOIN placed AS v ON v.service = e.service
),
ranked AS (
    SELECT source, external_id, row_number() OVER (
        ORDER BY is_new DESC, is_spiking DESC, users DESC NULLS LAST, path_value DESC, first_seen_at NULLS LAST, source, external_id) AS triage_rank
    FROM told
    WHERE status = 'unresolved'
)
SELECT
    e.source, e.external_id, e.key, e.service, e.team, e.title, e.level, e.priority, e.environment,
    make_timestamptz(epoch_us(e.first_seen_at)) AS first_seen_at,
    make_timestamptz(epoch_us(e.last_seen_at)) AS last_seen_at,
    e.status, e.substatus,
    CASE
        WHEN e.status IS NULL OR e.status = 'resolved' THEN NULL
        WHEN e.is_new THEN 'new'
        WHEN e.is_regression THEN 'regression'
        WHEN e.is_spiking THEN 'spike'
        ELSE 'ongoing'
    END AS class,
    k.triage_rank,
    CASE WHEN k.triage_rank IS NOT NULL THEN concat_ws(', ',
        CASE WHEN e.is_new THEN 'first seen in the last 24 hours' END,
        CASE WHEN e.is_spiking THEN format('{:,} events in 24 hours, {:.0f} times the daily mean', e.events_24h, e.events_24h / e.mean_daily_events) END,
        CASE e.users WHEN 1 THEN '1 user' WHEN 0 THEN 'no users' ELSE format('{:,} users', e.users) END,
        CASE WHEN e.users IS NULL THEN 'users not counted' END,
        CASE WHEN e.path_value > 0 THEN 'path value ' || format('{:g}', e.path_value) END,
        CASE WHEN NOT e.is_new THEN coalesce('first seen ' || strftime(e.first_seen_at, '%Y-%m-%d'), 'first seen at an unknown time') END) END AS triage_reason,
    e.events, e.users, e.is_unhandled, e.assigned, e.events_24h, e.mean_daily_events, e.is_spiking, e.path_value,
    e.first_release, e.last_release,
    d.deploy_id AS introduced_by,
    e.suspect_commits[1] AS suspect_commit,
    r.external_id IS NOT NULL AS is_incident,
    l.incident_id,
    l.incident_id IS NOT NULL AS is_linked,
    coalesce(e.episodes, 0)::INTEGER AS episodes,
    make_timestamptz(epoch_us(e.resolved_at)) AS resolved_at,
    make_timestamptz(epoch_us(e.resolved_not_before)) AS resolved_not_before,
    e.resolved_provenance,
    coalesce(e.resolved_release, e.resolved_in_release) AS resolved_in_release,
    f.fix_state, f.fix_method, fix.deploy_id AS fix_deploy_id,
    make_timestamptz(epoch_us(f.fix_at)) AS fix_at,
    make_timestamptz(epoch_us(f.confirmed_at)) AS fix_confirmed_at,
    make_timestamptz(epoch_us(f.confirmed_not_before)) AS fix_confirmed_not_before,
    e.url,
    make_timestamptz(epoch_us(e.updated_at)) AS updated_at
FROM told AS e
LEFT JOIN ranked AS k ON k.source = e.source AND k.external_id = e.external_id
LEFT JOIN core.releases AS b ON b.service = e.service AND b.release = release_key(e.first_release)
LEFT JOIN core.deploys AS d ON d.deploy_no = b.deploy_no
LEFT JOIN core.error_records AS r ON r.source = e.source AND r.external_id = e.external_id
LEFT JOIN linked AS l ON l.source = e.source AND l.external_id = e.external_id
LEFT JOIN fixed AS f ON f.source = e.source AND f.external_id = e.external_id
LEFT JOIN core.deploys AS fix ON fix.deploy_no = f.fix_deploy_no
ORDER BY k.triage_rank NULLS LAST, e.last_seen_at DESC NULLS LAST, e.source, e.external_id
