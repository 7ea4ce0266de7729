"""How long telemetry is kept, how it is deleted, how much there is of it, and how it is backed up."""
