"""The small service at the other end: it plays Sekoia.io on a laptop and serves what it holds to other products."""
