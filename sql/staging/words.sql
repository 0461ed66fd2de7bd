/*
description = """Words that vendors or their customers choose, as they occur, so that those without a meaning here can be counted. A word may stand in several rows."""
gathered = true
not_null = ["source", "kind", "word", "n"]
optional = ["scope", "is_known"]

[columns]
source = "the account"
kind = "severity, status, resolution, type or field"
scope = "project that it occurs in, where a mapping may be for one project"
word = "the word as sent"
n = "records that carry it"
is_known = "whether the vendor says what it means, although no mapping does"

[types]
source = "VARCHAR"
kind = "VARCHAR"
scope = "VARCHAR"
word = "VARCHAR"
n = "BIGINT"
is_known = "BOOLEAN"
*/
