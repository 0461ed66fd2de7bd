/*
description = """Every matched incident once per variant with the population it falls in: the narrow table that the nightly
statistics are made of. The same macro, mttr_population, serves analysts."""
depends = ["mart.incidents"]
not_null = ["calculation_type", "incident_id", "population", "started_us"]
unique = [["calculation_type", "incident_id"]]

[assert]
analysed_has_a_duration = "population NOT IN ('analysed', 'outlier') OR duration_us IS NOT NULL"

[columns]
calculation_type = "basic, service_restore or full_recovery"
incident_id = "incident"
severity = "SEV1..SEV4"
service = "service, unknown when there is none"
team = "team, unknown when there is none"
started_us = "microseconds since 1970 of the instant that decides the window"
population = "missing_start, open, missing_end, invalid, outlier or analysed"
duration_us = "microseconds from the variant's start to its end; NULL when there is none or it is negative"
*/
SELECT 'basic' AS calculation_type, incident_id, severity, service, team, epoch_us(started_at) AS started_us, population, duration_us
FROM mttr_population(calculation_type := 'basic')
UNION ALL
SELECT 'service_restore', incident_id, severity, service, team, epoch_us(started_at), population, duration_us
FROM mttr_population(calculation_type := 'service_restore')
UNION ALL
SELECT 'full_recovery', incident_id, severity, service, team, epoch_us(started_at), population, duration_us
FROM mttr_population(calculation_type := 'full_recovery')
