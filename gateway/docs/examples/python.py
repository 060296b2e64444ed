# apt install python3-websockets; MOONX_TOKEN=… python3 python.py
import asyncio
import json
import os

import websockets


async def main():
    url = os.environ.get("MOONX_URL", "ws://127.0.0.1:3008/ws")
    headers = {"Authorization": "Bearer " + os.environ["MOONX_TOKEN"]}
    async with websockets.connect(url, extra_headers=headers) as socket:
        await socket.send(json.dumps({"type": "subscribe", "data": {"channel": "chat:lobby"}}))
        async for text in socket:
            message = json.loads(text)
            print(message["type"], json.dumps(message["data"]), flush=True)


asyncio.run(main())
