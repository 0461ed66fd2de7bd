/*
description = "The newest payload of each issue that a ticket or a post-mortem names as a follow-up action, typed like an incident, which it is not."
like = "raw.${source}_issues"
key = ["external_id"]
version = "updated_at"
*/
