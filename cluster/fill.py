"""Puts Terraform's outputs, and NAME=VALUE arguments, where a cluster file says SET_NAME.

terraform -chdir=infra/terraform output -json |
    python cluster/fill.py cluster/aws.yaml image_cpu=... image_gpu=... > my-aws.yaml
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

_MARK = re.compile(r"\bSET_([a-z0-9_]+)\b")


def filled(text: str, values: dict[str, object]) -> str:
    """The text with every mark outside comments replaced; lists are written as YAML takes them.

    Raises:
        ValueError: Values are missing.
    """
    missing: set[str] = set()

    def value_of(mark: re.Match[str]) -> str:
        value = values.get(mark[1])
        if value is None:
            missing.add(mark[1])
        return value if isinstance(value, str) else json.dumps(value)

    lines = (
        line if line.lstrip().startswith("#") else _MARK.sub(value_of, line)
        for line in text.splitlines(keepends=True)
    )
    done = "".join(lines)
    if missing:
        raise ValueError(f"no value for: {', '.join(sorted(missing))}")
    return done


def main(arguments: Sequence[str]) -> None:
    """Write the filled file to standard output; Terraform's outputs come by standard input."""
    path, *pairs = arguments
    told = "" if sys.stdin.isatty() else sys.stdin.read()
    values = {name: output["value"] for name, output in json.loads(told or "{}").items()}
    values |= dict(pair.split("=", 1) for pair in pairs)
    try:
        sys.stdout.write(filled(Path(path).read_text("utf-8"), values))
    except ValueError as error:
        sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
