/*
description = """The full calendar weeks of the history, Monday to Monday in the reporting time zone. The weeks that the first incident of
the complete history and as_of cut short are left out."""
not_null = ["starts_us", "ends_us"]
unique = [["starts_us"]]

[columns]
starts_us = "first instant of the week, in microseconds since 1970"
ends_us = "first instant after the week, in microseconds since 1970"
*/
WITH span AS (
    SELECT min(p.started_us) AS first_us, epoch_us(run.as_of) AS as_of_us, run.reporting_time_zone AS zone
    FROM config.run AS run
    LEFT JOIN facts.matched AS p ON p.started_us <= epoch_us(run.as_of) AND NOT p.is_before_history
    GROUP BY run.as_of, run.reporting_time_zone
),
mondays AS (
    SELECT first_us, as_of_us, zone, unnest(range(
        date_trunc('week', timezone(zone, make_timestamptz(first_us))),
        timezone(zone, make_timestamptz(as_of_us)),
        INTERVAL 7 DAY
    )) AS monday
    FROM span
),
weeks AS (
    SELECT
        first_us,
        as_of_us,
        epoch_us(timezone(zone, monday)) AS starts_us,
        epoch_us(timezone(zone, monday + INTERVAL 7 DAY)) AS ends_us
    FROM mondays
)
SELECT starts_us, ends_us FROM weeks WHERE starts_us >= first_us AND ends_us <= as_of_us ORDER BY starts_us
