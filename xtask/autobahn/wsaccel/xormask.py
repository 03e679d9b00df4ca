"""Masking, RFC 6455 section 5.3, as one addition without carry of two long numbers."""


class XorMaskerNull:
    """No masking."""

    def __init__(self, mask=None):
        self.at = 0

    def pointer(self):
        return self.at

    def reset(self):
        self.at = 0

    def process(self, data):
        self.at += len(data)
        return data


class XorMasker(XorMaskerNull):
    def __init__(self, mask):
        super().__init__()
        self.mask = bytes(mask)

    def process(self, data):
        size, phase = len(data), self.at % 4
        key = (self.mask * (size // 4 + 2))[phase:phase + size]
        self.at += size
        masked = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
        return masked.to_bytes(size, "little")


def createXorMasker(mask, length=None):
    return XorMasker(mask)
