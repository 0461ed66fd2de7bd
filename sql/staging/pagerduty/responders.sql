/*
description = "The escalation policy that an incident calls people by: the rota."
yields = "responders"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "PagerDuty id of the incident"
responder = "name of the escalation policy"
kind = "always escalation"
*/
SELECT '${source}' AS source, external_id, escalation_policy AS responder, 'escalation' AS kind
FROM staging.${source}_incidents
WHERE escalation_policy IS NOT NULL
