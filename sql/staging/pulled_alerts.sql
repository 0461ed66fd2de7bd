/*
description = """Alerts that a source pulls although their webhook bodies look like those of another source, which leaves them to it."""
gathered = true
not_null = ["source", "external_id"]

[columns]
source = "the account that pulls the alert"
external_id = "id of the alert"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
*/
