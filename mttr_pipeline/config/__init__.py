"""Settings: what the environment and `mttr.toml` say, the vocabulary, and the rules by which names and values are read."""
