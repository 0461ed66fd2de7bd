/*
description = "The newest answer about each project."
key = ["external_id"]

[columns]
external_id = "id of the project"
slug = "slug, else its name"
teams = "names of the teams that own it"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    text_or_null(id) AS external_id,
    coalesce(plain_text(slug), plain_text("name")) AS slug,
    list_filter(teams, lambda one: text_or_null(one) IS NOT NULL) AS teams,
    CASE WHEN text_or_null(id) IS NULL THEN 'no id' END AS reject_reason,
    landed_in
FROM landed({id: 'VARCHAR', slug: 'VARCHAR', "name": 'VARCHAR', teams: 'VARCHAR[]'})
