"""What the server process imports with the enhancer."""

import subprocess
import sys

CHECK = """
import sys
import enhancer.captioner, enhancer.captioner_main, enhancer.enhance, enhancer.florence, enhancer.sglang
import enhancer.sglang_install, enhancer.sglang_process
print(sorted({"torch", "transformers", "PIL", "fastapi", "pydantic", "pipelines", "server"} & set(sys.modules)))
"""


def test_the_enhancer_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
