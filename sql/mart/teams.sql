/*
description = "Every team that an incident, a vendor's team list or the configuration names."
published = true
not_null = ["team", "services", "incidents"]
unique = [["team"]]

[columns]
team = "name"
sources = "where it is known from: configuration and sources"
services = "services it owns"
incidents = "incidents of the whole history, without duplicates and non-incidents"
*/
WITH known AS (
    SELECT source AS origin, name AS team FROM staging.teams
    UNION ALL
    SELECT 'configuration', team FROM config.services
    UNION ALL
    SELECT source, team FROM core.records
),
counted AS (
    SELECT team, count(*) AS incidents
    FROM core.incidents
    WHERE duplicate_of IS NULL AND kind = 'incident'
    GROUP BY team
),
owned AS (
    SELECT team, count(*) AS services FROM mart.services GROUP BY team
)
SELECT
    k.team,
    list(DISTINCT k.origin ORDER BY k.origin) AS sources,
    coalesce(max(o.services), 0) AS services,
    coalesce(max(c.incidents), 0) AS incidents
FROM known AS k
LEFT JOIN owned AS o ON o.team = k.team
LEFT JOIN counted AS c ON c.team = k.team
WHERE k.team IS NOT NULL
GROUP BY k.team
ORDER BY k.team
