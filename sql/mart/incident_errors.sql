/*
description = """Issues of error trackers that are evidence of an incident, one row per incident and issue. `link`: a link joins them, or the issue is
a record of the incident. The other methods are weaker: they say that two things happened together, and join nothing. `release`: the issue
is new with the deploy that introduced the incident. `service and time`: it is of the service of the incident. Both only where the issue was
first seen while the incident lasted, or in the window of deploys (default 60 min) before it began."""
published = true
like = "core.incident_errors"
not_null = ["incident_id", "source", "external_id", "method", "is_weak"]
unique = [["incident_id", "source", "external_id"]]

[columns]
incident_id = "="
source = "="
external_id = "="
method = "="
is_weak = "="
minutes_from_detected = "="
*/
SELECT incident_id, source, external_id, method, is_weak, minutes_from_detected
FROM core.incident_errors
ORDER BY incident_id, source, external_id
