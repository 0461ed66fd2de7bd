/*
description = """The time within which an incident should be resolved: per severity, and per severity and service where a service has a
target of its own. Service names are resolved as in core.vendor_records."""
not_null = ["severity", "target_us", "at_risk_us"]
unique = [["severity", "service"]]

[assert]
at_risk_comes_first = "at_risk_us <= target_us"

[columns]
severity = "SEV1 to SEV4"
service = "service that has the target; NULL for the target of the severity"
target_minutes = "minutes from detected to resolved"
target_us = "target_minutes in microseconds"
at_risk_us = "a longer duration is at risk: the configured share of the target, rounded down to a microsecond"
*/
SELECT
    t.severity,
    coalesce(s.service, n.name, t.service) AS service,
    t.minutes AS target_minutes,
    whole_us(t.minutes) AS target_us,
    share_us(t.minutes, run.at_risk_pct) AS at_risk_us
FROM config.targets AS t
LEFT JOIN config.services AS s ON s.name = normalized(t.service)
LEFT JOIN core.names AS n ON n.kind = 'service' AND n.written = t.service
CROSS JOIN config.run AS run
ORDER BY t.severity, coalesce(s.service, n.name, t.service) NULLS FIRST
