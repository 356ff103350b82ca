"""What `ray job submit` starts: `medpipe run` with the same arguments and exit codes.

    ray job submit --working-dir jobs -- python curate.py SOURCE... --recipe F --out URI

Submitted again it resumes. Ray shows the exit code as `driver_exit_code`: 0 all in or rejected,
1 a bug of ours, 2 usage or config, 3 dead letters, 130 interrupted.
"""

import sys

from medpipe.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
