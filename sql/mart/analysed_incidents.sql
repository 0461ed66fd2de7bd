/*
description = """For dashboards: every counted incident once per variant, with its minutes, its population and everything that it can be
grouped by. Choose one calculation_type. Statistics cover the rows with the population analysed: their count, their exact sum
of duration_us and so their mean are those of mttr_stats and of the macro mttr. Duplicates and non-incidents have no row. Dates,
weekdays and hours are those of the reporting time zone. In the file of DuckDB it is a view over incidents."""
published = true
view = true
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
SELECT
    calculation_type,
    incident_id,
    CASE WHEN population IN ('analysed', 'outlier') THEN us / 6e7 END AS minutes,
    CASE WHEN population IN ('analysed', 'outlier') THEN us END AS duration_us,
    population,
    source,
    kind,
    severity,
    service,
    team,
    root_cause_category,
    resolution_kind,
    auto_resolved,
    episode,
    reopen_count,
    started_at,
    started_date,
    started_week_date,
    started_month_date,
    started_weekday,
    started_hour,
    resolved_at,
    resolved_date,
    resolved_month_date
FROM (
    SELECT
        *,
        end_us - start_us AS us,
        population_of(start_us, end_us, latest_us, ${outliers_excluded}, ${outlier_hours}, is_over, is_too_late) AS population
    FROM (
        SELECT
            i.*,
            v.calculation_type,
            stamp_at(v.start, occurred_us, detected_us, acknowledged_us, investigating_us, root_cause_found_us, mitigated_us,
                resolved_us, closed_us) AS start_us,
            stamp_at(v.stop, occurred_us, detected_us, acknowledged_us, investigating_us, root_cause_found_us, mitigated_us,
                resolved_us, closed_us) AS end_us,
            stamp_from(v.stop, occurred_us, detected_us, acknowledged_us, investigating_us, root_cause_found_us, mitigated_us,
                resolved_us, closed_us) AS latest_us,
            v.stop = 3 AND coalesce(i.acknowledged_us > i.resolved_us, false) AS is_too_late
        FROM (
            -- Dates are made before the variants multiply the rows.
            SELECT
                * REPLACE (coalesce(service, 'unknown') AS service, coalesce(team, 'unknown') AS team),
                status_is_over(status) AS is_over,
                epoch_us(occurred_at) AS occurred_us,
                epoch_us(detected_at) AS detected_us,
                epoch_us(acknowledged_at) AS acknowledged_us,
                epoch_us(investigating_at) AS investigating_us,
                epoch_us(root_cause_found_at) AS root_cause_found_us,
                epoch_us(mitigated_at) AS mitigated_us,
                epoch_us(resolved_at) AS resolved_us,
                epoch_us(closed_at) AS closed_us,
                started::DATE AS started_date,
                date_trunc('week', started)::DATE AS started_week_date,
                date_trunc('month', started)::DATE AS started_month_date,
                isodow(started)::INTEGER AS started_weekday,
                hour(started)::INTEGER AS started_hour,
                date_trunc('month', resolved_date)::DATE AS resolved_month_date
            FROM (
                SELECT *, local_time(started_at) AS started, local_time(resolved_at)::DATE AS resolved_date
                FROM core.incidents
                WHERE is_counted
            ) AS counted
        ) AS i
        CROSS JOIN (
            SELECT
                calculation_type,
                list_position(stamp_names(), start_stamp) AS start,
                list_position(stamp_names(), end_stamp) AS stop
            FROM (VALUES ${variant_rows}) AS named(calculation_type, start_stamp, end_stamp)
        ) AS v
    ) AS timed
) AS placed
