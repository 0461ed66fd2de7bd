/*
description = """Where each merged or duplicate record is counted: the record at the end of its chain, or, where
that one is a flap, the first of its row. Chains are followed by doubling, up to 64 links. Records that only point at each
other are duplicates of nothing and are left out here; so are those whose target is no incident of ours (never read, deleted,
without any stamp): each is then counted on its own."""
not_null = ["source", "external_id", "root_id"]
unique = [["source", "external_id"]]

[columns]
source = "source"
external_id = "the merged record"
root_id = "external_id of the record it is counted under: always one that has an incident"
*/
WITH present AS (
    SELECT source, record_id AS external_id FROM core.episodes WHERE episode = 1
    UNION ALL
    SELECT source, external_id FROM core.flaps
),
link AS (
    SELECT r.source, r.external_id, r.duplicate_of_id AS target
    FROM core.records AS r
    SEMI JOIN present AS p ON p.source = r.source AND p.external_id = r.duplicate_of_id
    WHERE r.duplicate_of_id IS NOT NULL AND r.duplicate_of_id <> r.external_id
),
hop2 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM link AS a LEFT JOIN link AS b ON b.source = a.source AND b.external_id = a.target),
hop4 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM hop2 AS a LEFT JOIN hop2 AS b ON b.source = a.source AND b.external_id = a.target),
hop8 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM hop4 AS a LEFT JOIN hop4 AS b ON b.source = a.source AND b.external_id = a.target),
hop16 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM hop8 AS a LEFT JOIN hop8 AS b ON b.source = a.source AND b.external_id = a.target),
hop32 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM hop16 AS a LEFT JOIN hop16 AS b ON b.source = a.source AND b.external_id = a.target),
hop64 AS (SELECT a.source, a.external_id, coalesce(b.target, a.target) AS target
    FROM hop32 AS a LEFT JOIN hop32 AS b ON b.source = a.source AND b.external_id = a.target)
SELECT h.source, h.external_id, coalesce(f.root_id, h.target) AS root_id
FROM hop64 AS h
LEFT JOIN core.flaps AS f ON f.source = h.source AND f.external_id = h.target
ANTI JOIN link AS l ON l.source = h.source AND l.external_id = h.target
