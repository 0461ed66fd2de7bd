/*
description = """Services as the vendors list them."""
gathered = true
not_null = ["source"]
optional = ["team"]

[columns]
source = "the account"
external_id = "the vendor's id"
name = "name"
team = "team that owns it"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
name = "VARCHAR"
team = "VARCHAR"
*/
