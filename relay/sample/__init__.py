"""A growing audit log behind an HTTP API, to try the module on."""
