/*
description = """The warning and critical level of each phase, as configured. The most specific row counts: a service's own for a
service, a severity's own for a severity, else the row of scope all. Service names are resolved like those of records."""
not_null = ["scope", "scope_value", "phase", "warning_us", "critical_us"]
unique = [["scope", "scope_value", "phase"]]

[assert]
ordered = "warning_us <= critical_us"

[columns]
scope = "all, severity or service"
scope_value = "the member; all for scope all"
phase = "detection, acknowledgment, investigation or mitigation"
warning_minutes = "mean from which the phase is a bottleneck"
critical_minutes = "mean from which it is an urgent one"
warning_us = "the same, exact"
critical_us = "the same, exact"
*/
SELECT
    t.scope,
    coalesce(s.service, t.scope_value) AS scope_value,
    t.phase,
    t.warning AS warning_minutes,
    t.critical AS critical_minutes,
    round(t.warning * 6e7)::BIGINT AS warning_us,
    round(t.critical * 6e7)::BIGINT AS critical_us
FROM config.thresholds AS t
LEFT JOIN config.services AS s ON t.scope = 'service' AND s.name = lower(t.scope_value)
ORDER BY t.scope, coalesce(s.service, t.scope_value), t.phase
