"""`python -m gateway` is `fetion-gateway`."""

import sys

from gateway.cli import main

sys.exit(main())
