/*
description = """What counted incidents are recognised by when they come back, one row per incident and key: the deduplication keys (fingerprints) of its
records with their service, its records that were reopened as a later episode, and its root cause with its service. Beside each the next
incident with the same key."""
not_null = ["incident_no", "kind", "repeat_key", "started_us"]
unique = [["incident_no", "kind", "repeat_key", "service"]]

[assert]
known_kind = "kind IN ('episode', 'dedup key', 'root cause')"
next_is_later = "next_us >= started_us"

[columns]
incident_no = "rowid of the incident in core.incidents"
kind = "episode (the same record, reopened late), dedup key or root cause"
repeat_key = "the record, the deduplication key or the category of the cause"
service = "service that the key holds for; NULL for an episode, and where the record has none"
started_us = "start of the incident, in microseconds since 1970"
previous_us = "start of the incident before it with the same key; NULL without one"
next_us = "start of the next incident with the same key; NULL without one"
*/
WITH records AS (
    SELECT i.rowid AS incident_no, i.started_at, s.source, s.external_id, s.service, l.episode, r.dedup_key
    FROM core.incidents AS i
    JOIN core.incident_sources AS l ON l.incident_id = i.incident_id
    JOIN core.standalone AS s ON s.record_id = l.record_id
    JOIN core.vendor_records AS r ON r.source = s.source AND r.external_id = s.external_id
    WHERE i.is_counted
),
keyed AS (
    SELECT incident_no, started_at, 'dedup key' AS kind, dedup_key AS repeat_key, service FROM records WHERE dedup_key IS NOT NULL
    UNION
    SELECT r.incident_no, r.started_at, 'dedup key', l.target, r.service
    FROM staging.links AS l
    JOIN records AS r ON r.source = l.source AND r.external_id = l.external_id
    WHERE l.target_kind = 'dedup'
    UNION
    SELECT r.incident_no, r.started_at, 'episode', r.source || chr(31) || r.external_id, NULL
    FROM records AS r
    SEMI JOIN (SELECT source, external_id FROM records WHERE episode > 1) AS again ON again.source = r.source AND again.external_id = r.external_id
    UNION
    SELECT rowid, started_at, 'root cause', root_cause_category, service
    FROM core.incidents
    WHERE is_counted AND root_cause_category IS NOT NULL AND service IS NOT NULL
),
placed AS (
    SELECT incident_no, epoch_us(started_at) AS started_us, kind, repeat_key, service FROM keyed
)
SELECT
    incident_no,
    kind,
    repeat_key,
    service,
    started_us,
    lag(started_us) OVER same AS previous_us,
    lead(started_us) OVER same AS next_us
FROM placed
WINDOW same AS (PARTITION BY kind, repeat_key, service ORDER BY started_us, incident_no)
