/*
description = """Deploys of all sources in one shape, one row per deploy and service that it brought out. What counts as production, what was
rolled back and which rows of different sources are one deploy is not decided here."""
gathered = true
not_null = ["source", "external_id", "finished_precision"]
optional = ["service", "environment", "version", "sha", "vendor_status", "requested_at", "started_at", "first_commit_at", "title", "texts", "url",
    "rollback_of", "says_rollback", "caused", "is_shared", "updated_at"]

[columns]
source = "the account"
external_id = "the vendor's id of the deploy"
service = "name of the service that was brought out"
environment = "name of the environment as sent"
version = "version or release, as people call it"
sha = "commit that was brought out"
status = "success, failure, cancelled or rolled_back; NULL while it is not over, and where the vendor does not say"
vendor_status = "the vendor's word for it"
requested_at = "when somebody or something asked for it: it may wait for an approval after that. UTC"
started_at = "when work on it began. UTC"
finished_at = "when it was over, successful or not; NULL where nothing says it: the time of a later change is none. UTC"
finished_precision = "how well finished_at is known: exact, job (the end of the job that did it), commit (a commit or tag only) or interval (between two runs)"
first_commit_at = "author date of the earliest commit that it brought out first. UTC"
title = "what it is called, or the title of its commit"
texts = "further texts that may name incidents, tickets or errors: messages of its commits, titles of its pull requests, notes"
url = "page at the vendor"
rollback_of = "external_id, in the same source, of the deploy that it takes back"
says_rollback = "whether the vendor or the sender calls it a rollback"
caused = "ids, keys or addresses of the records of incidents that it is said to have caused"
is_shared = "whether the vendor has one deploy for several services"
updated_at = "when the record changed last. UTC"
landed_in = "landing file"

[types]
source = "VARCHAR"
external_id = "VARCHAR"
service = "VARCHAR"
environment = "VARCHAR"
version = "VARCHAR"
sha = "VARCHAR"
status = "VARCHAR"
vendor_status = "VARCHAR"
requested_at = "TIMESTAMP"
started_at = "TIMESTAMP"
finished_at = "TIMESTAMP"
finished_precision = "VARCHAR"
first_commit_at = "TIMESTAMP"
title = "VARCHAR"
texts = "VARCHAR[]"
url = "VARCHAR"
rollback_of = "VARCHAR"
says_rollback = "BOOLEAN"
caused = "VARCHAR[]"
is_shared = "BOOLEAN"
updated_at = "TIMESTAMP"
landed_in = "VARCHAR"
*/
