/*
description = """The team that owns each service: the configured one, else the vendor's, else the one that most of its records name."""
not_null = ["service", "team"]
unique = [["service"]]

[columns]
service = "name of the service"
team = "the team that owns it"
*/
WITH named AS (
    SELECT n.name AS service, coalesce(n.team, t.name) AS team, 1 AS weight
    FROM staging.services AS s
    JOIN core.names AS n ON n.kind = 'service' AND n.written = s.name
    LEFT JOIN core.names AS t ON t.kind = 'team' AND t.written = s.team
    UNION ALL
    SELECT s.service, t.name, 2
    FROM config.services AS s
    LEFT JOIN core.names AS t ON t.kind = 'team' AND t.written = s.team
    UNION ALL
    SELECT service, team, 0 FROM core.vendor_records WHERE service IS NOT NULL
)
SELECT service, team
FROM named
WHERE team IS NOT NULL
GROUP BY service, team, weight
QUALIFY row_number() OVER (PARTITION BY service ORDER BY weight DESC, count(*) DESC, team) = 1
