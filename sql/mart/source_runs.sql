/*
description = """Every pull and import: what was asked, how it ended, and where its records went. Records of a failed pull are
not loaded: data_as_of then is that of the last good one."""
not_null = ["source", "run_id", "status"]
unique = [["source", "run_id"]]

[assert]
nothing_is_lost = "records_fetched = records_normalised + duplicates_dropped + quarantined"

[columns]
source = "pagerduty, opsgenie, jira or custom"
run_id = "id of the run that pulled"
started_at = "UTC"
finished_at = "UTC"
status = "complete or failed"
requests = "HTTP requests, retries included"
records_fetched = "records landed, of every stream, by a complete pull; 0 for a failed one"
records_normalised = "records that became the newest payload of their id"
duplicates_dropped = "repeats of a record within the pull"
quarantined = "records that could not be read"
since = "start of the asked window. UTC"
until = "end of the asked window. UTC"
error = "why it failed"
data_as_of = "instant up to which the source is known after this pull. UTC; for a failed pull that of the last good one"
*/
WITH loaded AS (
    SELECT source, extract_id, sum(normalised) AS normalised, sum(duplicates) AS duplicates, sum(quarantined) AS quarantined
    FROM ops.loads
    GROUP BY source, extract_id
)
SELECT
    a.source,
    a.run_id,
    make_timestamptz(epoch_us(a.started_at)) AS started_at,
    make_timestamptz(epoch_us(a.finished_at)) AS finished_at,
    a.status,
    a.requests,
    a.fetched AS records_fetched,
    coalesce(CASE WHEN a.status = 'complete' THEN l.normalised END, 0)::BIGINT AS records_normalised,
    coalesce(CASE WHEN a.status = 'complete' THEN l.duplicates END, 0)::BIGINT AS duplicates_dropped,
    coalesce(CASE WHEN a.status = 'complete' THEN l.quarantined END, 0)::BIGINT AS quarantined,
    make_timestamptz(epoch_us(instant(a.since, 'UTC'))) AS since,
    make_timestamptz(epoch_us(instant(a.until, 'UTC'))) AS until,
    a.error,
    make_timestamptz(epoch_us(max(a.data_as_of) OVER (PARTITION BY a.source ORDER BY a.started_at, a.run_id))) AS data_as_of
FROM ops.attempts AS a
LEFT JOIN loaded AS l ON l.source = a.source AND l.extract_id = a.extract_id
ORDER BY a.source, a.started_at, a.run_id
