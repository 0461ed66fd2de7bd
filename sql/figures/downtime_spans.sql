/*
description = """The union of the outages of each service, and of all services, as spans that do not overlap: the part of every outage that
no earlier outage covers."""
python = "mttr_pipeline.metrics.downtime:compute"
depends = ["facts.outages"]
not_null = ["member_id", "start_us", "end_us"]
unique = [["member_id", "start_us"]]

[assert]
ordered = "start_us < end_us"

[columns]
member_id = "all or a service, as in core.scope_members"
start_us = "first instant of the span, in microseconds since 1970"
end_us = "first instant after the span, in microseconds since 1970"
*/
SELECT member_id::UINTEGER AS member_id, start_us, end_us FROM computed
