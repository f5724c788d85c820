from server.contract.enhance import resolve_enhance


def test_enhance_uses_the_first_keyframe() -> None:
    keyframes = [{"image": "REVG", "frame": -1}, {"image": "QUJD", "frame": 0}]
    enhance = resolve_enhance({"prompt": "a fox", "keyframes": keyframes})
    assert enhance.image is not None
    assert (enhance.image.data, enhance.has_keyframes) == (b"ABC", True)
