/*
description = """Exact sums over the phases of the model in force, per scope and window (whole history, last 30 days), and how many incidents
reach the levels of the scope. They count the same incidents as phase_breakdown for the basic variant: the matched ones without its
outliers. Negative durations are left out."""
like = "figures.phase_sums"
view = true
not_null = ["phase_model", "scope", "scope_value", "window_name", "phase", "n", "total_us"]
unique = [["scope", "scope_value", "window_name", "phase"]]

[columns]
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
window_name = "="
phase = "detection, acknowledgment, investigation, mitigation, resolution (lifecycle only) or closure"
place = "="
n = "="
total_us = "="
paged_n = "="
paged_us = "="
warning_us = "="
critical_us = "="
n_at_warning = "="
n_at_critical = "="
avoidable_us = "time spent above the warning level; NULL for phases without levels"
*/
SELECT
    model.phase_model,
    m.scope,
    m.scope_value,
    s.window_name,
    s.phase,
    s.place,
    s.n,
    s.total_us,
    s.paged_n,
    s.paged_us,
    s.warning_us,
    s.critical_us,
    s.n_at_warning,
    s.n_at_critical,
    CASE WHEN s.warning_us IS NOT NULL THEN s.avoidable_us END AS avoidable_us
FROM figures.phase_sums AS s
JOIN core.scope_members AS m ON m.member_id = s.member_id
CROSS JOIN core.phase_model AS model
WHERE s.calculation_type = 'all matched' AND s.place IS NOT NULL
