"""What `ray job submit` starts: `medpipe train` with the same arguments and exit codes."""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
