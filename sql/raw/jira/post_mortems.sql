/*
description = "The newest payload of each post-mortem, typed like an incident, which it is not (Jira platform REST API, Get issue)."
like = "raw.${source}_issues"
key = ["external_id"]
version = "updated_at"
*/
