/*
description = """What the SQL of a source notices in its records and what the data quality tells, one row per record and fact. What a fact means is
declared by the source."""
gathered = true
not_null = ["source", "fact", "external_id"]
optional = ["example"]

[columns]
source = "the account"
fact = "name of the fact, one of the source's declared findings"
external_id = "the record that it is about, or what is in the place of one"
example = "what people call it"
landed_in = "landing file"

[types]
source = "VARCHAR"
fact = "VARCHAR"
external_id = "VARCHAR"
example = "VARCHAR"
landed_in = "VARCHAR"
*/
