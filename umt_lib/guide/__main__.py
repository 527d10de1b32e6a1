"""``python -m umt_lib.guide`` is ``umt guide``."""

import sys

from umt_lib.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["guide", *sys.argv[1:]]))
