/*
description = """The records that are one incident with another record: each with its incident and what it is there. The incident has the id of its
primary record: a page before a ticket before a machine alert before a channel; among equals the one that began first, then by source and
external_id. A merged record, a flap or an alert that pages for the incident is primary only where nothing else is there. Records that
stand alone have no row."""
not_null = ["record_id", "incident_id", "precedence", "role"]
unique = [["record_id"], ["incident_id", "precedence"]]

[assert]
only_the_primary_has_no_reason = "(role = 'primary') = (link_reason IS NULL)"
the_primary_gives_the_id = "(role = 'primary') = (record_id = incident_id)"

[columns]
record_id = "the record and episode"
incident_id = "record_id of the primary record of its group"
precedence = "1 for the primary record, then in the order in which records are asked for what only one of them can say"
role = "primary, member, or duplicate (a merged record)"
link_reason = "the first of vendor, url, key, text, dedup and chosen that holds for it: vendor of a merged record, dedup of a flap; NULL for the primary record"
is_full = "whether it may give more than the first acknowledgement: no merged record, flap, or alert that pages for the incident"
is_responder = "whether it is an alert that pages for the incident, and not one that the incident is about"
is_silent = "whether it gives no stamp at all: a flap, whose history is that of the record it continues, and later episodes of a merged record"
*/
WITH grouped AS (
    SELECT record_id, group_no FROM core.groups QUALIFY count(*) OVER (PARTITION BY group_no) > 1
),
followed AS (
    SELECT l.record_id, l.other_record_id, l.link_reason, l.is_responder, l.place
    FROM core.links AS l
    JOIN grouped AS a ON a.record_id = l.record_id
    JOIN grouped AS b ON b.record_id = l.other_record_id AND b.group_no = a.group_no
    WHERE l.why_not IS NULL
),
reasons AS (
    SELECT record_id, min(list_position(['vendor', 'url', 'key', 'text', 'dedup', 'chosen'], link_reason)) AS reason
    FROM (SELECT record_id, link_reason FROM followed UNION ALL SELECT other_record_id, link_reason FROM followed)
    GROUP BY record_id
),
responders AS (
    -- The alert is the one that is named, or that says what it was made for.
    SELECT CASE WHEN place = 'incident_id' THEN record_id ELSE other_record_id END AS alert_id
    FROM followed
    WHERE link_reason = 'vendor'
    GROUP BY alert_id
    HAVING bool_and(is_responder)
),
alone AS (
    SELECT *, CASE WHEN duplicate_of_id IS NOT NULL THEN incident_uuid(source, duplicate_of_id, 1) END AS target_id FROM core.standalone
),
told AS (
    SELECT
        g.record_id, g.group_no, s.source, s.external_id, s.episode, s.role,
        coalesce(s.detected_at, s.started_at) AS began_at,
        s.flap_of IS NOT NULL AS is_flap,
        -- A merged record that a refusal keeps from its target is none here.
        merged.record_id IS NOT NULL AS is_duplicate,
        responder.alert_id IS NOT NULL AS is_responder,
        r.reason
    FROM grouped AS g
    JOIN alone AS s ON s.record_id = g.record_id
    LEFT JOIN grouped AS merged ON merged.record_id = s.target_id AND merged.group_no = g.group_no
    LEFT JOIN responders AS responder ON responder.alert_id = g.record_id
    LEFT JOIN reasons AS r ON r.record_id = g.record_id
),
placed AS (
    SELECT
        *,
        row_number() OVER first_of_all AS precedence,
        first_value(record_id) OVER first_of_all AS incident_id
    FROM told
    WINDOW first_of_all AS (
        PARTITION BY group_no
        ORDER BY is_flap, is_duplicate, is_responder, list_position(['pager', 'ticket', 'machine alert', 'channel'], role), began_at, source,
            external_id, episode)
)
SELECT
    record_id,
    incident_id,
    precedence,
    CASE WHEN precedence = 1 THEN 'primary' WHEN is_duplicate THEN 'duplicate' ELSE 'member' END AS role,
    CASE
        WHEN precedence = 1 THEN NULL
        WHEN is_duplicate THEN 'vendor'
        ELSE coalesce(['vendor', 'url', 'key', 'text', 'dedup', 'chosen'][CASE WHEN is_flap THEN least(reason, 5) ELSE reason END], 'vendor')
    END AS link_reason,
    precedence = 1 OR NOT (is_flap OR is_duplicate OR is_responder) AS is_full,
    is_responder,
    precedence > 1 AND (is_flap OR (is_duplicate AND episode > 1)) AS is_silent
FROM placed
