"""Following the lists of other nodes."""
