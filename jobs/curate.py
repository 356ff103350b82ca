"""What `ray job submit` starts: `medpipe run` with the same arguments and exit codes."""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
