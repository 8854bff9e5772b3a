"""How an HTTP API is read and its records delivered; import from the module of the concept."""
