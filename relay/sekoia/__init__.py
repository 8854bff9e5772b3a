"""Sekoia.io's automation callbacks and HTTP intake, played for a module that runs unmodified."""
