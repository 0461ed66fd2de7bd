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
SELECT
    t.severity,
    coalesce(s.service, t.service) AS service,
    t.minutes AS target_minutes,
    round(t.minutes * 6e7)::BIGINT AS target_us,
    -- The share in millionths of a percent: integers, so that a duration of exactly the share is not at risk.
    (round(t.minutes * 6e7)::HUGEINT * round(run.at_risk_pct * 1e6)::BIGINT // 100000000)::BIGINT AS at_risk_us
FROM config.targets AS t
LEFT JOIN config.services AS s ON s.name = lower(t.service)
CROSS JOIN config.run AS run
ORDER BY t.severity, coalesce(s.service, t.service) NULLS FIRST
