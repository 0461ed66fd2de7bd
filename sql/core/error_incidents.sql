/*
description = """Which incidents issues of error trackers are a part of by a hard link, one row per episode of an issue and incident. An issue that is a
record itself is part of the incident of that record. Others are linked by the rules of core.links, and change nothing in the incident."""
not_null = ["source", "external_id", "episode", "incident_id", "link_reason"]
unique = [["source", "external_id", "episode", "incident_id"]]

[columns]
source = "the account"
external_id = "the issue's immutable id"
episode = "its episode, as in error_episodes"
incident_id = "the incident"
link_reason = "record (it is one itself), or the most reliable link: vendor, url, key, text, dedup or chosen"
*/
WITH records AS (
    SELECT p.source, p.external_id, p.episode, i.incident_id
    FROM core.error_episodes AS p
    JOIN core.standalone AS s ON s.source = p.source AND s.external_id = p.external_id
        AND epoch_us(p.began_at) BETWEEN epoch_us(s.began_at) AND epoch_us(s.ended_at)
    JOIN core.incident_sources AS i ON i.record_id = s.record_id
    SEMI JOIN core.error_records AS r ON r.source = p.source AND r.external_id = p.external_id
),
followed AS (
    SELECT record_id, other_record_id, link_reason FROM core.links WHERE is_of_error AND why_not IS NULL
    UNION
    SELECT other_record_id, record_id, link_reason FROM core.links WHERE is_of_error AND why_not IS NULL
),
-- The id of an episode is dear: it is made only of issues that a link names.
named AS (
    SELECT source, external_id FROM core.links WHERE is_of_error AND why_not IS NULL
    UNION
    SELECT other_source, other_external_id FROM core.links WHERE is_of_error AND why_not IS NULL
),
linked AS (
    SELECT p.source, p.external_id, p.episode, i.incident_id,
        min(list_position(['vendor', 'url', 'key', 'text', 'dedup', 'chosen'], f.link_reason)) AS place
    FROM (
        SELECT e.source, e.external_id, e.episode, incident_uuid(e.source, e.external_id, e.episode) AS record_id
        FROM core.error_episodes AS e
        SEMI JOIN named AS n ON n.source = e.source AND n.external_id = e.external_id
    ) AS p
    JOIN followed AS f ON f.record_id = p.record_id
    JOIN core.incident_sources AS i ON i.record_id = f.other_record_id
    ANTI JOIN core.error_records AS r ON r.source = p.source AND r.external_id = p.external_id
    GROUP BY ALL
)
SELECT source, external_id, episode, incident_id, 'record' AS link_reason FROM records GROUP BY ALL
UNION ALL
SELECT source, external_id, episode, incident_id, ['vendor', 'url', 'key', 'text', 'dedup', 'chosen'][place] FROM linked
