"""A bridge in twenty lines: what you type goes to the agent, what it answers is printed. Standard library only.

In the gateway's configuration:  channels: {me: {type: "bridge", token: "a-long-secret", allowFrom: ["me"]}}
Then:                            python bridge.py http://127.0.0.1:18789/channels/me a-long-secret
"""

import json
import sys
import threading
import urllib.request
import uuid

URL, TOKEN = sys.argv[1], sys.argv[2]


def call(path: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/{path}", data, {"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer)


def listen() -> None:
    while True:  # each reply comes again until its receipt, so none is lost when this program dies
        for message in call("outbound?wait=60")["messages"]:
            print(message["text"], flush=True)
            call(f"outbound/{message['deliveryId']}/receipt", {"status": "sent"})


threading.Thread(target=listen, daemon=True).start()
for line in sys.stdin:  # the same messageId again is answered again and said once: repeat it after an error
    say = {"messageId": str(uuid.uuid4()), "chat": {"type": "direct"}, "sender": {"id": "me"}, "text": line.strip()}
    call("inbound", say)
