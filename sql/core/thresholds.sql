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
WITH named AS (
    SELECT
        t.scope,
        CASE WHEN t.scope = 'service' THEN coalesce(s.service, trim(t.scope_value)) ELSE t.scope_value END AS scope_value,
        t.scope_value AS given,
        t.phase,
        t.warning,
        t.critical
    FROM config.thresholds AS t
    LEFT JOIN config.services AS s ON t.scope = 'service' AND s.name = lower(trim(t.scope_value))
),
placed AS (
    -- Given under the service's name and under an alias too, the name counts.
    SELECT *, row_number() OVER (
        PARTITION BY scope, scope_value, phase ORDER BY CASE WHEN given = scope_value THEN 0 ELSE 1 END, given) AS place
    FROM named
)
SELECT
    scope,
    scope_value,
    phase,
    warning AS warning_minutes,
    critical AS critical_minutes,
    round(warning * 6e7)::BIGINT AS warning_us,
    round(critical * 6e7)::BIGINT AS critical_us
FROM placed
WHERE place = 1
ORDER BY scope, scope_value, phase
