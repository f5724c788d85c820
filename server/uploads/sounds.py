"""Find out whether the sound of a request can be used, and how long it is."""

from fractions import Fraction

from server.contract.errors import RequestInvalid
from server.contract.sound import ResolvedSound
from server.jobs.workspace import Workspace
from server.uploads.checker import MediaChecker
from server.uploads.files import write_sound


async def measure_sound(
    checker: MediaChecker, workspace: Workspace, sound: ResolvedSound, owner: str | None
) -> Fraction:
    """Return the length in seconds. Raises RequestInvalid, or NotReady if the server stops.

    The sound is decoded completely, because a later error could no longer name its field.
    """
    with workspace.job_folder() as folder:
        found = await checker.check_sound(await write_sound(folder, sound.data), owner)
    if found.error is not None:
        raise RequestInvalid.at(sound.loc, found.error, "audio_invalid")
    return found.length_s
