"""The web page that shows what the relay holds."""
