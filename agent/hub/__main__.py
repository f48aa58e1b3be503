"""`python -m agent.hub`, the same as `bodycam-hub`."""

import sys

from agent.hub.cli import main

if __name__ == "__main__":
    sys.exit(main())
