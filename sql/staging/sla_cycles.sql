/*
description = """Cycles of the vendors' own SLA clocks, one row a cycle."""
gathered = true
not_null = ["source", "external_id", "field_id", "cycle", "is_ongoing"]
optional = ["breached", "goal_minutes", "elapsed_minutes"]

[columns]
source = "source of the record, as in records"
external_id = "record"
field_id = "the vendor's id of the SLA"
name = "name of the SLA"
cycle = "1 for the first"
started_at = "when the cycle began. UTC"
stopped_at = "when it was completed; NULL while it goes on. UTC"
breached = "whether the vendor says that the goal was missed"
goal_minutes = "the goal, in minutes of the SLA's calendar"
elapsed_minutes = "minutes of the SLA's calendar used"
is_ongoing = "whether the cycle goes on"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
field_id = "VARCHAR"
name = "VARCHAR"
cycle = "BIGINT"
started_at = "TIMESTAMP"
stopped_at = "TIMESTAMP"
breached = "BOOLEAN"
goal_minutes = "DOUBLE"
elapsed_minutes = "DOUBLE"
is_ongoing = "BOOLEAN"
*/
