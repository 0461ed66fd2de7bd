/*
description = "Sessions of Sentry releases per day and environment."
like = "staging.release_sessions"
yields = "release_sessions"
not_null = ["source", "version", "sessions", "crashed"]
unique = [["version", "service", "environment", "began_at"]]

[columns]
source = "="
version = "="
service = "="
environment = "="
began_at = "="
sessions = "="
crashed = "="
read_at = "="
*/
SELECT
    '${source}' AS source, v.version, o.service, nullif(s.environment, '') AS environment, s.began_at,
    sum(s.sessions)::BIGINT AS sessions, sum(s.crashed)::BIGINT AS crashed, max(s.read_at) AS read_at
FROM raw.${source}_sessions AS s
JOIN staging.${source}_versions AS v ON v.release = s.external_id
LEFT JOIN raw.${source}_projects AS p ON p.external_id = s.project
LEFT JOIN staging.${source}_owners AS o ON o.project = p.slug
GROUP BY v.version, o.service, nullif(s.environment, ''), s.began_at
