/*
description = """The fixes of issues of error trackers, one row per issue and episode that has one. The fix is the first production deploy of the version
that is said to resolve the issue, if production ran it first since the episode began; else the first production deploy of its service since the episode began whose title, commits or notes
name the issue; else the resolve. It is confirmed by the first 30 minutes without events after it, ineffective if there is a new event of its
version or of a later one, pending until one of the two is known, unknown where events came after it and nothing says of which
version. A version is later if production ran it later; after a resolve without a deploy, only versions that production ran first after it are.
Vendors count per hour or day: a period without events proves 30 quiet minutes in it, one with events says nothing of where they lie in it. So
confirmed_at is the latest time at which they were over, and confirmed_not_before the earliest; both are the same where the last event was
before the fix."""
not_null = ["source", "external_id", "episode", "fix_at", "fix_method", "fix_state"]
unique = [["source", "external_id", "episode"]]

[assert]
known_method = "fix_method IN ('release', 'commit', 'resolve')"
known_state = "fix_state IN ('confirmed', 'pending', 'ineffective', 'unknown')"
only_confirmed_has_a_time = "(fix_state = 'confirmed') = (confirmed_at IS NOT NULL)"
after_thirty_minutes = "confirmed_at IS NULL OR (confirmed_not_before >= fix_at + INTERVAL 30 MINUTE AND confirmed_at >= confirmed_not_before)"

[columns]
source = "the account"
external_id = "the issue's immutable id"
episode = "its episode, as in error_episodes"
fix_at = "when the fix was out; of a resolve that was only seen between two runs, the later of them. UTC"
fix_method = "release, commit or resolve: what the fix is known by"
fix_deploy_no = "the deploy, as in core.deploys; NULL for a resolve"
fix_state = "confirmed, pending, ineffective or unknown"
confirmed_at = "when 30 minutes without events were over at the latest; NULL unless confirmed. UTC"
confirmed_not_before = "when they were over at the earliest. UTC"
*/
WITH named AS (
    SELECT p.source, p.external_id, p.episode, arg_min(d.deploy_no, (d.finished_at, d.deploy_no)) AS deploy_no
    FROM core.error_episodes AS p
    JOIN core.errors AS e ON e.source = p.source AND e.external_id = p.external_id
    JOIN core.error_mentions AS m ON m.source = p.source AND m.external_id = p.external_id
    JOIN core.deploys AS d ON d.deploy_no = m.deploy_no AND d.service = e.service AND d.is_production
        AND d.status IN ('success', 'rolled_back') AND d.finished_precision <> 'commit' AND d.finished_at >= p.began_at
    LEFT JOIN core.error_episodes AS next ON next.source = p.source AND next.external_id = p.external_id AND next.episode = p.episode + 1
    WHERE NOT coalesce(d.finished_at >= next.began_at, false)
    GROUP BY ALL
),
fixes AS (
    SELECT
        p.source, p.external_id, p.episode, e.service, e.known_until, e.last_seen_at, e.last_release,
        CASE WHEN next.began_by = 'regression' THEN next.began_at END AS next_at, next.began_release AS next_release,
        CASE
            WHEN r.first_ran_at IS NOT NULL THEN 'release'
            WHEN n.deploy_no IS NOT NULL THEN 'commit'
            ELSE 'resolve'
        END AS fix_method,
        CASE fix_method WHEN 'release' THEN r.deploy_no WHEN 'commit' THEN n.deploy_no END AS fix_deploy_no,
        CASE fix_method WHEN 'release' THEN r.first_ran_at WHEN 'commit' THEN d.finished_at ELSE p.resolved_at END AS fix_at,
        CASE fix_method WHEN 'release' THEN [r.release] WHEN 'commit' THEN [release_key(d.version), release_key(d.sha)] ELSE [] END AS fix_releases
    FROM core.error_episodes AS p
    JOIN core.errors AS e ON e.source = p.source AND e.external_id = p.external_id
    LEFT JOIN core.releases AS r ON r.service = e.service AND r.release = release_key(p.resolved_release) AND r.first_ran_at >= p.began_at
    LEFT JOIN named AS n ON n.source = p.source AND n.external_id = p.external_id AND n.episode = p.episode
    LEFT JOIN core.deploys AS d ON d.deploy_no = n.deploy_no
    LEFT JOIN core.error_episodes AS next ON next.source = p.source AND next.external_id = p.external_id AND next.episode = p.episode + 1
    WHERE r.first_ran_at IS NOT NULL OR n.deploy_no IS NOT NULL OR p.resolved_at IS NOT NULL
),
-- The versions of events: later is that of the fix, and what production ran first after it. After a resolve, an earlier one may have it.
numbered AS MATERIALIZED (
    SELECT row_number() OVER () AS fix_no, f.*, v.external_id IS NOT NULL AS has_versions
    FROM fixes AS f
    LEFT JOIN (SELECT DISTINCT source, external_id FROM staging.error_counts WHERE release IS NOT NULL) AS v
        ON v.source = f.source AND v.external_id = f.external_id
),
told AS (
    SELECT f.fix_no, t.release,
        coalesce(list_contains(f.fix_releases, release_key(t.release)) OR ran.first_ran_at >= f.fix_at, false) AS is_later,
        f.fix_method <> 'resolve' AND coalesce(ran.first_ran_at < f.fix_at AND NOT list_contains(f.fix_releases, ran.release), false) AS is_older
    FROM numbered AS f
    JOIN (
        SELECT source, external_id, release FROM staging.error_counts WHERE release IS NOT NULL
        UNION SELECT source, external_id, last_release FROM fixes
        UNION SELECT source, external_id, next_release FROM fixes
    ) AS t ON t.source = f.source AND t.external_id = f.external_id AND t.release IS NOT NULL
    LEFT JOIN core.releases AS ran ON ran.service = f.service AND ran.release = release_key(t.release)
),
-- Without versions, counts say no more than that there were events after the last one that the issue knows of. Few have such: only of these are
-- all periods looked at.
heard AS (
    SELECT f.fix_no
    FROM numbered AS f
    JOIN staging.error_counts AS c ON c.source = f.source AND c.external_id = f.external_id AND c.events > 0 AND c.began_at >= f.fix_at
        AND c.began_at <= f.known_until
    WHERE NOT f.has_versions AND f.last_seen_at <= f.fix_at
    GROUP BY f.fix_no
    UNION ALL
    SELECT fix_no FROM numbered WHERE has_versions
),
-- What was counted since the fix. A period ends when it was read, if that was before its end.
counts AS (
    SELECT f.fix_no, f.fix_at, f.last_seen_at, f.known_until, c.began_at, c.minutes, c.release, c.events, c.read_at
    FROM numbered AS f
    JOIN staging.error_counts AS c ON c.source = f.source AND c.external_id = f.external_id AND c.began_at <= f.known_until
        AND c.began_at > f.fix_at - to_minutes(c.minutes) AND c.read_at > f.fix_at
    SEMI JOIN heard AS h ON h.fix_no = f.fix_no
),
read AS (
    SELECT fix_no, fix_at, last_seen_at, known_until, began_at, minutes, least(began_at + to_minutes(minutes), max(read_at)) AS ended_at,
        coalesce(sum(events) FILTER (release IS NULL), sum(events)) AS events, bool_or(release IS NOT NULL) AS has_versions
    FROM counts
    GROUP BY fix_no, fix_at, last_seen_at, known_until, began_at, minutes
),
versions AS (
    SELECT c.fix_no, c.began_at, c.minutes, sum(c.events) FILTER (t.is_older) AS older, sum(c.events) FILTER (t.is_later) AS later
    FROM counts AS c
    JOIN told AS t ON t.fix_no = c.fix_no AND t.release = c.release
    GROUP BY ALL
),
since AS (
    SELECT r.*, coalesce(v.older, 0) AS older, coalesce(v.later, 0) AS later
    FROM read AS r
    LEFT JOIN versions AS v ON r.has_versions AND v.fix_no = r.fix_no AND v.began_at = r.began_at AND v.minutes = r.minutes
),
-- A day says nothing that its hours do not, where all of them since the fix are counted.
hours AS (
    SELECT d.fix_no, d.began_at
    FROM since AS d
    JOIN since AS h ON h.fix_no = d.fix_no AND h.minutes = 60 AND h.began_at < d.ended_at AND h.ended_at > d.began_at
    WHERE d.minutes = 1440
    GROUP BY d.fix_no, d.began_at
    HAVING sum(epoch_us(least(h.ended_at, d.ended_at)) - epoch_us(greatest(h.began_at, d.began_at, d.fix_at)))
        >= any_value(epoch_us(least(d.ended_at, d.known_until)) - epoch_us(greatest(d.began_at, d.fix_at)))
),
periods AS (
    SELECT s.*,
        -- Whether periods before it leave a gap since the fix.
        s.began_at > coalesce(max(s.ended_at) OVER (
            PARTITION BY s.fix_no ORDER BY s.began_at, s.minutes ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), s.fix_at) AS after_gap
    FROM since AS s
    ANTI JOIN hours AS h ON s.minutes = 1440 AND h.fix_no = s.fix_no AND h.began_at = s.began_at
),
counted AS (
    SELECT
        fix_no,
        bool_or(began_at >= fix_at AND later > 0) AS comes_again,
        bool_or(began_at >= fix_at AND events > 0) AS goes_on,
        -- Whether all that happened up to the last event is counted, and is of older versions.
        bool_and(events <= older AND NOT after_gap) FILTER (began_at <= last_seen_at)
            AND bool_or(events > 0) FILTER (began_at <= last_seen_at AND ended_at > last_seen_at) AS is_all_older,
        min(greatest(began_at, fix_at)) FILTER (events = 0 AND greatest(began_at, fix_at) + INTERVAL 30 MINUTE <= least(ended_at, known_until)) AS quiet_from
    FROM periods
    GROUP BY fix_no
),
judged AS (
    SELECT
        f.*,
        coalesce(c.comes_again, false) OR coalesce(f.last_seen_at > f.fix_at AND l.is_later, false)
            OR coalesce(f.next_at > f.fix_at AND r.is_later, false) AS comes_again,
        coalesce(f.last_seen_at > f.fix_at, true) OR coalesce(c.goes_on, false) OR coalesce(f.next_at > f.fix_at, false) AS goes_on,
        coalesce(c.is_all_older, false) AND NOT coalesce(f.next_at > f.fix_at, false) AS is_all_older,
        least(c.quiet_from, CASE WHEN f.last_seen_at + INTERVAL 30 MINUTE <= f.known_until THEN f.last_seen_at END) AS quiet_from
    FROM numbered AS f
    LEFT JOIN counted AS c ON c.fix_no = f.fix_no
    LEFT JOIN told AS l ON l.fix_no = f.fix_no AND l.release = f.last_release
    LEFT JOIN told AS r ON r.fix_no = f.fix_no AND r.release = f.next_release
)
SELECT
    source, external_id, episode, fix_at, fix_method, fix_deploy_no,
    CASE
        WHEN comes_again THEN 'ineffective'
        WHEN known_until < fix_at + INTERVAL 30 MINUTE THEN 'pending'
        WHEN NOT goes_on THEN 'confirmed'
        WHEN NOT is_all_older THEN 'unknown'
        WHEN quiet_from IS NULL THEN 'pending'
        ELSE 'confirmed'
    END AS fix_state,
    CASE WHEN fix_state = 'confirmed' THEN CASE WHEN goes_on THEN quiet_from ELSE fix_at END + INTERVAL 30 MINUTE END AS confirmed_at,
    CASE WHEN fix_state = 'confirmed' THEN fix_at + INTERVAL 30 MINUTE END AS confirmed_not_before
FROM judged
