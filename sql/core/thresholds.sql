/*
description = """The configured warning and critical level of each phase. A service with levels of its own uses those, and so does a
severity; everything else uses the levels of the scope all. Service names are resolved as in core.vendor_records."""
not_null = ["scope", "scope_value", "phase", "warning_us", "critical_us"]
unique = [["scope", "scope_value", "phase"]]

[assert]
ordered = "warning_us <= critical_us"

[columns]
scope = "all, severity or service"
scope_value = "the member; all for the scope all"
phase = "detection, acknowledgment, investigation or mitigation"
warning_minutes = "mean minutes from which the phase is a bottleneck"
critical_minutes = "mean minutes from which it is a critical bottleneck"
warning_us = "warning_minutes in microseconds"
critical_us = "critical_minutes in microseconds"
*/
SELECT
    t.scope,
    coalesce(s.service, n.name, t.scope_value) AS scope_value,
    t.phase,
    t.warning AS warning_minutes,
    t.critical AS critical_minutes,
    round(t.warning * 6e7)::BIGINT AS warning_us,
    round(t.critical * 6e7)::BIGINT AS critical_us
FROM config.thresholds AS t
LEFT JOIN config.services AS s ON t.scope = 'service' AND s.name = normalized(t.scope_value)
LEFT JOIN core.names AS n ON t.scope = 'service' AND n.kind = 'service' AND n.written = t.scope_value
ORDER BY t.scope, coalesce(s.service, n.name, t.scope_value), t.phase
