/*
description = """Sessions per service and release in production, in the order of the releases of a service. Sessions of an environment that is not
production, and counts that cannot be (more crashes than sessions), are left out; those of no environment count."""
not_null = ["row_no", "service", "version", "sessions", "crashed"]
unique = [["row_no"], ["service", "version"]]

[columns]
row_no = "number of the row"
service = "service, `unknown` where nothing says it"
version = "version, without the package before an @"
released_at = "when production ran it first, else the first day with sessions of it; NULL when unknown. UTC"
sessions = "sessions"
crashed = "those that crashed"
before_no = "row_no of the release before it, by released_at; NULL for the first one, and where it is unknown"
*/
WITH places AS (
    SELECT p.source, p.environment, coalesce(m.meaning = 'production', false) AS is_production
    FROM (SELECT DISTINCT source, environment FROM staging.release_sessions WHERE environment IS NOT NULL) AS p
    LEFT JOIN config.words AS m ON m.kind = 'environment' AND m.source = p.source AND m.word = normalized(p.environment)
),
counted AS (
    SELECT n.name AS service, short_version(s.version) AS version, min(s.began_at) AS first_day, sum(s.sessions)::BIGINT AS sessions, sum(s.crashed)::BIGINT AS crashed
    FROM staging.release_sessions AS s
    CROSS JOIN config.run AS run
    LEFT JOIN places AS p ON p.source = s.source AND p.environment = s.environment
    LEFT JOIN core.names AS n ON n.kind = 'service' AND n.written = s.service
    WHERE coalesce(p.is_production, true) AND s.crashed BETWEEN 0 AND s.sessions AND coalesce(s.began_at <= run.as_of, true)
    GROUP BY ALL
),
placed AS (
    SELECT row_number() OVER (ORDER BY c.service NULLS FIRST, c.version) - 1 AS row_no, coalesce(c.service, 'unknown') AS service, c.version,
        coalesce(r.first_ran_at, c.first_day) AS released_at, c.sessions, c.crashed
    FROM counted AS c
    LEFT JOIN core.releases AS r ON r.service = c.service AND r.release = release_key(c.version)
    WHERE c.sessions > 0
)
SELECT *, CASE WHEN released_at IS NOT NULL THEN
    lag(row_no) OVER (PARTITION BY service, released_at IS NULL ORDER BY released_at, version) END AS before_no
FROM placed
ORDER BY row_no
