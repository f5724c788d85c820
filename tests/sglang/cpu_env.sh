#!/usr/bin/env bash
# Makes a virtual environment in which SGLang runs on a CPU, for tests: tests/sglang/cpu_env.sh FOLDER [PYTHON]
#
# SGLang is published for CUDA. On a CPU its pure Python is enough for a plain Llama with torch's own attention, once two
# imports are satisfied that only matter elsewhere. Takes about 3 minutes and 2.9 GB; a folder that is whole is left alone.
set -euo pipefail
folder=$1
python=${2:-python3}
[ -e "$folder/.installed" ] && exit 0

rm -rf "$folder"
"$python" -m venv "$folder"
pip="$folder/bin/python -m pip install --disable-pip-version-check --quiet"

# What SGLang imports on this path, but for its CUDA packages.
$pip torch==2.13.0 transformers==5.19.0 fastapi 'uvicorn>=0.51' uvloop httpx pillow sentencepiece protobuf aiohttp \
    'anthropic>=0.20' blobfile==3.0.0 dill distro einops gguf interegular IPython 'llguidance>=1.7.6,<2' loguru msgspec \
    ninja openai==2.8.0 openai-harmony==0.0.4 orjson outlines==0.1.11 partial_json_parser 'prometheus-client>=0.20' \
    psutil pybase64 python-multipart 'pyzmq>=25.1.2' regex requests scipy setproctitle soundfile tiktoken triton \
    watchfiles xxhash zstandard xgrammar==0.2.7 apache-tvm-ffi==0.1.11
# Their own requirements would fetch torch for CUDA.
$pip --no-deps sglang==0.5.23 torchvision==0.28.0 compressed-tensors==0.18.0 timm==1.0.25

packages=$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')

# torchvision's wheel is built against torch for CUDA, and cannot load its operators on another. It describes two of them
# to torch when it is imported, so these have to exist by name. A .pth file is run at the start of every process.
cat > "$packages/sglang_on_cpu.py" <<'PYTHON'
import sys


class DeclareOperators:
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            sys.modules[__name__].declared = self


sys.meta_path.insert(0, DeclareOperators())
PYTHON
echo 'import sglang_on_cpu' > "$packages/sglang_on_cpu.pth"

# Off CUDA, SGLang's rotary embedding takes its kernel from vLLM, and then runs the one in plain torch.
mkdir "$packages/vllm"
touch "$packages/vllm/__init__.py"
printf 'def rotary_embedding(*args, **kwargs):\n    raise NotImplementedError\n' > "$packages/vllm/_custom_ops.py"

touch "$folder/.installed"
