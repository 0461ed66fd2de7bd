-- Macros that are stored in the published file. The nightly tables are computed with the same macros, so both always agree.
-- ${outlier_hours} and ${outliers_excluded} are the configured outlier rule (168 hours, on), ${variant_names} are the variants.
-- The table macros nest their queries and have no WITH: DuckDB 1.4.0 and 1.4.1 cannot read a stored table macro that has one.

-- The offset of an ISO 8601 text from UTC, in minutes; 0 without an offset.
CREATE OR REPLACE MACRO offset_minutes(text) AS
    60 * coalesce(try_cast(regexp_extract(text, '[T ].*([+-]\d\d):?(\d\d)?$', 1) AS INTEGER), 0)
    + coalesce(try_cast(regexp_replace(text, '^.*[T ].*([+-])\d\d:?(\d\d)$', '\1\2') AS INTEGER), 0);

-- An instant given as TIMESTAMPTZ, TIMESTAMP, DATE or text, in microseconds since 1970. Without an offset it is UTC, whatever the
-- time zone of the session. Anything else is an error. This macro parses texts itself, because versions of DuckDB differ in which
-- texts that are almost ISO 8601 they accept, zone names included.
CREATE OR REPLACE MACRO instant_us(value) AS
    CASE
        WHEN value IS NULL THEN NULL
        WHEN regexp_full_match(value::VARCHAR, '\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?'
                || '([Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?')
            AND try_cast(left(value::VARCHAR, 10) AS DATE) IS NOT NULL
            THEN epoch_us(try_cast(regexp_extract(value::VARCHAR, '^.{10}([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?') AS TIMESTAMP))
                - 60000000::BIGINT * offset_minutes(value::VARCHAR)
        ELSE error('''' || value::VARCHAR || ''' is no instant; write it like 2026-01-31 or 2026-01-31T12:00:00Z')
    END;

-- Sample standard deviation of integers, from n, their sum and the sum of their squares; NULL for n = 1. Up to 128 bits
-- its sums are exact integers; beyond that (millions of durations of years) it uses floating point.
CREATE OR REPLACE MACRO std_dev_of(n, total, squares) AS
    CASE
        WHEN n < 2 THEN NULL
        WHEN n::DOUBLE * squares::DOUBLE < 1e38 THEN sqrt((n * squares - total * total)::DOUBLE / (n::DOUBLE * (n - 1)))
        ELSE sqrt(greatest(squares::DOUBLE - total::DOUBLE * total::DOUBLE / n, 0) / (n - 1))
    END;

-- The shares that the percentile macros ask quantile_disc for. Versions of DuckDB interpolate quantiles with different errors in the
-- last digit. So these macros look up the two values around a percentile, and everything is exact until one division. The ranks of
-- the two values depend on n, but quantile_disc takes constant shares only, and returns the value of rank ceil(n q) for share q.
-- Hence a list of shares: the percentile, one just above it, and ever smaller steps below it, one of which gives the rank before it
-- for any n up to a hundred million. They are decimals, which DuckDB multiplies exactly.
CREATE OR REPLACE MACRO percentile_shares() AS list_sort([0.5, 0.5000000001] || flatten(
    [[p, p + 0.0000000001] || [p - (1::BIGINT << i) * 0.0000000001 for i in range(6, 31)] for p in [0.9, 0.95, 0.99]]
))::DECIMAL(11, 10)[];

-- The value of a rank next to the 50th, 90th, 95th or 99th percentile. Rank 1 is the smallest value. NULLs have no rank.
CREATE OR REPLACE MACRO value_of_rank(value, rank) AS quantile_disc(value, percentile_shares())[
    len([share for share in percentile_shares() if count(value) * share <= rank])];

-- The 50th, 90th, 95th or 99th percentile of whole microseconds, in minutes: linear interpolation at (n - 1) p. An error above a
-- hundred million values, for which the shares are not fine enough: no number is better than a wrong one.
CREATE OR REPLACE MACRO percentile_minutes(us, percent) AS (
    value_of_rank(us, (count(us) - 1) * percent // 100 + 1) * (100 - (count(us) - 1) * percent % 100)
    + value_of_rank(us, (count(us) - 1) * percent // 100 + 2) * ((count(us) - 1) * percent % 100)
) / CASE WHEN count(us) > 100000000 THEN error('a percentile of more than 100,000,000 durations cannot be exact here; filter them')
    ELSE 6e9 END;

-- The result columns of the calculation, from the populations, the analysed durations and those of outliers. A mean is an exact
-- integer sum divided by n. No data is NULL. Minimum and maximum are rounded like the percentiles between them.
CREATE OR REPLACE MACRO measures_of(population, us, outlier_us) AS {
    incidents_matched: count(population),
    incidents_analyzed: count(us),
    incidents_excluded: count(population) - count(us),
    excluded_missing_start: count(population) FILTER (WHERE population = 'missing_start'),
    excluded_missing_end: count(population) FILTER (WHERE population = 'missing_end'),
    excluded_open: count(population) FILTER (WHERE population = 'open'),
    excluded_invalid: count(population) FILTER (WHERE population = 'invalid'),
    excluded_outlier: count(population) FILTER (WHERE population = 'outlier'),
    mean_minutes: sum(us)::DOUBLE / (count(us) * 6e7),
    median_minutes: percentile_minutes(us, 50),
    p90_minutes: percentile_minutes(us, 90),
    p95_minutes: percentile_minutes(us, 95),
    p99_minutes: percentile_minutes(us, 99),
    min_minutes: min(us) * 100 / 6e9,
    max_minutes: max(us) * 100 / 6e9,
    std_dev_minutes: std_dev_of(count(us), sum(us), sum(us::HUGEINT * us)) / 6e7,
    outlier_minutes_share: coalesce(sum(outlier_us), 0)::DOUBLE / nullif(coalesce(sum(us), 0) + coalesce(sum(outlier_us), 0), 0)
};

-- The same, from the population of each incident and its duration in microseconds.
CREATE OR REPLACE MACRO mttr_measures(population, duration_us) AS measures_of(
    population,
    CASE WHEN population = 'analysed' THEN duration_us END,
    CASE WHEN population = 'outlier' THEN duration_us END);

-- The names of the eight stamps in the order of an incident's life.
CREATE OR REPLACE MACRO stamp_names() AS ['occurred_at', 'detected_at', 'acknowledged_at', 'investigating_at',
    'root_cause_found_at', 'mitigated_at', 'resolved_at', 'closed_at'];

-- The eight stamps in that order, in microseconds since 1970.
CREATE OR REPLACE MACRO stamps_us(occurred_at, detected_at, acknowledged_at, investigating_at, root_cause_found_at, mitigated_at,
    resolved_at, closed_at) AS
    [epoch_us(occurred_at), epoch_us(detected_at), epoch_us(acknowledged_at), epoch_us(investigating_at),
        epoch_us(root_cause_found_at), epoch_us(mitigated_at), epoch_us(resolved_at), epoch_us(closed_at)];

-- The stamp at a place among the eight. Of a place that is the same in many rows it takes a tenth of what a list takes.
CREATE OR REPLACE MACRO stamp_at(place, occurred_us, detected_us, acknowledged_us, investigating_us, root_cause_found_us, mitigated_us,
    resolved_us, closed_us) AS
    CASE place WHEN 1 THEN occurred_us WHEN 2 THEN detected_us WHEN 3 THEN acknowledged_us WHEN 4 THEN investigating_us
        WHEN 5 THEN root_cause_found_us WHEN 6 THEN mitigated_us WHEN 7 THEN resolved_us ELSE closed_us END;

-- A stamp at or after a place among the eight; NULL without any.
CREATE OR REPLACE MACRO stamp_from(place, occurred_us, detected_us, acknowledged_us, investigating_us, root_cause_found_us, mitigated_us,
    resolved_us, closed_us) AS
    coalesce(
        closed_us,
        CASE WHEN place <= 7 THEN resolved_us END,
        CASE WHEN place <= 6 THEN mitigated_us END,
        CASE WHEN place <= 5 THEN root_cause_found_us END,
        CASE WHEN place <= 4 THEN investigating_us END,
        CASE WHEN place <= 3 THEN acknowledged_us END,
        CASE WHEN place <= 2 THEN detected_us END,
        CASE WHEN place <= 1 THEN occurred_us END);

-- An instant as a clock in the reporting time zone shows it.
CREATE OR REPLACE MACRO local_time(instant) AS ${local_time};

-- The name of a service or team as it is compared: Unicode NFC, no capitals, no white space, no - and no _; full-width letters are
-- plain ones. `incidents` has one spelling of each name, and a filter may use any other.
CREATE OR REPLACE MACRO folded_name(name) AS coalesce(
    nullif(regexp_replace(replace(lower(nfc_normalize(translate(name, ${wide_letters}, ${plain_letters}))), 'ß', 'ss'), '[\s\p{Z}_-]+', '', 'g'), ''),
    trim(name));

-- Whether an incident of this status is over.
CREATE OR REPLACE MACRO status_is_over(status) AS coalesce(status IN ('resolved', 'closed'), false);

-- The population of an incident: the first that applies. `latest_us` is a stamp at or after the place of the end among the
-- stamps. Without such a stamp the incident is still open for this calculation, unless it is over at a time that nothing says.
-- `is_too_late` says that the end is an acknowledgement after the resolve: nobody waited for that one.
CREATE OR REPLACE MACRO population_of(
    start_us, end_us, latest_us, exclude_outliers, outlier_threshold_hours, is_over, is_too_late
) AS
    CASE
        WHEN start_us IS NULL THEN 'missing_start'
        WHEN end_us IS NULL AND latest_us IS NULL AND NOT is_over THEN 'open'
        WHEN end_us IS NULL THEN 'missing_end'
        WHEN end_us < start_us OR is_too_late THEN 'invalid'
        -- Compared in whole microseconds: 0.7 hours are not exact in floating point.
        WHEN exclude_outliers AND end_us - start_us > round(outlier_threshold_hours::DOUBLE * 3600000000) THEN 'outlier'
        ELSE 'analysed'
    END;

-- Every incident that the calculation matches, with its population: missing_start, open, missing_end, invalid, outlier or analysed.
-- Duplicates and non-incidents are left out. It lists the incidents behind a figure.
CREATE OR REPLACE MACRO mttr_population(
    calculation_type := 'basic', severities := NULL, services := NULL, teams := NULL, start_date := NULL, end_date := NULL,
    exclude_outliers := ${outliers_excluded}, outlier_threshold_hours := ${outlier_hours}, start_stamp := NULL, end_stamp := NULL
) AS TABLE
    SELECT
        incident_id, source, external_id, severity, service, team,
        make_timestamptz(started_us) AS started_at,
        population_of(us[span.start], us[span.stop], list_max(us[span.stop:]), exclude_outliers, outlier_threshold_hours,
            is_over, is_too_late) AS population,
        CASE WHEN us[span.stop] >= us[span.start] AND NOT is_too_late THEN us[span.stop] - us[span.start] END AS duration_us
    FROM (
        SELECT
            i.incident_id, i.source, i.external_id, i.severity, status_is_over(i.status) AS is_over,
            coalesce(i.service, 'unknown') AS service, coalesce(i.team, 'unknown') AS team,
            epoch_us(i.started_at) AS started_us,
            stamps_us(i.occurred_at, i.detected_at, i.acknowledged_at, i.investigating_at, i.root_cause_found_at,
                i.mitigated_at, i.resolved_at, i.closed_at) AS us,
            s.span,
            s.span.stop = 3 AND coalesce(i.acknowledged_at > i.resolved_at, false) AS is_too_late -- the acknowledgement
        FROM incidents AS i
        -- This row exists without incidents too, so that wrong arguments are always an error.
        CROSS JOIN (
            SELECT CASE
                WHEN from_stamp IS NULL OR to_stamp IS NULL OR NOT is_known
                    THEN error('unknown calculation_type ' || coalesce(calculation_type, 'NULL')
                        || '; use ${variant_names}, or name start_stamp and end_stamp')
                WHEN NOT list_contains(known, from_stamp) OR NOT list_contains(known, to_stamp)
                    THEN error('unknown stamp ' || CASE WHEN list_contains(known, from_stamp) THEN to_stamp ELSE from_stamp END
                        || '; use one of ' || array_to_string(known, ', '))
                WHEN from_stamp = to_stamp THEN error('start_stamp and end_stamp are both ' || from_stamp)
                WHEN len(strange) > 0
                    THEN error('unknown severity ' || coalesce(strange[1], 'NULL') || '; use SEV1, SEV2, SEV3 or SEV4')
                WHEN exclude_outliers IS NULL THEN error('exclude_outliers is NULL; use true or false')
                WHEN NOT coalesce(isfinite(outlier_threshold_hours::DOUBLE) AND outlier_threshold_hours > 0, false)
                    THEN error('outlier_threshold_hours is ' || coalesce(outlier_threshold_hours::VARCHAR, 'NULL')
                        || '; use a number of hours above 0')
                ELSE {start: list_position(known, from_stamp), stop: list_position(known, to_stamp),
                    since: instant_us(start_date), until: instant_us(end_date)}
            END AS span
            FROM (
                SELECT
                    coalesce(start_stamp, CASE calculation_type ${variant_starts} END) AS from_stamp,
                    coalesce(end_stamp, CASE calculation_type ${variant_ends} END) AS to_stamp,
                    stamp_names() AS known,
                    -- With two stamps the variant may be NULL or custom. Any other unknown name is an error.
                    coalesce(calculation_type = 'custom' OR CASE calculation_type ${variant_starts} END IS NOT NULL, true)
                        AS is_known,
                    [name for name in (coalesce(severities, [])::VARCHAR[])
                        if coalesce(name NOT IN ('SEV1', 'SEV2', 'SEV3', 'SEV4'), true)] AS strange
            ) AS asked
        ) AS s
        WHERE i.is_counted
            AND (severities IS NULL OR list_contains(severities, i.severity))
            -- Names are few, so they are folded and not the incidents.
            AND (services IS NULL OR coalesce(i.service, 'unknown') IN (
                SELECT n.name FROM (SELECT DISTINCT coalesce(service, 'unknown') AS name FROM incidents) AS n
                WHERE services IS NOT NULL AND list_contains([folded_name(s) for s in (services::VARCHAR[])], folded_name(n.name))))
            AND (teams IS NULL OR coalesce(i.team, 'unknown') IN (
                SELECT n.name FROM (SELECT DISTINCT coalesce(team, 'unknown') AS name FROM incidents) AS n
                WHERE teams IS NOT NULL AND list_contains([folded_name(t) for t in (teams::VARCHAR[])], folded_name(n.name))))
            AND (s.span.since IS NULL OR epoch_us(i.started_at) >= s.span.since)
            AND (s.span.until IS NULL OR epoch_us(i.started_at) < s.span.until)
    ) AS chosen;

-- The calculation: one row.
CREATE OR REPLACE MACRO mttr(
    calculation_type := 'basic', severities := NULL, services := NULL, teams := NULL, start_date := NULL, end_date := NULL,
    exclude_outliers := ${outliers_excluded}, outlier_threshold_hours := ${outlier_hours}, start_stamp := NULL, end_stamp := NULL
) AS TABLE
    SELECT unnest(result) FROM (
        SELECT mttr_measures(population, duration_us) AS result
        FROM mttr_population(calculation_type := calculation_type, severities := severities, services := services, teams := teams,
            start_date := start_date, end_date := end_date, exclude_outliers := exclude_outliers,
            outlier_threshold_hours := outlier_threshold_hours, start_stamp := start_stamp, end_stamp := end_stamp)
    );

-- The first day of the day, week or month in which an instant lies, in the reporting time zone; NULL for anything else.
CREATE OR REPLACE MACRO window_date_of(dimension, instant) AS
    CASE dimension
        WHEN 'day' THEN local_time(instant)::DATE
        WHEN 'week' THEN date_trunc('week', local_time(instant))::DATE
        WHEN 'month' THEN date_trunc('month', local_time(instant))::DATE
    END;

-- The member of a dimension that an incident belongs to: its severity, service or team, or the first day of the day, week or month
-- in which it started, in the reporting time zone.
CREATE OR REPLACE MACRO scope_value_of(dimension, severity, service, team, started_at) AS
    CASE dimension
        WHEN 'severity' THEN severity
        WHEN 'service' THEN service
        WHEN 'team' THEN team
        ELSE strftime(window_date_of(dimension, started_at), '%Y-%m-%d')
    END;

-- The dimensions that mttr_by is asked for: a name, a list of names, or names with commas between them.
CREATE OR REPLACE MACRO dimensions_of(dimension) AS
    [trim(name) for name in string_split(regexp_replace(coalesce(dimension::VARCHAR, 'NULL'), '^\[|\]$', '', 'g'), ',')];

-- The one of these dimensions that is a window; NULL without one.
CREATE OR REPLACE MACRO window_unit_of(dimension) AS
    [name for name in dimensions_of(dimension) if name IN ('day', 'week', 'month')][1];

-- The same dimensions, or an error.
CREATE OR REPLACE MACRO checked_dimensions_of(dimension) AS
    CASE
        WHEN dimensions_of(dimension) = ['']
            THEN error('mttr_by got no dimension; use severity, service, team, day, week or month')
        WHEN len([name for name in dimensions_of(dimension) if name NOT IN ('severity', 'service', 'team', 'day', 'week', 'month')]) > 0
            THEN error('unknown dimension '
                || [name for name in dimensions_of(dimension)
                    if name NOT IN ('severity', 'service', 'team', 'day', 'week', 'month')][1]
                || '; use severity, service, team, day, week or month')
        WHEN len(list_distinct(dimensions_of(dimension))) < len(dimensions_of(dimension))
            THEN error('mttr_by got a dimension twice: ' || array_to_string(dimensions_of(dimension), ', '))
        WHEN len([name for name in dimensions_of(dimension) if name IN ('day', 'week', 'month')]) > 1
            THEN error('mttr_by takes one of day, week and month, not several: ' || array_to_string(dimensions_of(dimension), ', '))
        ELSE dimensions_of(dimension)
    END;

-- The calculation per severity, service, team, day, week or month, or per combination of a list of them. A day, week or month
-- without incidents has a row too, from start_date, else the first matching incident, to end_date, else the last matching
-- incident. No window begins after the time of the run, ${as_of}.
CREATE OR REPLACE MACRO mttr_by(
    dimension,
    calculation_type := 'basic', severities := NULL, services := NULL, teams := NULL, start_date := NULL, end_date := NULL,
    exclude_outliers := ${outliers_excluded}, outlier_threshold_hours := ${outlier_hours}, start_stamp := NULL, end_stamp := NULL
) AS TABLE
    SELECT array_to_string(scope_values, ' / ') AS scope_value, scope_values, window_start, unnest(result)
    FROM (
        SELECT
            [CASE name WHEN 'severity' THEN severity WHEN 'service' THEN service WHEN 'team' THEN team
                ELSE strftime(shown, '%Y-%m-%d') END for name in names] AS scope_values,
            shown AS window_start,
            CASE WHEN shown IS NOT DISTINCT FROM found THEN result ELSE nothing END AS result
        FROM (
            -- One row per combination and window with incidents, and one per empty window between it and the next.
            SELECT
                a.names, a.nothing, g.severity, g.service, g.team, g.found, g.result,
                unnest(CASE
                    WHEN a.unit IS NULL THEN CASE WHEN g.result IS NOT NULL THEN [NULL::DATE] END
                    WHEN g.result IS NOT NULL THEN generate_series(
                        CASE WHEN g.is_first THEN coalesce(a.since, g.earliest) ELSE g.found END,
                        CASE WHEN g.next_found IS NULL THEN greatest(a.until, g.latest) ELSE g.next_found - a.step END,
                        a.step)::DATE[]
                    WHEN len(a.names) = 1 THEN generate_series(a.since, a.until, a.step)::DATE[]
                END) AS shown
            FROM (
                -- This row exists without incidents too, so that a wrong dimension is always an error.
                SELECT
                    checked_dimensions_of(dimension) AS names,
                    window_unit_of(dimension) AS unit,
                    CASE window_unit_of(dimension) WHEN 'day' THEN INTERVAL 1 DAY WHEN 'week' THEN INTERVAL 7 DAY
                        ELSE INTERVAL 1 MONTH END AS step,
                    window_date_of(window_unit_of(dimension), make_timestamptz(instant_us(start_date))) AS since,
                    CASE WHEN instant_us(end_date) IS NOT NULL THEN window_date_of(window_unit_of(dimension),
                        make_timestamptz(least(instant_us(end_date) - 1, instant_us('${as_of}')))) END AS until,
                    mttr_measures(NULL::VARCHAR, NULL::BIGINT) AS nothing
            ) AS a
            LEFT JOIN (
                SELECT
                    *,
                    min(found) OVER () AS earliest,
                    max(found) OVER () AS latest,
                    row_number() OVER (PARTITION BY severity, service, team ORDER BY found) = 1 AS is_first,
                    lead(found) OVER (PARTITION BY severity, service, team ORDER BY found) AS next_found
                FROM (
                    SELECT
                        CASE WHEN list_contains(dimensions_of(dimension), 'severity') THEN severity END AS severity,
                        CASE WHEN list_contains(dimensions_of(dimension), 'service') THEN service END AS service,
                        CASE WHEN list_contains(dimensions_of(dimension), 'team') THEN team END AS team,
                        window_date_of(window_unit_of(dimension), started_at) AS found,
                        mttr_measures(population, duration_us) AS result
                    FROM mttr_population(calculation_type := calculation_type, severities := severities, services := services,
                        teams := teams, start_date := start_date, end_date := end_date, exclude_outliers := exclude_outliers,
                        outlier_threshold_hours := outlier_threshold_hours, start_stamp := start_stamp, end_stamp := end_stamp)
                    GROUP BY 1, 2, 3, 4
                )
            ) AS g ON true
        )
    ) ORDER BY scope_values;
