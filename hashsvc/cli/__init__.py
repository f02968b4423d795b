"""The command line: one file per noun. Status 0 clean, 1 error, 2 usage, 3 matched."""
