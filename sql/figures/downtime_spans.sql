/*
description = """The union of the outages of a service, and of all, as pieces that do not overlap: of every outage only what no earlier
one covers. Overlapping incidents count once."""
python = "mttr_pipeline.metrics.downtime:compute"
depends = ["facts.outages"]
not_null = ["member_id", "start_us", "end_us"]
unique = [["member_id", "start_us"]]

[assert]
ordered = "start_us < end_us"

[columns]
member_id = "the whole or a service, numbered in scope_members"
start_us = "microseconds since 1970"
end_us = "first instant after it"
*/
SELECT member_id::UINTEGER AS member_id, start_us, end_us FROM computed
