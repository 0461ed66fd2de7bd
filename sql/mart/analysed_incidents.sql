/*
description = """For dashboards: every counted incident once per variant, with its minutes, its population and everything that it can be
grouped by. Choose one calculation_type. Statistics cover the rows with the population analysed: their count, their exact sum
of duration_us and so their mean are those of mttr_stats and of the macro mttr. Duplicates and non-incidents have no row. Dates,
weekdays and hours are those of the reporting time zone."""
published = true
like = "core.incidents"
not_null = ["calculation_type", "incident_id", "population", "source", "kind", "severity", "service", "team", "started_at", "started_date", "started_week_date", "started_month_date", "started_weekday", "started_hour", "episode", "reopen_count", "auto_resolved"]
unique = [["calculation_type", "incident_id"]]

[assert]
analysed_has_minutes = "(population IN ('analysed', 'outlier')) = (minutes IS NOT NULL) AND (minutes IS NULL) = (duration_us IS NULL)"
never_negative = "duration_us >= 0"

[columns]
calculation_type = "basic (detected to resolved), service_restore (detected to mitigated), full_recovery (detected to closed) or a configured variant"
incident_id = "="
minutes = "from the start to the end of the variant, for the populations analysed and outlier; NULL for all others"
duration_us = "the same in whole microseconds, whose sums are exact"
population = "analysed, outlier, open, missing_start, missing_end or invalid"
source = "="
kind = "incident: rows of other kinds do not count"
severity = "="
service = "affected service; `unknown` where there is none"
team = "owning team; `unknown` where there is none"
root_cause_category = "="
resolution_kind = "="
auto_resolved = "="
episode = "="
reopen_count = "="
started_at = "="
started_date = "day of started_at in the reporting time zone"
started_week_date = "Monday of the week of started_at in the reporting time zone"
started_month_date = "first day of the month of started_at in the reporting time zone"
started_weekday = "weekday of started_at in the reporting time zone: 1 is Monday, 7 is Sunday"
started_hour = "hour of started_at in the reporting time zone, 0 to 23"
resolved_at = "="
resolved_date = "day of resolved_at in the reporting time zone; NULL while open"
resolved_month_date = "first day of the month of resolved_at in the reporting time zone; NULL while open"
*/
WITH local AS (
    SELECT
        i.*,
        i.rowid AS incident_no,
        timezone(run.reporting_time_zone, i.started_at) AS started,
        timezone(run.reporting_time_zone, i.resolved_at)::DATE AS resolved_date
    FROM core.incidents AS i
    CROSS JOIN config.run AS run
    WHERE i.duplicate_of IS NULL AND i.kind = 'incident'
)
SELECT
    p.calculation_type::VARCHAR AS calculation_type,
    i.incident_id,
    CASE WHEN p.population IN ('analysed', 'outlier') THEN p.observed_us / 6e7 END AS minutes,
    CASE WHEN p.population IN ('analysed', 'outlier') THEN p.observed_us END AS duration_us,
    p.population::VARCHAR AS population,
    i.source,
    i.kind,
    i.severity,
    coalesce(i.service, 'unknown') AS service,
    coalesce(i.team, 'unknown') AS team,
    i.root_cause_category,
    i.resolution_kind,
    i.auto_resolved,
    i.episode,
    i.reopen_count,
    i.started_at,
    i.started::DATE AS started_date,
    date_trunc('week', i.started)::DATE AS started_week_date,
    date_trunc('month', i.started)::DATE AS started_month_date,
    isodow(i.started)::INTEGER AS started_weekday,
    hour(i.started)::INTEGER AS started_hour,
    i.resolved_at,
    i.resolved_date,
    date_trunc('month', i.resolved_date)::DATE AS resolved_month_date
FROM facts.population AS p
JOIN local AS i USING (incident_no)
ORDER BY p.incident_no, p.calculation_type
