/*
description = """Who was called to a record, where the vendor keeps that on the record."""
gathered = true
not_null = ["source", "external_id"]
optional = ["kind"]

[columns]
source = "source of the record, as in records"
external_id = "record"
responder = "name, else the vendor's id"
kind = "user, team, schedule or escalation; NULL when nothing says it"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
responder = "VARCHAR"
kind = "VARCHAR"
*/
