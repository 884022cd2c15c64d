"""What the checks with real programs share."""

import pathlib
import re
import socket
import time

README = (pathlib.Path(__file__).resolve().parents[1] / "README.md").read_text()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def recipe(name):
    """The indented block below **NAME** in the README, as it stands there."""
    return re.search(r"\n\n((?:    .*\n)+)", README.split(f"**{name}**", 1)[1]).group(1)


def report(name, results, logs):
    """Says of each (what, right, came) whether it holds, and shows the logs if one does not. Returns the exit code."""
    passed = 0
    for what, right, came in results:
        passed += came == right
        print(f"{what} ... {'ok' if came == right else f'FAILED: {str(came)[:2000]}'}")
    if passed < len(results):
        print(*logs, sep="\n")
    print(f"{name}: {passed} passed, {len(results) - passed} failed")
    return int(passed < len(results))
