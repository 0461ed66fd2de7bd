/*
description = """Issues as the search of Jira lists them (GET or POST /search, with expand=changelog for their history). They are records of
the source jira, as if they had been pulled."""
form = "json"
records = ["issues"]
needs = ["id", "key", "fields"]
lands = "jira.issues"

[columns]
record = "the issue as it was sent"
*/
SELECT line, record FROM given
