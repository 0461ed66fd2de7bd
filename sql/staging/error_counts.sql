/*
description = """How many events the issues of error trackers had, per hour and per day, as far as vendors keep them. One row per issue and period:
an hour without a row had none, a day without one was not read."""
gathered = true
not_null = ["source", "external_id", "began_at", "minutes", "events"]
optional = ["release"]

[columns]
source = "the account"
external_id = "the issue's immutable id"
began_at = "when the period begins. UTC"
minutes = "its length: 60 or 1440"
events = "events in it; of a period that was not over when it was read, those until then"
release = "version that the events are of, where the vendor says it"
read_at = "when they were read: a period that ends later is not whole. UTC"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
began_at = "TIMESTAMP"
minutes = "INTEGER"
events = "BIGINT"
release = "VARCHAR"
read_at = "TIMESTAMP"
*/
