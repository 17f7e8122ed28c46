"""`python -m pymesh`."""

import sys

from pymesh.cli import main

if __name__ == "__main__":
    sys.exit(main())
