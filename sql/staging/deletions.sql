/*
description = """Records that the vendors do not have any more, one row per finding."""
gathered = true
not_null = ["source", "external_id"]

[columns]
source = "source of the record, as in records"
external_id = "its id"
seen_missing_at = "clock of the run that missed it, or when it was deleted. UTC"
landed_in = "landing file of the finding"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
seen_missing_at = "TIMESTAMP"
landed_in = "VARCHAR"
*/
