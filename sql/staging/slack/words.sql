/*
description = "Statuses and severities as the bots of incident tools say them in Slack, and severities of topics and names."
yields = "words"

[columns]
source = "the account"
kind = "status or severity"
word = "the word as written"
n = "channels that carry it; 1 for a status"
*/
SELECT '${source}' AS source, 'status' AS kind, word, 1 AS n
FROM staging.${source}_told
WHERE kind = 'status' AND place = 'tool'
GROUP BY word
UNION ALL
SELECT '${source}', 'severity', vendor_severity, count(*)
FROM staging.${source}_records
WHERE vendor_severity IS NOT NULL
GROUP BY vendor_severity
