"""Work that is handed to threads: it takes its tenant along, and only along."""
