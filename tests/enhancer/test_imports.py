"""What the server's process loads with the enhancer."""

import subprocess
import sys

CHECK = """
import sys
import enhancer.captioner, enhancer.captioner_main, enhancer.enhance, enhancer.florence, enhancer.sglang
import enhancer.sglang_install, enhancer.sglang_process
print(sorted({"torch", "transformers", "PIL", "fastapi", "pydantic", "pipelines", "server"} & set(sys.modules)))
"""


def test_nothing_heavy_comes_with_the_enhancer() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
