"""The working database: the SQL files, the order in which they run, loading and building."""
