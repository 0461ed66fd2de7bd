/*
description = """Words that vendors or their customers choose, as they occur, so that those without a meaning here can be counted. Deleted
records are left out."""
gathered = true
not_null = ["source", "kind", "n"]
optional = ["scope", "more_words", "is_optional"]

[columns]
source = "the account"
kind = "severity, status, resolution, type, field or environment"
scope = "project that it occurs in, where a mapping may be for one project"
word = "the word as sent; NULL and blank ones do not count"
more_words = "further words of this kind that the same records carry, where there may be several"
n = "records that carry it; 1 for a status or a field, which are counted by name"
is_optional = "whether nothing depends on the meaning, so that a word without one is no finding"

[types]
source = "VARCHAR"
kind = "VARCHAR"
scope = "VARCHAR"
word = "VARCHAR"
more_words = "VARCHAR[]"
n = "BIGINT"
is_optional = "BOOLEAN"
*/
