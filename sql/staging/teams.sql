/*
description = """Teams as the vendors list them."""
gathered = true
not_null = ["source"]

[columns]
source = "the account"
external_id = "the vendor's id"
name = "name"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
name = "VARCHAR"
*/
