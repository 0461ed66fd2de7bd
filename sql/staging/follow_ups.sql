/*
description = """Post-mortems and follow-up actions of all sources in one shape. One row per record and incident record that it belongs to; without one, a
single row whose incident is NULL."""
gathered = true
not_null = ["source", "external_id", "kind"]
optional = ["incident_source", "incident_id", "key", "title", "url", "service", "team", "created_at", "due_at", "completed_at", "status", "is_test"]

[columns]
source = "the account"
external_id = "the vendor's immutable id"
kind = "post_mortem or action"
incident_source = "source of the incident's record that it belongs to"
incident_id = "external_id of that record"
key = "what people call it"
title = "title"
url = "page at the vendor"
service = "name of the service, where it says one"
team = "name of the owning team, where it says one"
created_at = "when it was made. UTC"
due_at = "when it is due, where a field says it. UTC"
completed_at = "when it was completed; NULL while it is open. UTC"
status = "the vendor's word for its state"
is_test = "whether it says that a test was added"
landed_in = "landing file"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
kind = "VARCHAR"
incident_source = "VARCHAR"
incident_id = "VARCHAR"
key = "VARCHAR"
title = "VARCHAR"
url = "VARCHAR"
service = "VARCHAR"
team = "VARCHAR"
created_at = "TIMESTAMP"
due_at = "TIMESTAMP"
completed_at = "TIMESTAMP"
status = "VARCHAR"
is_test = "BOOLEAN"
landed_in = "VARCHAR"
*/
