/*
description = """Exact sums over the phases of the model in force, per set of incidents, scope and window (whole history, last 30 days). The
sets are the analysed incidents of each variant, and all matched incidents but the outliers of basic. Negative durations are left out.
An incident whose phases together take longer than the variant has stamps out of order: it counts in no phase of the variant."""
python = "mttr_pipeline.metrics.phase_sums:compute"
depends = ["figures.phases", "figures.phase_levels", "facts.population", "core.windows", "core.phase_model"]
not_null = ["calculation_type", "member_id", "window_name", "phase", "n", "total_us", "analysed_n", "variant_us"]
unique = [["calculation_type", "member_id", "window_name", "phase"]]

[assert]
levels_nest = "n_at_critical <= n_at_warning AND n_at_warning <= n"
pages_are_a_part = "paged_n <= n AND paged_us <= total_us"

[columns]
calculation_type = "variant, or `all matched` for all matched incidents but the outliers of basic"
member_id = "member, as in core.scope_members"
window_name = "whole or current, as in core.windows"
phase = "detection, acknowledgment, investigation, mitigation, resolution or closure"
place = "order of the phases; NULL for a phase that the model in force does not have"
n = "incidents with a valid duration of the phase; 0 for phases outside the variant"
total_us = "sum of these durations"
paged_n = "those whose acknowledgement comes from a pager; 0 for other phases"
paged_us = "sum of their durations"
warning_us = "warning level of the scope; NULL for phases without levels"
critical_us = "critical level of the scope; NULL for phases without levels"
n_at_warning = "incidents at or above the warning level"
n_at_critical = "incidents at or above the critical level"
avoidable_us = "time spent above the warning level; 0 for phases without levels"
analysed_n = "incidents of the set"
variant_us = "sum of their durations from start to end of the variant; 0 for all matched"
*/
WITH by_member AS (
    SELECT level_id AS member_id, * FROM computed WHERE level_id <> 0
    UNION ALL
    SELECT * FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM computed WHERE level_id = 0)
    WHERE member_id = 0 OR member_id NOT IN (SELECT member_id FROM figures.phase_levels)
),
summed AS (
    SELECT
        s.calculation_type::VARCHAR AS calculation_type, s.member_id::UINTEGER AS member_id, w.name AS window_name,
        s.phase::VARCHAR AS phase,
        sum(s.n)::BIGINT AS n,
        sum(s.total_us)::HUGEINT AS total_us,
        sum(s.paged_n)::BIGINT AS paged_n,
        sum(s.paged_us)::HUGEINT AS paged_us,
        sum(s.n_at_warning)::BIGINT AS n_at_warning,
        sum(s.n_at_critical)::BIGINT AS n_at_critical,
        sum(s.avoidable_us)::HUGEINT AS avoidable_us,
        sum(s.analysed_n)::BIGINT AS analysed_n,
        sum(s.variant_us)::HUGEINT AS variant_us
    FROM by_member AS s
    JOIN core.windows AS w ON w.name = 'whole' OR (w.name = 'current' AND s.is_current)
    GROUP BY s.calculation_type, s.member_id, w.name, s.phase
)
SELECT
    s.calculation_type,
    s.member_id,
    s.window_name,
    s.phase,
    k.place,
    s.n,
    s.total_us,
    s.paged_n,
    s.paged_us,
    coalesce(own.warning_us, general.warning_us) AS warning_us,
    coalesce(own.critical_us, general.critical_us) AS critical_us,
    s.n_at_warning,
    s.n_at_critical,
    s.avoidable_us,
    s.analysed_n,
    s.variant_us
FROM summed AS s
JOIN core.scope_members AS m ON m.member_id = s.member_id
CROSS JOIN core.phase_model AS model
LEFT JOIN config.phases AS k ON k.phase = s.phase AND k.phase_model = model.phase_model
LEFT JOIN core.thresholds AS general ON general.scope = 'all' AND general.phase = s.phase
LEFT JOIN core.thresholds AS own ON own.scope = m.scope AND own.scope_value = m.scope_value AND own.phase = s.phase
    AND own.scope <> 'all'
