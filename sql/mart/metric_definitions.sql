/*
description = "The definitions and the configuration in force. Two files with the same definition_hash count the same way."
published = true
not_null = ["name", "value", "definition_hash"]
unique = [["name"]]

[columns]
name = "what is defined; settings carry their key in mttr.toml"
value = "the definition in words, or the setting as JSON"
definition_hash = "hash over the SQL and the settings in force"
*/
SELECT d.name, d.value, run.definition_hash
FROM config.definitions AS d
CROSS JOIN config.run AS run
ORDER BY d.name
