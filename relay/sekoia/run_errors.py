"""What stops a run before it starts; what goes wrong inside a module is reported by the module itself."""


class RunError(Exception):
    """The run as asked for is impossible; the text is one sentence that names the cause and the remedy."""
