/*
description = "Every service that an incident, a vendor's list of services or the configuration names."
published = true
not_null = ["service", "incidents"]
unique = [["service"]]

[columns]
service = "name of the service, after aliases and with one spelling"
team = "owning team: the configured one, else the vendor's, else the one that most of its incidents name"
sources = "where the service is named: configuration and sources"
aliases = "other names of the service in the configuration"
incidents = "incidents of the whole history, without duplicates and non-incidents"
*/
WITH named AS (
    SELECT n.name AS service, coalesce(n.team, t.name) AS team, 1 AS weight, s.source AS origin
    FROM staging.services AS s
    JOIN core.names AS n ON n.kind = 'service' AND n.written = s.name
    LEFT JOIN core.names AS t ON t.kind = 'team' AND t.written = s.team
    UNION ALL
    SELECT s.service, t.name, 2, 'configuration'
    FROM config.services AS s
    LEFT JOIN core.names AS t ON t.kind = 'team' AND t.written = s.team
    UNION ALL
    SELECT service, team, 0, source FROM core.vendor_records WHERE service IS NOT NULL
),
owned AS (
    SELECT service, team, row_number() OVER (PARTITION BY service ORDER BY weight DESC, count(*) DESC, team) AS place
    FROM named
    WHERE team IS NOT NULL
    GROUP BY service, team, weight
),
counted AS (
    SELECT service, count(*) AS incidents
    FROM core.incidents
    WHERE is_counted
    GROUP BY service
),
aliased AS (
    SELECT service, list(written ORDER BY written) AS aliases
    FROM config.services
    WHERE name <> normalized(service)
    GROUP BY service
)
SELECT
    n.service,
    o.team,
    n.sources,
    a.aliases,
    coalesce(c.incidents, 0) AS incidents
FROM (SELECT service, list(DISTINCT origin ORDER BY origin) AS sources FROM named GROUP BY service) AS n
LEFT JOIN owned AS o ON o.service = n.service AND o.place = 1
LEFT JOIN counted AS c ON c.service = n.service
LEFT JOIN aliased AS a ON a.service = n.service
ORDER BY n.service
