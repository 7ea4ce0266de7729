"""What crosses the border of the process."""
