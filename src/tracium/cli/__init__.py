"""The `tracium` command: one file for each sub-command."""
