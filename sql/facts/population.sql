/*
description = """Every matched incident once per variant, with its population and its observation for survival statistics. All statistics of
variants are made of this narrow table. The macro mttr_population gives analysts the same."""
depends = ["core.incidents"]
like = "facts.matched"
not_null = ["calculation_type", "incident_no", "severity_id", "service_id", "team_id", "population", "started_us"]
unique = [["calculation_type", "incident_no"]]

[assert]
analysed_has_a_duration = "population NOT IN ('analysed', 'outlier') OR observed_us >= 0"

[columns]
calculation_type = "basic, service_restore, full_recovery or a configured variant"
incident_no = "incident, as in facts.matched"
severity_id = "="
service_id = "="
team_id = "="
started_us = "="
population = "missing_start, open, missing_end, invalid, outlier or analysed"
observed_us = "length of the observation in microseconds: the duration from start to end of the variant for analysed incidents and outliers, the time until as_of for open ones (0 where clock skew puts the start after it); NULL when there is no observation"
timeout_us = "microseconds until the timeout, where a timeout resolved the incident before the end of the variant; else NULL"
is_event = "whether the observation ended in a recovery; open incidents and resolves by a timeout are censored. NULL without an observation, and where survival statistics leave it out because the incident began before the complete history of its source"
*/
WITH spans AS (
    SELECT
        v.calculation_type, i.incident_no, i.severity_id, i.service_id, i.team_id, i.started_us,
        i.is_over, i.is_before_history, i.by_timeout AND v.end_stamp IN ('resolved_at', 'closed_at') AS is_timeout, i.resolved_us,
        v.end_stamp = 'acknowledged_at' AND coalesce(i.acknowledged_us > i.resolved_us, false) AS is_too_late,
        stamp_at(v.start_place, i.occurred_us, i.detected_us, i.acknowledged_us, i.investigating_us, i.root_cause_found_us,
            i.mitigated_us, i.resolved_us, i.closed_us) AS start_us,
        stamp_at(v.end_place, i.occurred_us, i.detected_us, i.acknowledged_us, i.investigating_us, i.root_cause_found_us,
            i.mitigated_us, i.resolved_us, i.closed_us) AS end_us,
        stamp_from(v.end_place, i.occurred_us, i.detected_us, i.acknowledged_us, i.investigating_us, i.root_cause_found_us,
            i.mitigated_us, i.resolved_us, i.closed_us) AS later_us
    FROM facts.matched AS i
    CROSS JOIN config.variants AS v
),
placed AS (
    SELECT s.*, epoch_us(run.as_of) AS as_of_us,
        population_of(s.start_us, s.end_us, s.later_us, run.outliers_excluded, run.outlier_hours, s.is_over,
            s.is_too_late) AS population
    FROM spans AS s
    CROSS JOIN config.run AS run
)
SELECT
    -- As enums, this and the population are small numbers in memory; every statistic reads them several times per row.
    calculation_type::config.variant AS calculation_type,
    incident_no,
    severity_id,
    service_id,
    team_id,
    started_us,
    population::ENUM ('missing_start', 'open', 'missing_end', 'invalid', 'outlier', 'analysed') AS population,
    CASE
        WHEN population IN ('analysed', 'outlier') THEN end_us - start_us
        WHEN population = 'open' THEN greatest(as_of_us - start_us, 0)
    END AS observed_us,
    CASE WHEN population IN ('analysed', 'outlier') AND is_timeout AND resolved_us < end_us THEN greatest(resolved_us - start_us, 0) END
        AS timeout_us,
    CASE
        WHEN is_before_history THEN NULL
        WHEN population IN ('analysed', 'outlier') THEN NOT is_timeout
        WHEN population = 'open' THEN false
    END AS is_event
FROM placed
