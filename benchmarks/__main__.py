"""`make bench`: the comparison of connectors, or with `action` first, that of one action."""

import sys

from benchmarks import action, connector

if __name__ == "__main__":
    chosen, *rest = sys.argv[1:] or [""]
    sys.exit(action.main(rest) if chosen == "action" else connector.main(sys.argv[1:]))
