"""`python -m textssl` is the command `textssl`."""

import sys

from textssl.cli import main

sys.exit(main())
