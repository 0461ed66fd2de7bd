/*
description = """Alerts as the API of Opsgenie lists them (GET /v2/alerts). They are records of the source opsgenie, as if they had been
pulled."""
form = "json"
records = ["data"]
needs = ["id", "tinyId", "createdAt"]
lands = "opsgenie.alerts"

[columns]
record = "the alert as it was sent"
*/
SELECT line, record FROM given
