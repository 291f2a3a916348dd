"""Carries out a fault: breaks something, waits, and repairs it."""
import asyncio
import signal


class Breaker:
    def __init__(self, cluster):
        self.cluster = cluster

    async def apply(self, fault):
        """Returns when the fault is healed: everything runs and every link is open."""
        deed = fault.kind.split("-")[0]
        await getattr(self, f"_{deed}")(fault)

    async def _kill(self, fault):
        self.cluster.signal(fault.target, signal.SIGKILL)
        await asyncio.sleep(fault.lasts_s)
        await self.cluster.up()

    async def _stuck(self, fault):
        """A push takes records that it cannot append, and is killed with them."""
        link = f"{fault.target}-redis"
        await self.cluster.proxies.tell(f"hold {link}")
        try:
            await asyncio.sleep(fault.lasts_s)
            self.cluster.signal(fault.target, signal.SIGKILL)
        finally:
            await self.cluster.proxies.tell(f"heal {link}")
        await self.cluster.up()

    async def _pause(self, fault):
        self.cluster.signal_family(fault.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            self.cluster.signal_family(fault.target, signal.SIGCONT)

    async def _drain(self, fault):
        await self.cluster.script("restart", fault.target)

    async def _restart(self, fault):
        await self.cluster.script("restart", fault.target)

    async def _rolling(self, _fault):
        await self.cluster.script("rolling-restart")

    async def _flush(self, _fault):
        await self.cluster.flush()

    async def _link(self, fault, command):
        await self.cluster.proxies.tell(command)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            await self.cluster.proxies.tell(f"heal {fault.target}")

    async def _delay(self, fault):
        await self._link(fault, f"delay {fault.target} {fault.detail}")

    async def _cut(self, fault):
        await self._link(fault, f"cut {fault.target}")

    async def _hold(self, fault):
        await self._link(fault, f"hold {fault.target}")

    async def _clock(self, fault):
        self.cluster.set_clock(fault.target, fault.detail)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            self.cluster.set_clock(fault.target, "+0")
