"""Errors between a prompt and its rewrite.

EnhancerError
+-- OptionError        an option names no usable model, address or device
+-- InstallError         SGLang cannot be installed here
+-- Unavailable          the server is down, hung up, or is left alone after failures
+-- Busy                 it has too much to do now
+-- TimedOut             it took too long
+-- Refused              it rejects the request (4xx)
+-- BadAnswer            its answer is not a prompt
+-- CaptionError         this image has no caption
    +-- CaptionerDown    no image would: the process has ended, hangs, or sent an invalid response

Every message is a sentence without its full stop. Clients may read it unless it is said to be the operator's: it
contains no prompt, no address and no path.
"""


class EnhancerError(Exception):
    """Base of every error that this package raises on purpose."""


class OptionError(EnhancerError, ValueError):
    """An option is wrong; the message names it and says what would be right. For the operator, not for clients."""


class InstallError(EnhancerError):
    """SGLang cannot be installed; the message says what to do. For the operator, not for clients."""


class Unavailable(EnhancerError):
    """The server does not answer."""


class Busy(EnhancerError):
    """The server is busy; try again later."""


class TimedOut(EnhancerError):
    """The deadline of the whole call has passed."""


class Refused(EnhancerError):
    """The server would refuse the same request again."""


class BadAnswer(EnhancerError):
    """The answer is not a prompt, or not one that keeps the user's words."""


class CaptionError(EnhancerError):
    """This image has no caption."""


class CaptionerDown(CaptionError):
    """The captioner's process is unusable; the next caption gets a new one."""
