/*
description = """Every release that an issue, its history or a session names: as people see it, and when it was live, for issues that it is said
to resolve."""
unique = [["release"]]

[columns]
release = "version"
version = "as people see it: without the name of the package"
live_at = "when its first deploy to production was over, else when it was released or made"
*/
WITH named AS (
    SELECT external_id AS release, NULL AS short FROM raw.${source}_releases
    UNION ALL
    SELECT resolved_in_release, NULL FROM raw.${source}_issues
    UNION ALL
    SELECT release, NULL FROM raw.${source}_issue_activities
    UNION ALL
    SELECT external_id, NULL FROM raw.${source}_sessions
    UNION ALL
    SELECT first_release, first_short_release FROM raw.${source}_issues
    UNION ALL
    SELECT last_release, last_short_release FROM raw.${source}_issues
),
deployed AS (
    SELECT d.release, min(coalesce(d.finished_at, d.created_at)) AS live_at
    FROM raw.${source}_deploys AS d
    LEFT JOIN config.unnamed_environments AS u ON u.source = '${source}'
    JOIN config.environments AS e
        ON e.source = '${source}' AND e.meaning = 'production' AND e.word = normalized(coalesce(d.environment, u.environment))
    GROUP BY d.release
),
each AS (
    SELECT release, max(short) AS short FROM named WHERE release <> '' GROUP BY release
)
SELECT
    n.release,
    coalesce(r.version, n.short, nullif(regexp_extract(n.release, '^[^@]+@(.+)$', 1), ''), n.release) AS version,
    coalesce(d.live_at, r.released_at, r.created_at) AS live_at
FROM each AS n
LEFT JOIN raw.${source}_releases AS r ON r.external_id = n.release
LEFT JOIN deployed AS d ON d.release = n.release
