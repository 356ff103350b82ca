"""What `ray job submit` starts: `medpipe evaluate` with the same arguments and exit codes.

    ray job submit --working-dir jobs -- python evaluate.py CHECKPOINT... SUITE --out URI

Ray shows the exit code as `driver_exit_code`: 0 done, 1 a bug of ours, 2 usage or config.
"""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
