/*
description = """The five worst repeaters of every window: what came back most often, and the minutes spent on it. An incident is counted when another one with
the same key began within 30 days before or after it. Of several keys of the same incidents one is named."""
published = true
not_null = ["as_of", "place", "kind", "incidents", "minutes", "last_incident_id", "last_started_at"]
unique = [["window_start", "place"]]

[assert]
five = "place BETWEEN 1 AND 5"
came_back = "incidents >= 2"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
place = "1 for the worst: the most incidents, then the most minutes"
kind = "what repeats: episode (one record that was reopened late), dedup key or root cause"
repeat_key = "the deduplication key or the root cause; NULL for a record that was reopened"
service = "service of the key; NULL for a record that was reopened, and where the records have none"
title = "title of its last incident"
incidents = "incidents of the window that repeat or are repeated"
minutes = "minutes from detection to resolve of all of them; open ones count until as_of"
last_incident_id = "the last one"
last_started_at = "start of the last one. UTC"
*/
WITH near AS (
    SELECT r.incident_no, r.kind, r.repeat_key, r.service, r.started_us, w.window_id
    FROM core.repeats AS r
    JOIN core.windows AS w ON w.name = 'whole' OR (r.started_us >= epoch_us(w.window_start) AND r.started_us < epoch_us(w.window_end))
    WHERE coalesce(r.started_us - r.previous_us <= 2592000000000, false) OR coalesce(r.next_us - r.started_us <= 2592000000000, false)
),
groups AS (
    SELECT
        n.window_id, n.kind, n.repeat_key, n.service, count(*) AS incidents,
        sum(greatest(0, CASE
            WHEN i.resolved_at IS NOT NULL THEN epoch_us(i.resolved_at) - epoch_us(i.detected_at)
            WHEN NOT status_is_over(i.status) THEN epoch_us(run.as_of) - epoch_us(i.detected_at)
        END))::BIGINT AS us,
        bit_xor(hash(n.incident_no)) AS same, arg_max(n.incident_no, (n.started_us, n.incident_no)) AS last_no
    FROM near AS n
    JOIN core.incidents AS i ON i.rowid = n.incident_no
    CROSS JOIN config.run AS run
    GROUP BY ALL
    HAVING count(*) >= 2
),
-- One name for the same incidents.
once AS (
    SELECT *
    FROM groups
    QUALIFY row_number() OVER (
        PARTITION BY window_id, same, incidents
        ORDER BY list_position(['dedup key', 'episode', 'root cause'], kind), repeat_key, service NULLS FIRST) = 1
),
placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY window_id
        ORDER BY incidents DESC, us DESC NULLS LAST, list_position(['dedup key', 'episode', 'root cause'], kind), repeat_key, service NULLS FIRST
    ) AS place
    FROM once
    QUALIFY place <= 5
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    p.place,
    p.kind,
    CASE WHEN p.kind <> 'episode' THEN without_addresses(p.repeat_key) END AS repeat_key,
    p.service,
    i.title,
    p.incidents,
    coalesce(p.us, 0) / 6e7 AS minutes,
    i.incident_id AS last_incident_id,
    i.started_at AS last_started_at
FROM placed AS p
JOIN core.windows AS w ON w.window_id = p.window_id
JOIN core.incidents AS i ON i.rowid = p.last_no
ORDER BY w.window_start NULLS FIRST, p.place
