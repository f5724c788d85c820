import subprocess
import sys

from pipelines.media.codecs import FORMATS
from pipelines.spec import Container


def test_every_container_has_codecs():
    assert set(FORMATS) == set(Container)


def test_media_types_are_those_that_clients_expect():
    assert {container: (row.media_type, row.suffix) for container, row in FORMATS.items()} == {
        "mp4": ("video/mp4", ".mp4"),
        "webm": ("video/webm", ".webm"),
    }


def test_codecs_and_the_image_reader_import_nothing_heavy():
    code = (
        "import sys, pipelines.media.codecs, pipelines.media.image\n"
        "print(sorted({'av', 'torch', 'diffusers', 'fastapi'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
