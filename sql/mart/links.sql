/*
description = """Every link that was read between records, followed or not, and why. A link that is followed makes the two records one incident. The
decisions of links.csv are here too, both those that join and those that forbid."""
published = true
like = "core.links"
not_null = ["source", "external_id", "place", "link_reason", "target", "status"]

[assert]
known_status = "status IN ('followed', 'not_followed')"
what_is_not_followed_has_a_reason = "status = 'followed' OR why IS NOT NULL"
what_is_followed_has_two_records = "status = 'not_followed' OR (record_id IS NOT NULL AND other_record_id IS NOT NULL)"

[columns]
source = "="
external_id = "="
record_id = "its episode that the link holds for, as in records; NULL where it holds for none"
place = "="
link_reason = "vendor, url, key, text, dedup, or chosen (a decision of a person)"
target = "="
other_source = "="
other_external_id = "="
other_record_id = "episode of that record that the link holds for, as in records; NULL where it holds for none"
status = "followed or not_followed"
why = "why it is not followed; of a decision, what the person says"
decided_by = "who decided; NULL for links of vendors"
*/
WITH placed AS (
    SELECT l.*, a.group_no AS group_no, b.group_no AS other_group_no, a.kept_apart
    FROM core.links AS l
    LEFT JOIN core.groups AS a ON a.record_id = l.record_id
    LEFT JOIN core.groups AS b ON b.record_id = l.other_record_id
    WHERE NOT l.is_of_error
)
SELECT
    p.source, p.external_id, p.record_id, p.place, p.link_reason, p.target, p.other_source, p.other_external_id, p.other_record_id,
    CASE WHEN p.why_not IS NULL AND p.group_no = p.other_group_no THEN 'followed' ELSE 'not_followed' END AS status,
    CASE
        WHEN p.why_not IS NOT NULL THEN p.why_not
        WHEN p.group_no = p.other_group_no THEN d.why
        WHEN p.kept_apart = 'large' THEN 'more than 20 records would be one incident'
        WHEN p.kept_apart = 'long' THEN 'the incident would have detections more than 7 days apart'
        ELSE 'it would bring records together that a person keeps apart'
    END AS why,
    d.decided_by
FROM placed AS p
LEFT JOIN config.decisions AS d ON p.link_reason = 'chosen' AND d.decision = 'same' AND d.source = p.source AND d.external_id = p.external_id
    AND d.other_source = p.other_source AND d.other_external_id = p.other_external_id
UNION ALL
-- What the vendors merged.
SELECT
    r.source, r.external_id, incident_uuid(r.source, r.external_id, 1), 'duplicate_of', 'vendor', r.duplicate_of_id, r.source, r.duplicate_of_id,
    incident_uuid(r.source, r.duplicate_of_id, 1),
    CASE WHEN m.role = 'duplicate' THEN 'followed' ELSE 'not_followed' END,
    CASE
        WHEN m.role = 'duplicate' THEN NULL
        WHEN refused.external_id IS NOT NULL THEN 'refused by ' || coalesce(refused.decided_by, 'nobody named') || coalesce(': ' || refused.why, '')
        WHEN d.external_id IS NOT NULL THEN 'it would bring records together that a person keeps apart'
        WHEN s.record_id IS NULL THEN 'a record has no usable stamp'
        ELSE 'the record it names was never read, has no usable stamp, or is a duplicate of this one'
    END,
    NULL
FROM core.vendor_records AS r
LEFT JOIN core.standalone AS s ON s.source = r.source AND s.external_id = r.external_id AND s.episode = 1
LEFT JOIN core.members AS m ON m.record_id = s.record_id
LEFT JOIN core.duplicates AS d ON d.source = r.source AND d.external_id = r.external_id
LEFT JOIN config.refusals AS refused ON refused.source = r.source AND refused.external_id = r.external_id
    AND refused.other_source = r.source AND refused.other_external_id = r.duplicate_of_id
WHERE r.duplicate_of_id IS NOT NULL
UNION ALL
SELECT
    d.source, d.external_id, a.record_id, 'links.csv', 'chosen', d.other_external_id, d.other_source, d.other_external_id, b.record_id,
    'not_followed', coalesce(d.why, 'a person says that they are two incidents'), d.decided_by
FROM config.decisions AS d
LEFT JOIN core.standalone AS a ON a.source = d.source AND a.external_id = d.external_id AND a.episode = 1
LEFT JOIN core.standalone AS b ON b.source = d.other_source AND b.external_id = d.other_external_id AND b.episode = 1
WHERE d.decision = 'different'
ORDER BY ALL
