"""Public names of tracium's older SDK (until 1.5) that are not the names of today."""
