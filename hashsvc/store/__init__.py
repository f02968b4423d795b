"""The store: a node's logs and their projections, in SQLite or PostgreSQL. All SQL is here."""
