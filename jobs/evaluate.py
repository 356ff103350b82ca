"""What `ray job submit` starts: `medpipe evaluate` with the same arguments and exit codes."""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
