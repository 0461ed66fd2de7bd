/*
description = """Every matched incident once per variant, with the population it falls in and what survival statistics see of
it: the narrow table that all nightly statistics are made of. The macro mttr_population gives analysts the same."""
depends = ["core.incidents"]
not_null = ["calculation_type", "incident_no", "severity_id", "service_id", "team_id", "population", "started_us"]
unique = [["calculation_type", "incident_no"]]

[assert]
analysed_has_a_duration = "population NOT IN ('analysed', 'outlier') OR observed_us >= 0"

[columns]
calculation_type = "basic, service_restore, full_recovery or a configured variant"
incident_no = "incident, as in matched"
severity_id = "member_id of its severity in scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "microseconds since 1970 of the instant that decides the window"
population = "missing_start, open, missing_end, invalid, outlier or analysed"
observed_us = "microseconds it was observed: the duration from the variant's start to its end where it is analysed or an outlier, until as_of while open (0 where the start is a little later, by skewed clocks); NULL when it cannot be observed"
timeout_us = "microseconds until the timeout, where that resolved it before the variant's end; else NULL"
is_event = "whether the observation ended in a recovery; open ones and resolves by a timeout are censored. NULL with observed_us"
*/
WITH spans AS (
    SELECT
        v.calculation_type, i.incident_no, i.severity_id, i.service_id, i.team_id, i.started_us,
        i.by_timeout AND v.end_stamp IN ('resolved_at', 'closed_at') AS is_timeout, i.resolved_us,
        CASE v.start_place WHEN 1 THEN i.occurred_us WHEN 2 THEN i.detected_us WHEN 3 THEN i.acknowledged_us
            WHEN 4 THEN i.investigating_us WHEN 5 THEN i.root_cause_found_us WHEN 6 THEN i.mitigated_us
            WHEN 7 THEN i.resolved_us ELSE i.closed_us END AS start_us,
        CASE v.end_place WHEN 1 THEN i.occurred_us WHEN 2 THEN i.detected_us WHEN 3 THEN i.acknowledged_us
            WHEN 4 THEN i.investigating_us WHEN 5 THEN i.root_cause_found_us WHEN 6 THEN i.mitigated_us
            WHEN 7 THEN i.resolved_us ELSE i.closed_us END AS end_us,
        coalesce(
            i.closed_us,
            CASE WHEN v.end_place <= 7 THEN i.resolved_us END,
            CASE WHEN v.end_place <= 6 THEN i.mitigated_us END,
            CASE WHEN v.end_place <= 5 THEN i.root_cause_found_us END,
            CASE WHEN v.end_place <= 4 THEN i.investigating_us END,
            CASE WHEN v.end_place <= 3 THEN i.acknowledged_us END,
            CASE WHEN v.end_place <= 2 THEN i.detected_us END,
            CASE WHEN v.end_place <= 1 THEN i.occurred_us END
        ) AS later_us -- one of the stamps at or after the end's place in life; which of them does not matter
    FROM facts.matched AS i
    CROSS JOIN config.variants AS v
),
placed AS (
    SELECT s.*, epoch_us(run.as_of) AS as_of_us,
        population_of(s.start_us, s.end_us, s.later_us, run.outliers_excluded, run.outlier_hours) AS population
    FROM spans AS s
    CROSS JOIN config.run AS run
)
SELECT
    -- This and the population are small numbers in storage: every statistic asks for them several times per row.
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
        WHEN population IN ('analysed', 'outlier') THEN NOT is_timeout
        WHEN population = 'open' THEN false
    END AS is_event
FROM placed
