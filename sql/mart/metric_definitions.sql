/*
description = "The definitions and settings in force. Figures with the same definition_hash are comparable."
published = true
not_null = ["name", "value", "definition_hash"]
unique = [["name"]]

[columns]
name = "what is defined: definition.<name>, or setting.<key in mttr.toml>"
value = "the definition in words, or the setting as JSON"
definition_hash = "hash of the SQL, the statistics, the vocabulary and the settings in force"
*/
SELECT d.name, d.value, run.definition_hash
FROM config.definitions AS d
CROSS JOIN config.run AS run
ORDER BY d.name
