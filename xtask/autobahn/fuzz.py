"""Runs the ported suite.

    fuzz.py cases                   prints the ids of all cases
    fuzz.py client SPEC             runs cases against a server
    fuzz.py server SPEC             serves cases to a client; prints its port, ends after the last
    fuzz.py report FOLDER RESULTS.. makes one report of what runs left

SPEC is JSON: `cases`, `agent`, `results`, the file to write; of a client also `url` and `connect`,
the address that is connected to whatever the URL says.
"""

import json
import pickle
import sys

from twisted.internet import reactor

from autobahntestsuite import fuzzing
from autobahntestsuite.octets import b2a_hex, octets, text

LOGGED = 64  # octets of a payload that the report shows


def hex_shown(data, maxlen=LOGGED):
    return b2a_hex(data[:maxlen]) + (" ..." if len(data) > maxlen - 4 else "")


def text_shown(data, maxlen=LOGGED, replace=False):
    data = octets(data)
    try:
        if len(data) > maxlen - 4:
            return data[:maxlen].decode() + " ..."
        return data.decode()
    except UnicodeDecodeError:
        return "0x" + hex_shown(data, maxlen)


def readable(value):
    """What a report takes: no bytes at any depth."""
    if isinstance(value, dict):
        return {key: readable(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(readable(part) for part in value)
    return text(value)


def bridge():
    """Lets cases speak of octets as strings, and the protocol of bytes."""
    fuzzing.binLogData = hex_shown
    fuzzing.asciiLogData = text_shown
    protocol = fuzzing.FuzzingProtocol

    def outward(name):
        def send(self, *args, **named):
            args = [octets(value) for value in args]
            named = {key: octets(value) for key, value in named.items()}
            return getattr(super(protocol, self), name)(*args, **named)

        setattr(protocol, name, send)

    def inward(name):
        heard = getattr(protocol, name)

        def hear(self, payload, *args):
            return heard(self, text(payload), *args)

        setattr(protocol, name, hear)

    for name in ["sendFrame", "sendMessage", "sendMessageFrameData", "sendCloseFrame"]:
        outward(name)
    for name in ["onMessage", "onPong"]:
        inward(name)


def keep_results(spec):
    """Writes the results whenever there is one more; calls `last` after the last."""
    results = []
    log = fuzzing.FuzzingFactory.logCase

    def keep(self, result):
        result = readable(result)
        log(self, result)
        results.append(result)
        if len(results) == len(spec["cases"]) or len(results) % 10 == 0:
            with open(spec["results"], "wb") as file:
                pickle.dump(results, file)
        if self.isServer and len(results) == len(spec["cases"]):
            reactor.stop()

    fuzzing.FuzzingFactory.logCase = keep
    fuzzing.FuzzingFactory.createReports = lambda self: None  # `report` makes one of all


def client(spec):
    host, port = spec["connect"]
    fuzzing.connectWS = lambda factory, **named: reactor.connectTCP(host, port, factory)
    server = {"agent": spec["agent"], "url": spec["url"]}
    fuzzing.startClient({"servers": [server], "cases": spec["cases"]})


def server(spec):
    port, sys.stdout = sys.stdout, sys.stderr  # the suite has words of its own
    # Without a port in it, as whoever asks may have come by another.
    factory = fuzzing.FuzzingServerFactory({"url": "ws://localhost", "cases": spec["cases"]})
    factory.externalPort = None
    address = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost()
    print(address.port, file=port, flush=True)


def report(folder, files):
    factory = fuzzing.FuzzingFactory(folder)
    factory.CaseSet = fuzzing.CaseSet(
        fuzzing.CaseSetname,
        fuzzing.CaseBasename,
        fuzzing.Cases,
        fuzzing.CaseCategories,
        fuzzing.CaseSubCategories,
    )
    for name in files:
        with open(name, "rb") as file:
            for result in pickle.load(file):
                factory.logCase(result)
    factory.createReports()


def main():
    task, *arguments = sys.argv[1:]
    if task == "cases":
        names = [case.__name__.removeprefix("Case") for case in fuzzing.Cases]
        print(json.dumps([name.replace("_", ".") for name in names]))
    elif task == "report":
        report(arguments[0], arguments[1:])
    else:
        spec = json.loads(arguments[0])
        bridge()
        keep_results(spec)
        {"client": client, "server": server}[task](spec)
        reactor.run()


main()
