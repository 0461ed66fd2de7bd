/*
description = """The record that each merged or duplicate record is counted under: the one at the end of its chain of duplicates, or, where
that is a flap, the first record of the flapping incident. Chains are followed for up to 64 links. Two kinds of records are
left out, so that each is counted on its own: duplicates that only point at each other, and duplicates whose target has no incident
(never read, deleted, or without any stamp)."""
not_null = ["source", "external_id", "root_id"]
unique = [["source", "external_id"]]

[columns]
source = "source"
external_id = "the merged or duplicate record"
root_id = "external_id of the record it is counted under; that record always has an incident"
*/
WITH RECURSIVE present AS (
    SELECT source, record_id AS external_id FROM core.episodes WHERE episode = 1
    UNION ALL
    SELECT source, external_id FROM core.flaps
),
link AS (
    SELECT r.source, r.external_id, r.duplicate_of_id AS target
    FROM core.vendor_records AS r
    SEMI JOIN present AS p ON p.source = r.source AND p.external_id = r.duplicate_of_id
    WHERE r.duplicate_of_id IS NOT NULL AND r.duplicate_of_id <> r.external_id
),
chain AS (
    SELECT source, external_id, target, 1 AS length FROM link
    UNION ALL
    SELECT c.source, c.external_id, l.target, c.length + 1
    FROM chain AS c
    JOIN link AS l ON l.source = c.source AND l.external_id = c.target
    WHERE c.length < 64
),
ends AS (
    SELECT source, external_id, arg_max(target, length) AS target FROM chain GROUP BY source, external_id
)
SELECT e.source, e.external_id, coalesce(f.root_id, e.target) AS root_id
FROM ends AS e
LEFT JOIN core.flaps AS f ON f.source = e.source AND f.external_id = e.target
-- The end of a circle, or of a longer chain, is a duplicate itself.
ANTI JOIN link AS l ON l.source = e.source AND l.external_id = e.target
