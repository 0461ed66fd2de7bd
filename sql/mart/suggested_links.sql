/*
description = """Pairs of incidents that may be one incident recorded twice. Two with a similar title have the same service, were detected
within 10 minutes of each other, and their titles share at least half of their words. Others are linked, but the link may stand in a list
or a template, or would make an incident of too many records, so it is not followed. The list is for a person to decide; nothing is merged because of it.
A pair that a person decided about is not listed. The most similar pairs come first. The two records can be of the same source or of different sources. Two episodes of one record,
merged records and non-incidents are left out. Each incident is compared with the 20 incidents of its service that were detected last
before it, and at most its 5 best matches are listed, so an alert storm adds a few rows and not millions."""
published = true
not_null = ["incident_id", "source", "external_id", "other_incident_id", "other_source", "other_external_id", "reason"]
unique = [["incident_id", "other_incident_id"]]

[assert]
two_records = "(source, external_id) <> (other_source, other_external_id)"
at_most_ten_minutes_apart = "minutes_apart >= 0 AND (reason <> 'similar_title' OR minutes_apart <= 10)"
known_reason = "reason IN ('similar_title', 'link', 'large_group')"
at_least_half_alike = "similarity BETWEEN 0.5 AND 1"

[columns]
incident_id = "incident that was detected first; at the same instant, the one with the smaller id"
source = "its source"
external_id = "the vendor's immutable id of it"
key = "the id of it that people see"
title = "its title"
url = "its page at the vendor"
other_incident_id = "incident that was detected later"
other_source = "its source"
other_external_id = "the vendor's immutable id of it"
other_key = "the id of it that people see"
other_title = "its title"
other_url = "its page at the vendor"
service = "service of both incidents; of linked ones that of the first"
detected_at = "detection of the first incident. UTC"
minutes_apart = "minutes between the two detections"
similarity = "Jaccard index of the titles, 0.5 to 1: words in both / words in either. A word is a run of letters and digits, in lower case, and counts once. NULL for linked incidents"
reason = "similar_title, link (a link that may stand in a list or a template), or large_group (a link that would make an incident of more than 20 records or of more than 7 days)"
*/
-- Most incidents have no other within ten minutes. All work beyond one sort is done only for those that do.
WITH timed AS (
    SELECT
        incident_no AS row_id,
        detected_us,
        lag(detected_us) OVER by_time AS before_us,
        lead(detected_us) OVER by_time AS after_us
    FROM facts.matched
    WHERE detected_us IS NOT NULL
    WINDOW by_time AS (PARTITION BY service_id ORDER BY detected_us)
),
-- Incidents that are near in time are near in this order, whatever the volume of their service. Titles without a word never match,
-- so they are left out of the order.
near AS (
    SELECT
        t.row_id, t.detected_us, i.service, i.source, i.external_id,
        row_number() OVER (ORDER BY i.service, t.detected_us, i.incident_id) AS place
    FROM timed AS t
    JOIN core.incidents AS i ON i.rowid = t.row_id
    WHERE (t.detected_us - t.before_us <= 600000000 OR t.after_us - t.detected_us <= 600000000)
        AND i.service IS NOT NULL AND regexp_matches(i.title, '[\p{L}\p{N}]')
),
pairs AS (
    SELECT first.row_id AS first_row, other.row_id AS other_row, first.place, other.detected_us - first.detected_us AS apart_us
    FROM (SELECT *, unnest(range(1, 21)) AS step FROM near) AS other
    JOIN near AS first ON first.place = other.place - other.step AND first.service = other.service
    WHERE other.detected_us - first.detected_us <= 600000000
        AND (first.source <> other.source OR first.external_id <> other.external_id)
),
titled AS (
    SELECT n.row_id, list_distinct(regexp_extract_all(lower(i.title), '[\p{L}\p{N}]+')) AS words
    FROM near AS n
    JOIN core.incidents AS i ON i.rowid = n.row_id
),
compared AS (
    SELECT p.*, len(list_intersect(a.words, b.words)) AS shared, len(a.words) + len(b.words) AS words
    FROM pairs AS p
    JOIN titled AS a ON a.row_id = p.first_row
    JOIN titled AS b ON b.row_id = p.other_row
),
matching AS (
    SELECT *, row_number() OVER (
        PARTITION BY other_row ORDER BY shared / (words - shared) DESC, apart_us, place DESC) AS rank
    FROM compared
    WHERE shared * 2 >= words - shared
),
alike AS (
    SELECT first_row, other_row, apart_us, (shared / (words - shared))::DOUBLE AS similarity, 'similar_title' AS reason
    FROM matching
    WHERE rank <= 5
),
-- What links join, and guards keep apart.
doubtful AS (
    SELECT
        coalesce(a.incident_id, l.record_id) AS incident_id, coalesce(b.incident_id, l.other_record_id) AS other_incident_id,
        min(CASE WHEN l.is_doubt THEN 'link' ELSE 'large_group' END) AS reason
    FROM core.links AS l
    LEFT JOIN core.members AS a ON a.record_id = l.record_id
    LEFT JOIN core.members AS b ON b.record_id = l.other_record_id
    LEFT JOIN core.groups AS g ON g.record_id = l.record_id
    WHERE l.is_doubt OR (l.why_not IS NULL AND g.kept_apart IN ('large', 'long'))
    GROUP BY ALL
),
linked AS (
    SELECT
        CASE WHEN is_first THEN a.row_id ELSE b.row_id END AS first_row, CASE WHEN is_first THEN b.row_id ELSE a.row_id END AS other_row,
        abs(b.detected_us - a.detected_us) AS apart_us, NULL::DOUBLE AS similarity, min(d.reason) AS reason
    FROM doubtful AS d
    JOIN (SELECT incident_id, rowid AS row_id, epoch_us(detected_at) AS detected_us FROM core.incidents WHERE is_counted) AS a
        ON a.incident_id = d.incident_id
    JOIN (SELECT incident_id, rowid AS row_id, epoch_us(detected_at) AS detected_us FROM core.incidents WHERE is_counted) AS b
        ON b.incident_id = d.other_incident_id,
    LATERAL (SELECT (coalesce(a.detected_us, 0), a.incident_id) < (coalesce(b.detected_us, 0), b.incident_id) AS is_first) AS placed
    WHERE a.row_id <> b.row_id
    GROUP BY ALL
),
all_pairs AS (
    FROM alike
    UNION ALL
    SELECT * FROM (FROM linked QUALIFY row_number() OVER (PARTITION BY other_row ORDER BY apart_us, first_row) <= 5) AS l
    ANTI JOIN alike AS s ON s.first_row = l.first_row AND s.other_row = l.other_row
),
-- The incidents of two records that a person decided about.
decided AS (
    SELECT a.incident_id, b.incident_id AS other_incident_id
    FROM config.refusals AS r
    JOIN core.incident_sources AS a ON a.source = r.source AND a.external_id = r.external_id
    JOIN core.incident_sources AS b ON b.source = r.other_source AND b.external_id = r.other_external_id
)
SELECT
    first.incident_id,
    first.source,
    first.external_id,
    first.key,
    first.title,
    first.url,
    other.incident_id AS other_incident_id,
    other.source AS other_source,
    other.external_id AS other_external_id,
    other.key AS other_key,
    other.title AS other_title,
    other.url AS other_url,
    first.service,
    first.detected_at,
    f.apart_us / 6e7 AS minutes_apart,
    f.similarity,
    f.reason
FROM all_pairs AS f
JOIN core.incidents AS first ON first.rowid = f.first_row
JOIN core.incidents AS other ON other.rowid = f.other_row
ANTI JOIN decided AS d ON d.incident_id = first.incident_id AND d.other_incident_id = other.incident_id
ORDER BY similarity DESC NULLS LAST, minutes_apart, first.detected_at, first.incident_id, other.incident_id
