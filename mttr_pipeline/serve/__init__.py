"""`mttr serve`: webhooks come in by HTTP, and the newest report can be read. It calculates nothing and changes nothing published."""
