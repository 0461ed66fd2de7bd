/*
description = "Every service that an incident, a deploy, a vendor's list of services or the configuration names."
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
    SELECT n.name AS service, s.source AS origin
    FROM staging.services AS s
    JOIN core.names AS n ON n.kind = 'service' AND n.written = s.name
    UNION ALL
    SELECT service, 'configuration' FROM config.services
    UNION ALL
    SELECT DISTINCT service, source FROM core.vendor_records WHERE service IS NOT NULL
    UNION ALL
    SELECT DISTINCT service, source FROM core.deploy_records WHERE service IS NOT NULL
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
LEFT JOIN core.owners AS o ON o.service = n.service
LEFT JOIN counted AS c ON c.service = n.service
LEFT JOIN aliased AS a ON a.service = n.service
ORDER BY n.service
