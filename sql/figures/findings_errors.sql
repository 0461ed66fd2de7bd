/*
description = """Data quality findings about issues of error trackers: what keeps them from being linked to a deploy, out of episodes and out of
release health. A source without issues and sessions has no row."""
view = true
like = "figures.findings_words"
*/
WITH issues AS (
    SELECT
        e.source, coalesce(e.key, e.title, e.external_id) AS name, e.status, p.is_over_unknown, p.resolved_at, p.began_at, r.first_ran_at,
        epoch_us(r.first_ran_at) - epoch_us(e.first_seen_at) > 3600000000 AS is_early,
        coalesce(p.is_over_unknown OR p.began_at IS NULL, false) OR p.source IS NULL AS is_untold
    FROM core.errors AS e
    LEFT JOIN core.error_episodes AS p ON p.source = e.source AND p.external_id = e.external_id AND p.is_last
    LEFT JOIN core.releases AS r ON r.service = e.service AND r.release = release_key(e.first_release)
),
issue_checks AS (
    SELECT source, unnest([
            {dq_check: 'error_before_its_release', n: count(*) FILTER (is_early), total: count(*) FILTER (is_early IS NOT NULL), level: 'warn',
                meaning: 'errors that were first seen more than 1 hour before production ran their first version: the clock of the sender is wrong, or a deploy is missing',
                examples: (list(name ORDER BY name) FILTER (is_early))[1:5]},
            {dq_check: 'error_resolved_without_time', n: count(*) FILTER (status = 'resolved' AND is_untold), total: count(*) FILTER (status = 'resolved'), level: 'info',
                meaning: 'errors that are resolved, and nothing says since when: their last episode has no end, and they have no fix by a resolve',
                examples: (list(name ORDER BY name) FILTER (status = 'resolved' AND is_untold))[1:5]},
            {dq_check: 'error_open_after_its_resolve', n: count(*) FILTER (status = 'unresolved' AND resolved_at IS NOT NULL),
                total: count(*) FILTER (status = 'unresolved'), level: 'info',
                meaning: 'errors that are unresolved although their history ends with a resolve: what reopened them is not known',
                examples: (list(name ORDER BY name) FILTER (status = 'unresolved' AND resolved_at IS NOT NULL))[1:5]},
            {dq_check: 'error_without_begin', n: count(*) FILTER (began_at IS NULL), total: count(*), level: 'warn',
                meaning: 'errors without a usable time of their first event: they have no episode, and no incident is near them',
                examples: (list(name ORDER BY name) FILTER (began_at IS NULL))[1:5]}
        ]) AS c
    FROM issues
    GROUP BY source
),
environments AS (
    SELECT p.source, p.environment, p.n, m.meaning IS NULL AS is_unmapped
    FROM (
        SELECT source, environment, count(*) AS n
        FROM (
            SELECT source, environment FROM staging.error_issues
            UNION ALL
            SELECT source, environment FROM staging.release_sessions
        )
        WHERE text_or_null(environment) IS NOT NULL
        GROUP BY ALL
    ) AS p
    LEFT JOIN config.words AS m ON m.kind = 'environment' AND m.source = p.source AND m.word = normalized(p.environment)
)
SELECT c.dq_check AS dq_check, source, c.n AS n, c.total AS total, c.level AS level, c.meaning AS meaning, c.examples AS examples
FROM issue_checks WHERE c.total > 0
UNION ALL
SELECT 'error_environment_unmapped', source, coalesce(sum(n) FILTER (is_unmapped), 0)::BIGINT, sum(n)::BIGINT, 'warn',
    'errors and days of sessions in environments that no map contains: these sessions are not of production; name them in [sources.<name>.environment]',
    (list(environment ORDER BY environment) FILTER (is_unmapped))[1:5]
FROM environments
GROUP BY source
UNION ALL
SELECT 'error_sessions_impossible', source, count(*) FILTER (is_odd), count(*), 'warn',
    'counts of sessions of which more crashed than there were, or less than none: they are in no release health', (list(DISTINCT version ORDER BY version) FILTER (is_odd))[1:5]
FROM (SELECT *, NOT coalesce(crashed BETWEEN 0 AND sessions, false) AS is_odd FROM staging.release_sessions)
GROUP BY source
