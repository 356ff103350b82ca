"""What `ray job submit` starts: `medpipe train` with the same arguments and exit codes.

    ray job submit --working-dir jobs -- python train.py RECIPE --out URI

Submitted again it goes on from its newest checkpoint. Ray shows the exit code as
`driver_exit_code`: 0 finished, 1 a bug or workers that failed too often, 2 usage or config,
130 interrupted.
"""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
