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
WITH spans AS (
    SELECT
        v.calculation_type, i.incident_id, i.severity, i.service, i.team, i.resolution_kind, v.end_stamp,
        epoch_us(i.started_at) AS started_us,
        i.us[v.start_place] AS start_us,
        i.us[v.end_place] AS end_us,
        list_max(i.us[v.end_place:]) AS latest_us
    FROM (
        SELECT *, stamps_us(occurred_at, detected_at, acknowledged_at, investigating_at, root_cause_found_at, mitigated_at,
            resolved_at, closed_at) AS us
        FROM core.incidents
        WHERE duplicate_of IS NULL AND kind = 'incident'
    ) AS i
    CROSS JOIN config.variants AS v
),
placed AS (
    SELECT s.*, epoch_us(run.as_of) AS as_of_us,
        population_of(s.start_us, s.end_us, s.latest_us, run.outliers_excluded, run.outlier_hours) AS population
    FROM spans AS s
    CROSS JOIN config.run AS run
)
SELECT
    calculation_type,
    incident_id,
    severity,
    coalesce(service, 'unknown') AS service,
    coalesce(team, 'unknown') AS team,
    started_us,
    population,
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
