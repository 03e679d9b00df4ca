"""Turns the suite, which is written for Python 2, into Python 3.

    port.py SDISTS LIB

Unpacks the source archives in SDISTS and leaves the packages in LIB. The suite's cases and its way
to a verdict stay as they are; only what Python 3 reads differently is rewritten, rule by rule, and
a rule that does not match as often as it says stops the port.

In Python 2 a string is its octets. Here a case's payload stays a string, one character for each
octet: its source is read as Latin-1, so that every literal is its own octets. `fuzz.py` turns them
into bytes where they reach the protocol.
"""

import re
import shutil
import sys
import tarfile
from pathlib import Path

SDISTS, LIB = Path(sys.argv[1]), Path(sys.argv[2])

# Of the suite: the cases, their catalogue, the fuzzer and its report.
KEPT = ["_version.py", "caseset.py", "fuzzing.py", "report.py", "case", "testdata"]

ROOT = '''
from pathlib import Path

from ._version import __version__ as version


def resource(name):
    """A data file of the suite, whatever package it asks for."""
    return str(Path(__file__).parent / name)
'''

# (files, pattern, replacement, matches in all of them together)
RULES = [
    # the report needs this file's constants only
    ("report.py", r"^import jinja2$", "", 1),
    ("report.py", r"(?s)^REPORT_DIR_PERMISSIONS.*", "", 1),
    # the language
    ("**/*.py", r"^( *)print$", r"\1print()", 2),
    ("**/*.py", r"^( *)print (.*)$", r"\1print(\2)", 26),
    ("**/*.py", r"([\w.\[\]]+)\.has_key\((.*?)\)", r"\2 in \1", 14),
    ("case/*.py", r"\bxrange\(", "range(", 11),
    ("case/*.py", r"\bunichr\(", "chr(", 5),
    ("**/*.py", r"^from (case\w*|caseset|report) import", r"from .\1 import", 288),
    ("case/*.py", r"\(object, Case, \)", "(Case, )", 6),
    ("case/case10_1_1.py", r"len\(self.payload\) / ", "len(self.payload) // ", 1),
    # two equal lists need not have equal pickles
    ("case/case.py", r"pickle\.dumps\(obj1\) == pickle\.dumps\(obj2\)", "obj1 == obj2", 1),
    # a case that is not in the list
    ("case/__init__.py", r"^from \.case9_9_1 import \*$", "", 1),
    # octets
    ("case/*.py", r"^import binascii$", "from autobahntestsuite import octets as binascii", 13),
    ("case/case6_x_x.py", r"v\.validate\(vss\[:i\]\)", "v.validate(binascii.octets(vss[:i]))", 1),
    ("case/case12_x_x.py", r"^(def onMessage.*)$", r"\1\n   msg = binascii.octets(msg)", 1),
    ("fuzzing.py", r"''\.join\(payload\)", "b''.join(payload)", 1),
    ("fuzzing.py", r"\(\('         <tr (.*)\)\.encode\(\"utf-8\"\)\)$", r"('         <tr \1)", 1),
    ("fuzzing.py", r"ll\.encode\('utf8'\)", "ll", 1),
    # what is not installed
    ("case/case12_x_x.py", r"^import copy, .*$", "import copy, os, hashlib\n"
     "from autobahntestsuite import octets as binascii, resource", 1),
    ("fuzzing.py", r"^import os, .*$", "import os, json, time, textwrap\n"
     "from autobahntestsuite import octets as binascii, resource", 1),
    ("**/*.py", r"pkg_resources\.resource_filename\(\"autobahntestsuite\",\s*", "resource(", 4),
    ("fuzzing.py", r"^from twisted.internet import reactor, ssl$",
     "from twisted.internet import reactor", 1),
    ("fuzzing.py", r"ssl\.ClientContextFactory\(\)", "None", 1),
]


def unpack(name, package, keep=None):
    with tarfile.open(SDISTS / f"{name}.tar.gz") as archive:
        archive.extractall(SDISTS)
    source, target = SDISTS / name / package, LIB / package
    for entry in sorted(source.iterdir()):
        if keep is None or entry.name in keep:
            copy = shutil.copytree if entry.is_dir() else shutil.copy
            target.mkdir(parents=True, exist_ok=True)
            copy(entry, target / entry.name)
    return target


def rewrite(root, files, pattern, replacement, expected):
    matches = 0
    for path in sorted(root.glob(files)):
        text, count = re.subn(pattern, replacement, path.read_text("utf-8"), flags=re.MULTILINE)
        if count:
            path.write_text(text, "utf-8")
            matches += count
    if matches != expected:
        sys.exit(f"port: {files}: {pattern!r} matches {matches} times, not {expected}")


def main():
    shutil.rmtree(LIB, ignore_errors=True)
    unpack("txaio-2.1.0", "txaio")
    autobahn = unpack("autobahn-0.10.9", "autobahn")
    rewrite(autobahn, "websocket/protocol.py", r"range\(payload_len / ", "range(payload_len // ", 1)
    suite = unpack("autobahntestsuite-25.10.1", "autobahntestsuite", KEPT)
    (suite / "case/case9_9_1.py").unlink()
    (suite / "__init__.py").write_text(ROOT)
    for path in suite.rglob("*.py"):
        path.write_text(path.read_text("latin-1"), "utf-8")
    for rule in RULES:
        rewrite(suite, *rule)
    shutil.copy(Path(__file__).with_name("octets.py"), suite / "octets.py")


main()
