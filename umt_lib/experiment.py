"""``python -m umt_lib.experiment`` is ``umt run``, under the name it had before version 0.2."""

import sys

from umt_lib.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
