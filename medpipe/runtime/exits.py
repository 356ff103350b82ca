"""What a run exits with; Ray shows it as the driver's exit code."""

EXIT_DONE = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_DEAD_LETTERS = 3
EXIT_INTERRUPTED = 130  # the same command goes on
