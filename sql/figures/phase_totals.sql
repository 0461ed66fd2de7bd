/*
description = """Exact sums over the phases of the model in force, per variant, scope and window (whole history, last 30 days), with
how many incidents reach the levels that hold for the scope. Counted like phase_breakdown: matched incidents without the
outliers of the variant, negative durations left out."""
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "window_name", "phase", "n", "total_us"]
unique = [["calculation_type", "scope", "scope_value", "window_name", "phase"]]

[assert]
levels_nest = "n_at_critical <= n_at_warning AND n_at_warning <= n"

[columns]
calculation_type = "variant whose outliers are left out"
phase_model = "model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member"
window_name = "whole or current, as in core.windows"
phase = "detection, acknowledgment, investigation, mitigation, resolution (lifecycle only) or closure"
place = "order of the phases"
start_place = "place of its first stamp among the eight"
end_place = "place of its last stamp"
n = "incidents with a valid duration"
total_us = "their sum"
warning_us = "warning level of the scope; NULL for phases without one"
critical_us = "critical level of the scope"
n_at_warning = "incidents at or above the warning level"
n_at_critical = "incidents at or above the critical level"
avoidable_us = "time spent above the warning level; NULL for phases without one"
*/
WITH timed AS (
    SELECT
        d.severity_id, d.service_id, d.team_id, o.outlier_of,
        d.started_us >= epoch_us(w.window_start) AND d.started_us < epoch_us(w.window_end) AS is_current,
        d.detection_us, d.acknowledgment_us, d.investigation_us, d.mitigation_us, d.resolution_us, d.closure_us
    FROM figures.phases AS d
    JOIN core.windows AS w ON w.name = 'current'
    LEFT JOIN figures.outliers AS o ON o.incident_no = d.incident_no
),
levels AS (
    SELECT
        member.member_id, t.scope,
        max(coalesce(own.warning_us, t.warning_us)) FILTER (WHERE t.phase = 'detection') AS detection_warning,
        max(coalesce(own.critical_us, t.critical_us)) FILTER (WHERE t.phase = 'detection') AS detection_critical,
        max(coalesce(own.warning_us, t.warning_us)) FILTER (WHERE t.phase = 'acknowledgment') AS acknowledgment_warning,
        max(coalesce(own.critical_us, t.critical_us)) FILTER (WHERE t.phase = 'acknowledgment') AS acknowledgment_critical,
        max(coalesce(own.warning_us, t.warning_us)) FILTER (WHERE t.phase = 'investigation') AS investigation_warning,
        max(coalesce(own.critical_us, t.critical_us)) FILTER (WHERE t.phase = 'investigation') AS investigation_critical,
        max(coalesce(own.warning_us, t.warning_us)) FILTER (WHERE t.phase = 'mitigation') AS mitigation_warning,
        max(coalesce(own.critical_us, t.critical_us)) FILTER (WHERE t.phase = 'mitigation') AS mitigation_critical
    FROM (
        SELECT m.scope, m.scope_value, g.phase, g.warning_us, g.critical_us
        FROM (SELECT DISTINCT scope, scope_value FROM core.thresholds) AS m
        JOIN core.thresholds AS g ON g.scope = 'all'
    ) AS t
    JOIN core.scope_members AS member ON member.scope = t.scope AND member.scope_value = t.scope_value
    LEFT JOIN core.thresholds AS own ON own.scope = t.scope AND own.scope_value = t.scope_value AND own.phase = t.phase
    GROUP BY member.member_id, t.scope
),
-- Everything adds up, so one pass over the incidents makes small groups, and the scopes are sums of those.
fine AS (
    SELECT
        t.severity_id, t.service_id, t.team_id, t.is_current, t.outlier_of,
        threshold_measures(t.detection_us, l.detection_warning, l.detection_critical) AS detection,
        threshold_measures(t.acknowledgment_us, l.acknowledgment_warning, l.acknowledgment_critical) AS acknowledgment,
        threshold_measures(t.investigation_us, l.investigation_warning, l.investigation_critical) AS investigation,
        threshold_measures(t.mitigation_us, l.mitigation_warning, l.mitigation_critical) AS mitigation,
        threshold_measures(t.resolution_us, NULL::BIGINT, NULL::BIGINT) AS resolution,
        threshold_measures(t.closure_us, NULL::BIGINT, NULL::BIGINT) AS closure
    FROM timed AS t
    JOIN levels AS l ON l.scope = 'all'
    GROUP BY t.severity_id, t.service_id, t.team_id, t.is_current, t.outlier_of
),
-- Only the members with levels of their own are counted once more.
own AS (
    SELECT
        l.member_id, t.is_current, t.outlier_of,
        threshold_measures(t.detection_us, l.detection_warning, l.detection_critical) AS detection,
        threshold_measures(t.acknowledgment_us, l.acknowledgment_warning, l.acknowledgment_critical) AS acknowledgment,
        threshold_measures(t.investigation_us, l.investigation_warning, l.investigation_critical) AS investigation,
        threshold_measures(t.mitigation_us, l.mitigation_warning, l.mitigation_critical) AS mitigation,
        threshold_measures(t.resolution_us, NULL::BIGINT, NULL::BIGINT) AS resolution,
        threshold_measures(t.closure_us, NULL::BIGINT, NULL::BIGINT) AS closure
    FROM (SELECT severity_id AS member_id, * FROM timed UNION ALL SELECT service_id, * FROM timed) AS t
    JOIN levels AS l ON l.member_id = t.member_id AND l.scope <> 'all'
    GROUP BY l.member_id, t.is_current, t.outlier_of
),
measured AS (
    SELECT 0 AS member_id, * EXCLUDE (severity_id, service_id, team_id) FROM fine
    UNION ALL
    SELECT team_id, * EXCLUDE (severity_id, service_id, team_id) FROM fine
    UNION ALL
    SELECT severity_id, * EXCLUDE (severity_id, service_id, team_id) FROM fine
    ANTI JOIN levels AS l ON l.member_id = severity_id
    UNION ALL
    SELECT service_id, * EXCLUDE (severity_id, service_id, team_id) FROM fine
    ANTI JOIN levels AS l ON l.member_id = service_id
    UNION ALL
    SELECT * FROM own
),
long AS (
    SELECT
        member_id, is_current, outlier_of,
        unnest([
            {phase: 'detection', m: detection},
            {phase: 'acknowledgment', m: acknowledgment},
            {phase: 'investigation', m: investigation},
            {phase: 'mitigation', m: mitigation},
            {phase: 'resolution', m: resolution},
            {phase: 'closure', m: closure}
        ]) AS p
    FROM measured
),
added AS (
    SELECT
        v.calculation_type, l.member_id, w.window_name, l.p.phase AS phase,
        sum(l.p.m.n)::BIGINT AS n,
        sum(l.p.m.total_us)::HUGEINT AS total_us,
        sum(l.p.m.n_at_warning)::BIGINT AS n_at_warning,
        sum(l.p.m.n_at_critical)::BIGINT AS n_at_critical,
        sum(l.p.m.avoidable_us)::HUGEINT AS avoidable_us
    FROM long AS l
    JOIN config.variants AS v ON NOT coalesce(list_contains(l.outlier_of, v.calculation_type), false)
    JOIN (VALUES ('whole'), ('current')) AS w (window_name) ON w.window_name = 'whole' OR l.is_current
    GROUP BY v.calculation_type, l.member_id, w.window_name, l.p.phase
)
SELECT
    a.calculation_type,
    k.phase_model,
    m.scope,
    m.scope_value,
    a.window_name,
    a.phase,
    k.place,
    k.start_place,
    k.end_place,
    a.n,
    a.total_us,
    coalesce(own.warning_us, general.warning_us) AS warning_us,
    coalesce(own.critical_us, general.critical_us) AS critical_us,
    a.n_at_warning,
    a.n_at_critical,
    CASE WHEN general.warning_us IS NOT NULL THEN a.avoidable_us END AS avoidable_us
FROM added AS a
JOIN core.scope_members AS m ON m.member_id = a.member_id
CROSS JOIN core.phase_model AS model
JOIN config.phases AS k ON k.phase = a.phase AND k.phase_model = model.phase_model
LEFT JOIN core.thresholds AS general ON general.scope = 'all' AND general.phase = a.phase
LEFT JOIN core.thresholds AS own ON own.scope = m.scope AND own.scope_value = m.scope_value AND own.phase = a.phase
    AND own.scope <> 'all'
ORDER BY a.calculation_type, m.scope, m.scope_value, a.window_name, k.place
