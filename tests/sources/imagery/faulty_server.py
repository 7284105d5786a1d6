"""A local server that fails as told, for the servers that speak the shapes of a source's API."""

import asyncio
import contextlib
import dataclasses
import json
import threading

from aiohttp import web


@dataclasses.dataclass
class _Rule:
    kind: str
    fault: str
    times: int
    key: str | None
    left: dict = dataclasses.field(default_factory=dict)

    def applies(self, kind, key):
        """Each thing asked for meets the fault so many times."""
        if self.kind not in (kind, "any") or self.key not in (None, key):
            return False
        left = self.left.setdefault((kind, key), self.times)
        self.left[kind, key] = left - 1
        return left > 0


class FaultyServer:
    """Answers over real sockets. Use as a context manager; faults by `fail`; `routes` says what it answers."""

    def __init__(self):
        self.rules = []
        self.requests = []
        self.complaints = []
        self.before_each = lambda kind, key: None
        self.most_at_once = 0
        self._now = 0

    def fail(self, kind, fault, times=1, key=None):
        """From now on the first `times` requests of that kind for each thing (or for `key` alone) meet a fault."""
        self.rules.append(_Rule(kind, fault, times, key))
        return self

    def __enter__(self):
        started = threading.Event()
        self._loop = asyncio.new_event_loop()

        def run():
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._start())
            started.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def count(self, kind):
        return sum(k == kind for k, _ in self.requests)

    def own_fault(self, fault):
        """The answer of a fault that only this kind of server has, or None."""
        return None

    def routes(self):
        """The routes of the server."""
        raise NotImplementedError

    async def _start(self):
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self):
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _json(self, request, kind, key, reply):
        return await self._answer(request, kind, key, json.dumps(reply).encode(), "application/json")

    async def _answer(self, request, kind, key, body, content_type, status=200):
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            await asyncio.sleep(0)
            return await self._reply(request, kind, key, body, content_type, status)
        finally:
            self._now -= 1

    async def _reply(self, request, kind, key, body, content_type, status):
        self.requests.append((kind, key))
        self.before_each(kind, key)
        fault = next((rule.fault for rule in self.rules if rule.applies(kind, key)), None)
        if fault is None:
            return web.Response(status=status, body=body, content_type=content_type)
        return await self._fault(request, fault, body, content_type)

    async def _fault(self, request, fault, body, content_type):
        if own := self.own_fault(fault):
            return own
        match fault:
            case "429":
                return web.Response(status=429, text="Too many requests")
            case "429 wait":
                return web.Response(status=429, headers={"Retry-After": "0.2"})
            case "429 tomorrow":
                return web.Response(status=429, headers={"Retry-After": "86400"})
            case "500" | "503":
                return web.Response(status=int(fault), text="<html><body>Sorry</body></html>", content_type="text/html")
            case "401":
                return web.Response(status=401)
            case "expired":
                return web.Response(status=410)
            case "empty":
                return web.Response(status=200, body=b"", content_type=content_type)
            case "html":
                return web.Response(status=200, text="<html><body>Log in</body></html>", content_type="text/html")
            case "half":  # whole as far as HTTP can tell
                return web.Response(status=200, body=body[: len(body) // 2], content_type=content_type)
            case "redirect":
                return web.Response(status=302, headers={"Location": f"{self.root}/elsewhere"})
        reply = web.StreamResponse(headers={"Content-Type": content_type, "Content-Length": str(len(body) + 10)})
        await reply.prepare(request)
        await reply.write(body[: len(body) // 2])
        if fault == "stall":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(30)
        request.transport.abort() if fault == "reset" else request.transport.close()
        return reply
