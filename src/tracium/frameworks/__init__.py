"""What a web framework needs besides its instrumentor: one file for each."""
