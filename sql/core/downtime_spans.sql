/*
description = """The union of the outages of a service, and of all, as pieces that do not overlap: of every outage only what no earlier
one covers. Overlapping incidents count once."""
not_null = ["member_id", "start_us", "end_us"]
unique = [["member_id", "start_us"]]

[assert]
ordered = "start_us < end_us"

[columns]
member_id = "the whole or a service, numbered in scope_members"
start_us = "microseconds since 1970"
end_us = "first instant after it"
*/
WITH scoped AS (
    SELECT 0 AS member_id, start_us, end_us FROM core.outages WHERE end_us > start_us
    UNION ALL
    SELECT m.member_id, o.start_us, o.end_us
    FROM core.outages AS o
    JOIN core.scope_members AS m ON m.scope = 'service' AND m.scope_value = o.service
    WHERE o.end_us > o.start_us
),
reached AS (
    SELECT *, max(end_us) OVER (
        PARTITION BY member_id ORDER BY start_us, end_us ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_us
    FROM scoped
)
SELECT member_id, greatest(start_us, coalesce(covered_us, start_us)) AS start_us, end_us
FROM reached
WHERE covered_us IS NULL OR end_us > covered_us
