"""Hash lists: the ledger that changes them, its rules, and the indexer that follows them."""
