"""What `ltx23 record` and `ltx23 replay` import: they should start in a moment."""

import subprocess
import sys

CHECK = """
import sys
import server.cli, server.commands.record, server.commands.replay
print(sorted({"torch", "transformers", "fastapi", "av", "PIL"} & set(sys.modules)))
"""


def test_the_commands_import_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
