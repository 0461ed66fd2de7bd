/*
description = """What readers see of each person that a vendor names as the one who did something or who was called: a pseudonym, or the
name itself where `[people] publish_names` is set. Machines and integrations are not in it. This table is never published."""
not_null = ["written", "shown"]
unique = [["written"]]

[columns]
written = "the person as the vendor writes it: a name, an e-mail address or an id"
shown = "the pseudonym, such as person-3f9a2c17; the same for every spelling in upper and lower case"
*/
-- One call of the function for each person, not for each event.
SELECT written, pseudonym(written) AS shown
FROM (
    SELECT actor AS written FROM staging.events WHERE NOT is_machine(actor_kind)
    UNION
    SELECT actor FROM staging.error_events WHERE NOT is_machine(actor_kind)
    UNION
    SELECT responder FROM staging.responders WHERE is_person(kind)
)
WHERE written IS NOT NULL
