/*
description = """Which deploys name issues of error trackers in their title, commits or notes: by short id in capitals, or by address. Such a
deploy says that it repairs them."""
not_null = ["deploy_no", "source", "external_id"]
unique = [["deploy_no", "source", "external_id"]]

[columns]
deploy_no = "the deploy, as in core.deploys"
source = "the account of the issue"
external_id = "the issue's immutable id"
*/
WITH texts AS (
    SELECT deploy_no, "text"
    FROM (
        SELECT coalesce(g.deploy_no, r.record_no) AS deploy_no, unnest(list_concat([r.title], r.texts)) AS "text"
        FROM core.deploy_records AS r
        LEFT JOIN core.deploy_groups AS g ON g.record_no = r.record_no
        WHERE (SELECT count(*) > 0 FROM core.errors)
    )
    WHERE contains("text", '-') OR contains("text", '://')
),
words AS (
    SELECT deploy_no, unnest(regexp_extract_all(regexp_replace("text", '(?i:https?)://[^\x00-\x20]*', ' ', 'g'), '[A-Za-z0-9_-]*-[A-Za-z0-9_-]+')) AS word
    FROM texts
),
pages AS (
    SELECT deploy_no, unnest(record_pages_in("text")) AS page FROM texts
)
SELECT w.deploy_no, e.source, e.external_id
FROM words AS w
JOIN core.errors AS e ON upper(e.key) = w.word
UNION
SELECT p.deploy_no, e.source, e.external_id
FROM pages AS p
JOIN (SELECT source, external_id, canonical_url(url) AS address FROM core.errors WHERE url IS NOT NULL) AS e ON e.address = p.page
