/*
description = "Alerts that are pulled here: their webhook bodies look like Opsgenie's."
yields = "pulled_alerts"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "id of the alert"
*/
SELECT '${source}' AS source, external_id FROM raw.${source}_alerts
