"""Python websockets with permessage-deflate: every kind of message comes back equal."""

import asyncio
import json

import websockets

LINE = "the same words again and again, so that the second message is small on the wire; "
SENT = [
    "a short text",
    "",
    "zażółć gęślą jaźń ✓ 🙂",
    LINE * 2000,
    LINE * 2000,
    bytes((i * i + 7 * i) % 251 for i in range(200_000)),
    b"",
]


async def fragments():
    for part in ("in ", "three ", "pieces"):
        yield part


async def main():
    async with websockets.connect("wss://echo.example/echo", open_timeout=20) as socket:
        extensions = [extension.name for extension in socket.protocol.extensions]
        count = size = 0
        for message in SENT:
            await socket.send(message)
            assert await socket.recv() == message, f"message {count} came back different"
            count, size = count + 1, size + len(message if isinstance(message, bytes) else message.encode())
        await socket.send(fragments())
        assert await socket.recv() == "in three pieces", "the fragmented message came back different"
        pong = await socket.ping(b"are you there")
        await pong
        await socket.close(1000, "all came back")
    print(
        json.dumps(
            {
                "client": f"websockets {websockets.__version__}",
                "extensions": extensions,
                "messages": count + 1,
                "bytes": size + len("in three pieces"),
            }
        )
    )


asyncio.run(main())
