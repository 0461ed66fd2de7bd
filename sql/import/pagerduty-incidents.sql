/*
description = """Incidents as the REST API of PagerDuty lists them (GET /incidents). They are records of the source pagerduty, as if they
had been pulled. Log entries are not in this list, so acknowledgements are missing until a pull reads them."""
form = "json"
records = ["incidents"]
needs = ["id", "created_at", "urgency"]
lands = "pagerduty.incidents"

[columns]
record = "the incident as it was sent"
*/
SELECT line, record FROM given
