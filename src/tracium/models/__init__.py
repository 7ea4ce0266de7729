"""What tracium adds to the libraries that call models, one module for each."""
