/*
description = "Every service that an incident, a vendor's service list or the configuration names."
published = true
not_null = ["service", "incidents"]
unique = [["service"]]

[columns]
service = "name, after aliases"
team = "owning team: the configured one, else the vendor's, else the one most of its incidents name"
sources = "where it is known from: configuration and sources"
aliases = "other names for it in the configuration"
incidents = "incidents of the whole history, without duplicates and non-incidents"
*/
WITH known AS (
    SELECT coalesce(c.service, n.name) AS service, coalesce(c.team, n.team) AS team, 1 AS weight, n.source AS origin
    FROM staging.services AS n
    LEFT JOIN config.services AS c ON c.name = lower(trim(n.name))
    WHERE n.name IS NOT NULL
    UNION ALL
    SELECT service, team, 2, 'configuration' FROM config.services
    UNION ALL
    SELECT service, team, 0, source FROM core.records WHERE service IS NOT NULL
),
owned AS (
    SELECT service, team, row_number() OVER (PARTITION BY service ORDER BY weight DESC, count(*) DESC, team) AS place
    FROM known
    WHERE team IS NOT NULL
    GROUP BY service, team, weight
),
counted AS (
    SELECT service, count(*) AS incidents
    FROM core.incidents
    WHERE duplicate_of IS NULL AND kind = 'incident'
    GROUP BY service
),
aliased AS (
    SELECT service, list(name ORDER BY name) AS aliases
    FROM config.services
    WHERE name <> lower(service)
    GROUP BY service
)
SELECT
    k.service,
    o.team,
    k.sources,
    a.aliases,
    coalesce(c.incidents, 0) AS incidents
FROM (SELECT service, list(DISTINCT origin ORDER BY origin) AS sources FROM known GROUP BY service) AS k
LEFT JOIN owned AS o ON o.service = k.service AND o.place = 1
LEFT JOIN counted AS c ON c.service = k.service
LEFT JOIN aliased AS a ON a.service = k.service
ORDER BY k.service
