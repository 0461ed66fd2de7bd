/*
description = """Records that we hold and their vendor does not have any more: found missing by a pull, or named by a received event. They
are left out of everything that follows, and counted."""
like = "staging.deletions"
not_null = ["source", "external_id"]
unique = [["source", "external_id"]]

[columns]
source = "source of the record"
external_id = "="
seen_missing_at = "="
landed_in = "="
*/
SELECT source, external_id, min(seen_missing_at) AS seen_missing_at, min(landed_in) AS landed_in
FROM staging.deletions
GROUP BY source, external_id
