/*
description = """Exact sums over the phases of the model in force that lie inside a variant, per variant, scope and window (whole history,
last 30 days), and over the variant itself. They count the analysed incidents of the variant. Negative durations are left out. An
incident whose phases together take longer than the variant has stamps out of order: it counts in no phase."""
not_null = ["calculation_type", "member_id", "window_name", "phase", "n", "total_us", "analysed_n", "variant_us"]
unique = [["calculation_type", "member_id", "window_name", "phase"]]

[assert]
a_phase_is_a_part = "n <= analysed_n AND total_us <= variant_us AND measured_us <= variant_us"

[columns]
calculation_type = "variant"
member_id = "member, as in core.scope_members"
window_name = "whole or current, as in core.windows"
phase = "detection, acknowledgment, investigation, mitigation, resolution or closure"
place = "order of the phases; NULL for a phase that the model in force does not have"
n = "analysed incidents with a valid duration of the phase; 0 for phases outside the variant"
total_us = "sum of these durations"
n_at_warning = "incidents at or above the warning level of the scope"
avoidable_us = "time spent above the warning level"
warning_us = "warning level of the scope; NULL for phases without levels"
measured_us = "sum over all phases inside the variant"
analysed_n = "analysed incidents"
variant_us = "sum of their durations"
*/
WITH inside AS ( -- one row per variant
    SELECT
        v.calculation_type,
        coalesce(bool_or(k.phase = 'detection'), false) AS has_detection,
        coalesce(bool_or(k.phase = 'acknowledgment'), false) AS has_acknowledgment,
        coalesce(bool_or(k.phase = 'investigation'), false) AS has_investigation,
        coalesce(bool_or(k.phase = 'mitigation'), false) AS has_mitigation,
        coalesce(bool_or(k.phase = 'resolution'), false) AS has_resolution,
        coalesce(bool_or(k.phase = 'closure'), false) AS has_closure
    FROM config.variants AS v
    CROSS JOIN core.phase_model AS m
    LEFT JOIN config.phases AS k ON k.phase_model = m.phase_model AND k.start_place >= v.start_place AND k.end_place <= v.end_place
    GROUP BY v.calculation_type
),
timed AS (
    SELECT
        p.calculation_type, p.severity_id, p.service_id, p.team_id, p.observed_us,
        p.started_us >= epoch_us(w.window_start) AND p.started_us < epoch_us(w.window_end) AS is_current,
        CASE WHEN x.has_detection AND d.detection_us >= 0 THEN d.detection_us END AS detection_us,
        CASE WHEN x.has_acknowledgment AND d.acknowledgment_us >= 0 THEN d.acknowledgment_us END AS acknowledgment_us,
        CASE WHEN x.has_investigation AND d.investigation_us >= 0 THEN d.investigation_us END AS investigation_us,
        CASE WHEN x.has_mitigation AND d.mitigation_us >= 0 THEN d.mitigation_us END AS mitigation_us,
        CASE WHEN x.has_resolution AND d.resolution_us >= 0 THEN d.resolution_us END AS resolution_us,
        CASE WHEN x.has_closure AND d.closure_us >= 0 THEN d.closure_us END AS closure_us
    FROM facts.population AS p
    JOIN inside AS x ON x.calculation_type = p.calculation_type
    JOIN figures.phases AS d ON d.incident_no = p.incident_no
    JOIN core.windows AS w ON w.name = 'current'
    WHERE p.population = 'analysed'
),
added AS (
    SELECT *, coalesce(detection_us, 0) + coalesce(acknowledgment_us, 0) + coalesce(investigation_us, 0)
            + coalesce(mitigation_us, 0) + coalesce(resolution_us, 0) + coalesce(closure_us, 0) AS phases_us
    FROM timed
),
fitting AS (
    SELECT * REPLACE (
        CASE WHEN phases_us <= observed_us THEN detection_us END AS detection_us,
        CASE WHEN phases_us <= observed_us THEN acknowledgment_us END AS acknowledgment_us,
        CASE WHEN phases_us <= observed_us THEN investigation_us END AS investigation_us,
        CASE WHEN phases_us <= observed_us THEN mitigation_us END AS mitigation_us,
        CASE WHEN phases_us <= observed_us THEN resolution_us END AS resolution_us,
        CASE WHEN phases_us <= observed_us THEN closure_us END AS closure_us)
    FROM added
),
-- Every incident counts once with the levels of the scope all, and again for its severity or service where that has own levels.
levels AS (
    SELECT severity.member_id AS severity_id, service.member_id AS service_id, l.*
    FROM core.scope_members AS severity
    JOIN core.scope_members AS service ON service.scope = 'service'
    JOIN figures.phase_levels AS l ON l.member_id IN (0, severity.member_id, service.member_id)
    WHERE severity.scope = 'severity'
),
by_group AS (
    SELECT
        c.calculation_type, l.member_id AS level_id, c.severity_id, c.service_id, c.team_id, c.is_current,
        count(*) AS analysed_n,
        sum(c.observed_us) AS variant_us,
        phase_measures(c.detection_us, l.detection_warning) AS detection,
        phase_measures(c.acknowledgment_us, l.acknowledgment_warning) AS acknowledgment,
        phase_measures(c.investigation_us, l.investigation_warning) AS investigation,
        phase_measures(c.mitigation_us, l.mitigation_warning) AS mitigation,
        {n: count(c.resolution_us), total_us: sum(c.resolution_us), n_at_warning: 0, avoidable_us: 0::HUGEINT} AS resolution,
        {n: count(c.closure_us), total_us: sum(c.closure_us), n_at_warning: 0, avoidable_us: 0::HUGEINT} AS closure
    FROM fitting AS c
    JOIN levels AS l ON l.severity_id = c.severity_id AND l.service_id = c.service_id
    GROUP BY c.calculation_type, l.member_id, c.severity_id, c.service_id, c.team_id, c.is_current
),
by_member AS (
    SELECT level_id AS member_id, * FROM by_group WHERE level_id <> 0
    UNION ALL
    SELECT * FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM by_group WHERE level_id = 0)
    WHERE member_id = 0 OR member_id NOT IN (SELECT member_id FROM figures.phase_levels)
),
spans AS (
    SELECT
        calculation_type, member_id, is_current, analysed_n, variant_us,
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
        s.calculation_type, s.member_id, w.name AS window_name, s.p.phase AS phase,
        sum(s.p.m.n)::BIGINT AS n,
        coalesce(sum(s.p.m.total_us), 0)::HUGEINT AS total_us,
        sum(s.p.m.n_at_warning)::BIGINT AS n_at_warning,
        coalesce(sum(s.p.m.avoidable_us), 0)::HUGEINT AS avoidable_us,
        sum(s.analysed_n)::BIGINT AS analysed_n,
        sum(s.variant_us)::HUGEINT AS variant_us
    FROM spans AS s
    JOIN core.windows AS w ON w.name = 'whole' OR (w.name = 'current' AND s.is_current)
    GROUP BY s.calculation_type, s.member_id, w.name, s.p.phase
)
SELECT
    s.calculation_type::VARCHAR AS calculation_type,
    s.member_id,
    s.window_name,
    s.phase,
    k.place,
    s.n,
    s.total_us,
    s.n_at_warning,
    s.avoidable_us,
    coalesce(own.warning_us, general.warning_us) AS warning_us,
    sum(s.total_us) OVER (PARTITION BY s.calculation_type, s.member_id, s.window_name)::HUGEINT AS measured_us,
    s.analysed_n,
    s.variant_us
FROM summed AS s
JOIN core.scope_members AS m ON m.member_id = s.member_id
CROSS JOIN core.phase_model AS model
LEFT JOIN config.phases AS k ON k.phase = s.phase AND k.phase_model = model.phase_model
LEFT JOIN core.thresholds AS general ON general.scope = 'all' AND general.phase = s.phase
LEFT JOIN core.thresholds AS own ON own.scope = m.scope AND own.scope_value = m.scope_value AND own.phase = s.phase
    AND own.scope <> 'all'
