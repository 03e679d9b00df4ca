"""UTF-8 by the interpreter's own decoder, which finds a bad octet as early as there is one."""

import codecs


class Utf8Validator:
    def __init__(self):
        self.reset()

    def reset(self):
        self.begun = b""  # a character that is not whole yet
        self.total = 0

    def validate(self, data):
        """Whether all is valid, whether it ends between characters, and the index up to which it
        is: in `data`, and in all of it since `reset`."""
        data, before = self.begun + bytes(data), len(self.begun)
        try:
            _, whole = codecs.utf_8_decode(data, "strict", False)
        except UnicodeDecodeError as error:
            bad = error.start if error.reason == "invalid start byte" else error.end
            return False, False, bad - before, self.total + bad - before
        self.begun = data[whole:]
        self.total += len(data) - before
        return True, not self.begun, len(data) - before, self.total
