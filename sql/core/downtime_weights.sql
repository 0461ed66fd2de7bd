/*
description = """The part of a service that an incident takes down: per severity, and per severity and service where a service has weights
of its own. Service names are resolved as in core.vendor_records."""
not_null = ["severity", "weight"]
unique = [["severity", "service"]]

[assert]
is_a_share = "weight <= 1000"

[columns]
severity = "SEV1 to SEV4"
service = "service that has the weight; NULL for the weight of the severity"
weight = "thousandths of the service that are down"
*/
SELECT w.severity, coalesce(s.service, w.service) AS service, w.weight
FROM config.downtime_weights AS w
LEFT JOIN config.services AS s ON s.name = lower(w.service)
ORDER BY w.severity, coalesce(s.service, w.service) NULLS FIRST
