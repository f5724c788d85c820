"""What can go wrong between a prompt and its rewrite.

EnhancerError
+-- SettingsError        an option names no model, address or device that could be used
+-- InstallError         SGLang cannot be installed here
+-- Unavailable          the other side is down, breaks off, or is left alone after failures
+-- Busy                 it has too much to do now
+-- TimedOut             it took longer than it may
+-- Refused              it does not want what it was sent (4xx)
+-- BadAnswer            it answered what is no prompt
+-- CaptionError         there is no caption of this image
    +-- CaptionerDown    nor would there be of another: the process has ended, hangs, or talks nonsense

Every message is a sentence without its full stop that a client may read, where it is not said to be the operator's: no
prompt, no address, no path stands in one.
"""


class EnhancerError(Exception):
    """Base of everything this package raises on purpose."""


class SettingsError(EnhancerError, ValueError):
    """An option is wrong; the message names it and says what would be right. For the operator, not for a client."""


class InstallError(EnhancerError):
    """The message says what to do. For the operator, not for a client."""


class Unavailable(EnhancerError):
    """The other side does not answer."""


class Busy(EnhancerError):
    """Later, perhaps."""


class TimedOut(EnhancerError):
    """The deadline of the whole call has passed."""


class Refused(EnhancerError):
    """The same again would be refused again."""


class BadAnswer(EnhancerError):
    """What came is not a prompt, or not one that is true to the user's."""


class CaptionError(EnhancerError):
    """This image gets no caption."""


class CaptionerDown(CaptionError):
    """The captioner's process is of no use; the next caption gets another."""
