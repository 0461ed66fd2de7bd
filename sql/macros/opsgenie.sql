-- What the SQL of Opsgenie shares.

-- Whether a timeline entry of an incident is of a type that is known to say nothing about its life.
CREATE OR REPLACE MACRO opsgenie_incident_is_routine(vendor_type) AS regexp_full_match(vendor_type,
    '(Incident(Opened|Created|Responder|Stakeholder|Priority|Tag|Note|Message|Description|Owner|Service)|Responder|StatusPage|Custom)\w*',
    'i');

-- Whether a detail of an alert is the id of the incident that it belongs to.
CREATE OR REPLACE MACRO is_incident_id(key) AS replace(replace(lower(key), '-', ''), '_', '') = 'incidentid';
