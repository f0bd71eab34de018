"""The error whose message alone tells a user what to do."""


class UserError(Exception):
    """Something outside the code is wrong: a file, a setting, a download.

    The message names what was required, what came, and the remedy; it is shown
    without a traceback.
    """


class NothingThereError(UserError):
    """A source answered, and has nothing for what was asked: no fault of the network or of a setting."""
