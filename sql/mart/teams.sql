/*
description = "Every team that an incident, a vendor's list of teams or the configuration names."
published = true
not_null = ["team", "services", "incidents"]
unique = [["team"]]

[columns]
team = "name of the team, with one spelling"
sources = "where the team is named: configuration and sources"
services = "services that the team owns"
incidents = "incidents of the whole history, without duplicates and non-incidents"
*/
WITH named AS (
    SELECT t.source AS origin, n.name AS team
    FROM (SELECT source, name FROM staging.teams UNION ALL SELECT 'configuration', team FROM config.services) AS t
    JOIN core.names AS n ON n.kind = 'team' AND n.written = t.name
    UNION ALL
    SELECT source, team FROM core.vendor_records
),
counted AS (
    SELECT team, count(*) AS incidents
    FROM core.incidents
    WHERE is_counted
    GROUP BY team
),
owned AS (
    SELECT team, count(*) AS services FROM mart.services GROUP BY team
)
SELECT
    n.team,
    list(DISTINCT n.origin ORDER BY n.origin) AS sources,
    coalesce(max(o.services), 0) AS services,
    coalesce(max(c.incidents), 0) AS incidents
FROM named AS n
LEFT JOIN owned AS o ON o.team = n.team
LEFT JOIN counted AS c ON c.team = n.team
WHERE n.team IS NOT NULL
GROUP BY n.team
ORDER BY n.team
