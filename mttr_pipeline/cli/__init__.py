"""The `mttr` command: `main` reads options, the other modules answer and show."""
