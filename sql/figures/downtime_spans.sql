/*
description = """When each service, and any service, was down, and by what part: spans that do not overlap. Where outages overlap, the one with
the largest weight counts, and of equal weights the one that began first. Abandoned incidents have spans of their own, with the weight
that they would add."""
python = "mttr_pipeline.metrics.downtime:compute"
depends = ["facts.outages"]
not_null = ["member_id", "incident_no", "start_us", "end_us", "weight", "is_abandoned"]
unique = [["member_id", "is_abandoned", "start_us"]]

[assert]
ordered = "start_us < end_us"
is_a_share = "weight BETWEEN 1 AND 1000"

[columns]
member_id = "all or a service, as in core.scope_members"
incident_no = "incident that counts in the span, as in facts.matched"
start_us = "first instant of the span, in microseconds since 1970"
end_us = "first instant after the span, in microseconds since 1970"
weight = "thousandths of the service that are down; in a span of an abandoned incident, those that it adds to the others"
is_abandoned = "the incident is abandoned"
*/
SELECT member_id::UINTEGER AS member_id, incident_no, start_us, end_us, weight::USMALLINT AS weight, is_abandoned FROM computed
