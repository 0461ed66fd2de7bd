/*
description = """Every pull, import and reading of the inbox: what it asked for, how it ended, and what became of its records. The records of
a failed pull are not loaded: its data_as_of is that of the last successful pull."""
published = true
not_null = ["source", "run_id", "status"]
unique = [["source", "run_id"]]

[assert]
nothing_is_lost = "records_fetched = records_normalised + duplicates_dropped + quarantined"

[columns]
source = "source of the run; custom for imported records, inbox for received webhook bodies"
run_id = "id of the run that pulled, imported or read the inbox"
started_at = "start of the run. UTC"
finished_at = "end of the run. UTC"
status = "complete, failed, undone (the import was taken back), or interrupted: the run was ended or killed, and a later run resumed its pull"
requests = "HTTP requests, retries included"
records_fetched = "records that a complete pull landed, of every stream; 0 for a failed pull"
records_normalised = "records that became the newest payload of their id"
duplicates_dropped = "repeats of a record within the pull"
quarantined = "records that could not be read"
since = "start of the requested window. UTC"
until = "end of the requested window. UTC"
error = "why the run failed"
data_as_of = "the data of the source is as of this instant after the pull; for a failed pull, as of the last successful one. Never after the clock of the run: a report about the past uses nothing later. UTC"
*/
WITH loaded AS (
    SELECT source, extract_id, sum(normalised) AS normalised, sum(duplicates) AS duplicates, sum(quarantined) AS quarantined
    FROM ops.loads
    GROUP BY source, extract_id
),
-- A run that first completes an unfinished pull of an earlier run pulls the source twice. Both pulls are one row.
runs AS (
    SELECT
        a.source,
        a.run_id,
        min(a.started_at) AS started_at,
        max(a.finished_at) AS finished_at,
        CASE WHEN bool_and(a.status = 'complete') THEN 'complete' WHEN bool_or(a.status = 'failed') THEN 'failed'
            WHEN bool_or(a.status = 'undone') THEN 'undone' ELSE 'interrupted' END AS status,
        sum(a.requests) AS requests,
        sum(a.fetched) AS fetched,
        sum(CASE WHEN a.status = 'complete' THEN l.normalised END) AS normalised,
        sum(CASE WHEN a.status = 'complete' THEN l.duplicates END) AS duplicates,
        sum(CASE WHEN a.status = 'complete' THEN l.quarantined END) AS quarantined,
        min(instant(a.since, 'UTC')) AS since,
        max(instant(a.until, 'UTC')) AS until,
        string_agg(a.error, ' ' ORDER BY a.started_at) AS error,
        max(a.data_as_of) AS data_as_of
    FROM ops.attempts AS a
    LEFT JOIN loaded AS l ON l.source = a.source AND l.extract_id = a.extract_id
    GROUP BY a.source, a.run_id
)
SELECT
    runs.source,
    runs.run_id,
    make_timestamptz(epoch_us(started_at)) AS started_at,
    make_timestamptz(epoch_us(finished_at)) AS finished_at,
    status,
    requests::BIGINT AS requests,
    fetched::BIGINT AS records_fetched,
    coalesce(normalised, 0)::BIGINT AS records_normalised,
    coalesce(duplicates, 0)::BIGINT AS duplicates_dropped,
    coalesce(quarantined, 0)::BIGINT AS quarantined,
    make_timestamptz(epoch_us(since)) AS since,
    make_timestamptz(epoch_us(until)) AS until,
    error,
    make_timestamptz(epoch_us(max(CASE WHEN data_as_of > run.as_of THEN run.as_of ELSE data_as_of END)
        OVER (PARTITION BY source ORDER BY started_at, run_id))) AS data_as_of
FROM runs
CROSS JOIN config.run AS run
ORDER BY source, started_at, run_id
