"""One run of one contender: ``python -m benchmarks.worker MODULE.FUNCTION '{"argument": …}'``.

The function's result goes to standard output as the last line, in JSON.
"""

import importlib
import json
import sys


def main() -> None:
    module, _, function = sys.argv[1].rpartition(".")
    call = getattr(importlib.import_module(f"benchmarks.{module}"), function)
    result = call(**json.loads(sys.argv[2]))
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
