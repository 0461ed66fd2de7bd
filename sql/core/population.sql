/*
description = """Every matched incident once per variant, with the population it falls in and what survival statistics see of
it: the narrow table that all nightly statistics are made of. The macro mttr_population gives analysts the same."""
depends = ["mart.incidents"]
not_null = ["calculation_type", "incident_id", "population", "started_us"]
unique = [["calculation_type", "incident_id"]]

[assert]
analysed_has_a_duration = "population NOT IN ('analysed', 'outlier') OR duration_us IS NOT NULL"

[columns]
calculation_type = "basic, service_restore, full_recovery or a configured variant"
incident_id = "incident"
severity = "SEV1..SEV4"
service = "service, unknown when there is none"
team = "team, unknown when there is none"
started_us = "microseconds since 1970 of the instant that decides the window"
population = "missing_start, open, missing_end, invalid, outlier or analysed"
duration_us = "microseconds from the variant's start to its end; NULL when there is none or it is negative"
observed_us = "microseconds it was observed: the duration, or until as_of while open; NULL when it cannot be observed"
is_event = "whether the observation ended in a recovery; open ones and resolves by a timeout are censored. NULL with observed_us"
*/
WITH stamped AS (
    SELECT
        incident_id, severity, coalesce(service, 'unknown') AS service, coalesce(team, 'unknown') AS team,
        resolution_kind,
        epoch_us(started_at) AS started_us,
        epoch_us(occurred_at) AS occurred_us,
        epoch_us(detected_at) AS detected_us,
        epoch_us(acknowledged_at) AS acknowledged_us,
        epoch_us(investigating_at) AS investigating_us,
        epoch_us(root_cause_found_at) AS root_cause_found_us,
        epoch_us(mitigated_at) AS mitigated_us,
        epoch_us(resolved_at) AS resolved_us,
        epoch_us(closed_at) AS closed_us
    FROM core.incidents
    WHERE duplicate_of IS NULL AND kind = 'incident'
),
spans AS (
    SELECT
        v.calculation_type, i.incident_id, i.severity, i.service, i.team, i.resolution_kind, v.end_stamp, i.started_us,
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
    FROM stamped AS i
    CROSS JOIN config.variants AS v
),
placed AS (
    SELECT s.*, epoch_us(run.as_of) AS as_of_us,
        population_of(s.start_us, s.end_us, s.later_us, run.outliers_excluded, run.outlier_hours) AS population
    FROM spans AS s
    CROSS JOIN config.run AS run
)
SELECT
    calculation_type,
    incident_id,
    severity,
    service,
    team,
    started_us,
    -- A small number in storage: every statistic asks for it several times per row.
    population::ENUM ('missing_start', 'open', 'missing_end', 'invalid', 'outlier', 'analysed') AS population,
    CASE WHEN end_us >= start_us THEN end_us - start_us END AS duration_us,
    CASE
        WHEN population IN ('analysed', 'outlier') THEN end_us - start_us
        WHEN population = 'open' AND as_of_us >= start_us THEN as_of_us - start_us
    END AS observed_us,
    CASE
        WHEN population IN ('analysed', 'outlier')
            THEN NOT coalesce(resolution_kind = 'timeout' AND end_stamp IN ('resolved_at', 'closed_at'), false)
        WHEN population = 'open' AND as_of_us >= start_us THEN false
    END AS is_event
FROM placed
