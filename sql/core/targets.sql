/*
description = """The time within which an incident should be over: per severity, and per severity and service where a service has
a target of its own. Service names are resolved like those of records."""
not_null = ["severity", "target_us", "at_risk_us"]
unique = [["severity", "service"]]

[assert]
at_risk_comes_first = "at_risk_us <= target_us"

[columns]
severity = "SEV1..SEV4"
service = "service whose own target it is; NULL for the severity's"
target_minutes = "minutes from detected to resolved"
target_us = "the same, exact"
at_risk_us = "a longer duration is at risk: the configured share of the target, rounded down to a microsecond"
*/
WITH named AS (
    SELECT t.severity, coalesce(s.service, trim(t.service)) AS service, t.service AS given, t.minutes
    FROM config.targets AS t
    LEFT JOIN config.services AS s ON s.name = lower(trim(t.service))
),
placed AS (
    -- Given under the service's name and under an alias too, the name counts.
    SELECT *, row_number() OVER (
        PARTITION BY severity, service ORDER BY CASE WHEN given = service THEN 0 ELSE 1 END, given) AS place
    FROM named
)
SELECT
    p.severity,
    p.service,
    p.minutes AS target_minutes,
    round(p.minutes * 6e7)::BIGINT AS target_us,
    -- The share in millionths of a percent: integers, so that a duration of exactly the share is not at risk.
    (round(p.minutes * 6e7)::HUGEINT * round(run.at_risk_pct * 1e6)::BIGINT // 100000000)::BIGINT AS at_risk_us
FROM placed AS p
CROSS JOIN config.run AS run
WHERE p.place = 1
ORDER BY p.severity, p.service NULLS FIRST
