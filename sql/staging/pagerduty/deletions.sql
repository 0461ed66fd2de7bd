/*
description = "PagerDuty incidents that are gone. One that was received after it was missed is there again."
like = "staging.deletions"
yields = "deletions"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "id of the incident"
seen_missing_at = "="
landed_in = "="
*/
SELECT '${source}' AS source, t.external_id, t.seen_missing_at, t.landed_in
FROM raw.${source}_tombstones AS t
ANTI JOIN staging.${source}_received AS r
    ON r.external_id = t.external_id AND r.is_snapshot AND r.happened_at > t.seen_missing_at
WHERE t.of_stream = 'incidents'
