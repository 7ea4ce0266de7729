"""An app that sends by every HTTP client, a service inside, and a proxy that plays all other hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from support.app import environment
from support.receiver import http_receiver
from support.recorder import recorder

APP = Path(__file__).parent / "apps" / "clients_app.py"
KEY = "a-key-for-the-tests-of-clients"
LISTED = "orders.example.com"


class App:
    """The app's process, and what it sends to."""

    def __init__(self, process, inside, proxy, receiver):
        self.process, self.inside, self.proxy, self.receiver = process, inside, proxy, receiver

    def ask(self, client, *urls, **told):
        return self.tell(do="ask", client=client, urls=urls, **told)

    def sent(self):
        """What arrived anywhere since the last time, in its order."""
        return sorted([*self.inside.take(), *self.proxy.take()], key=lambda each: each.at)

    def tell(self, **told):
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()[-4000:]
        return json.loads(line)


@contextmanager
def running(**variables):
    """Run the app until the block ends."""
    with recorder() as inside, recorder() as proxy, http_receiver() as receiver:
        env = environment(receiver, TRACIUM_PROPAGATION_KEY=KEY, TRACIUM_INSIDE_HOSTS=LISTED, **variables)
        env |= dict.fromkeys(("HTTP_PROXY", "http_proxy"), proxy.url())
        env |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost,::1")
        process = subprocess.Popen(
            [sys.executable, str(APP)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield App(process, inside, proxy, receiver)
            _, errors = process.communicate(timeout=20)
            assert errors == ""
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
