/*
description = """Exact sums over the phases of the model in force, per scope and window (whole history, last 30 days), and how many incidents
reach the levels of the scope. They count the same incidents as phase_breakdown for the basic variant: the matched ones without its
outliers. Negative durations are left out."""
not_null = ["phase_model", "scope", "scope_value", "window_name", "phase", "n", "total_us"]
unique = [["scope", "scope_value", "window_name", "phase"]]

[assert]
levels_nest = "n_at_critical <= n_at_warning AND n_at_warning <= n"
pages_are_a_part = "paged_n <= n AND paged_us <= total_us"

[columns]
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
window_name = "whole or current, as in core.windows"
phase = "detection, acknowledgment, investigation, mitigation, resolution (lifecycle only) or closure"
place = "order of the phases"
n = "incidents with a valid duration of the phase"
total_us = "sum of these durations"
paged_n = "those whose acknowledgement comes from a pager; 0 for other phases"
paged_us = "sum of their durations"
warning_us = "warning level of the scope; NULL for phases without levels"
critical_us = "critical level of the scope; NULL for phases without levels"
n_at_warning = "incidents at or above the warning level"
n_at_critical = "incidents at or above the critical level"
avoidable_us = "time spent above the warning level; NULL for phases without levels"
*/
WITH timed AS (
    SELECT
        d.severity_id, d.service_id, d.team_id, d.is_paged,
        d.started_us >= epoch_us(w.window_start) AND d.started_us < epoch_us(w.window_end) AS is_current,
        d.detection_us, d.acknowledgment_us, d.investigation_us, d.mitigation_us, d.resolution_us, d.closure_us
    FROM figures.phases AS d
    JOIN core.windows AS w ON w.name = 'current'
    LEFT JOIN figures.outliers AS o ON o.incident_no = d.incident_no
    WHERE NOT coalesce(list_contains(o.outlier_of, 'basic'), false)
),
-- Every incident once with the levels of the scope all, and again for its severity or service where that has levels of its own.
compared AS (
    SELECT 0::UINTEGER AS level_id, * FROM timed
    UNION ALL
    SELECT severity_id, * FROM timed WHERE severity_id IN (SELECT member_id FROM figures.phase_levels)
    UNION ALL
    SELECT service_id, * FROM timed WHERE service_id IN (SELECT member_id FROM figures.phase_levels)
),
by_group AS (
    SELECT
        c.level_id, c.severity_id, c.service_id, c.team_id, c.is_current, c.is_paged,
        threshold_measures(c.detection_us, l.detection_warning, l.detection_critical) AS detection,
        threshold_measures(c.acknowledgment_us, l.acknowledgment_warning, l.acknowledgment_critical) AS acknowledgment,
        threshold_measures(c.investigation_us, l.investigation_warning, l.investigation_critical) AS investigation,
        threshold_measures(c.mitigation_us, l.mitigation_warning, l.mitigation_critical) AS mitigation,
        threshold_measures(c.resolution_us, NULL::BIGINT, NULL::BIGINT) AS resolution,
        threshold_measures(c.closure_us, NULL::BIGINT, NULL::BIGINT) AS closure
    FROM compared AS c
    JOIN figures.phase_levels AS l ON l.member_id = c.level_id
    GROUP BY c.level_id, c.severity_id, c.service_id, c.team_id, c.is_current, c.is_paged
),
by_member AS (
    SELECT level_id AS member_id, * FROM by_group WHERE level_id <> 0
    UNION ALL
    SELECT * FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM by_group WHERE level_id = 0)
    WHERE member_id = 0 OR member_id NOT IN (SELECT member_id FROM figures.phase_levels)
),
spans AS (
    SELECT
        member_id, is_current, is_paged,
        unnest([
            {phase: 'detection', m: detection},
            {phase: 'acknowledgment', m: acknowledgment},
            {phase: 'investigation', m: investigation},
            {phase: 'mitigation', m: mitigation},
            {phase: 'resolution', m: resolution},
            {phase: 'closure', m: closure}
        ]) AS p
    FROM by_member
),
summed AS (
    SELECT
        s.member_id, w.name AS window_name, s.p.phase AS phase,
        sum(s.p.m.n)::BIGINT AS n,
        sum(s.p.m.total_us)::HUGEINT AS total_us,
        sum(s.p.m.n_at_warning)::BIGINT AS n_at_warning,
        sum(s.p.m.n_at_critical)::BIGINT AS n_at_critical,
        sum(s.p.m.avoidable_us)::HUGEINT AS avoidable_us,
        sum(CASE WHEN s.is_paged AND s.p.phase = 'acknowledgment' THEN s.p.m.n ELSE 0 END)::BIGINT AS paged_n,
        sum(CASE WHEN s.is_paged AND s.p.phase = 'acknowledgment' THEN s.p.m.total_us ELSE 0 END)::HUGEINT AS paged_us
    FROM spans AS s
    JOIN core.windows AS w ON w.name = 'whole' OR (w.name = 'current' AND s.is_current)
    GROUP BY s.member_id, w.name, s.p.phase
)
SELECT
    k.phase_model,
    m.scope,
    m.scope_value,
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
    CASE WHEN general.warning_us IS NOT NULL THEN s.avoidable_us END AS avoidable_us
FROM summed AS s
JOIN core.scope_members AS m ON m.member_id = s.member_id
CROSS JOIN core.phase_model AS model
JOIN config.phases AS k ON k.phase = s.phase AND k.phase_model = model.phase_model
LEFT JOIN core.thresholds AS general ON general.scope = 'all' AND general.phase = s.phase
LEFT JOIN core.thresholds AS own ON own.scope = m.scope AND own.scope_value = m.scope_value AND own.phase = s.phase
    AND own.scope <> 'all'
ORDER BY m.scope, m.scope_value, s.window_name, k.place
