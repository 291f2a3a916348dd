"""Carries out a fault: breaks something, waits, and repairs it. Says what it really hit: a fault that hits nothing shows nothing."""
import asyncio
import signal

import schedule

LINK_IDLE_S = 5  # a link that is idle for longer is not hit. Probes of readiness use most links every second (observers.py)


class Breaker:
    def __init__(self, cluster):
        self.cluster = cluster

    async def apply(self, fault):
        """
        Returns when the fault is healed: everything runs and every link is open. Returns how much it hit: processes that ended
        or stood still, keys that Redis had, connections and pieces of a link (proxy.c), or 1 for a clock that the service reads.
        """
        deed = fault.kind.split("-")[0]
        return await getattr(self, f"_{deed}")(fault)

    async def _kill(self, fault):
        pid = self.cluster.pid_if_any(fault.target)
        was_there = self.cluster.signal(fault.target, signal.SIGKILL)
        await asyncio.sleep(fault.lasts_s)
        await self.cluster.up()
        return int(was_there and self.cluster.pid_if_any(fault.target) != pid)

    async def _stuck(self, fault):
        """A push takes records that it cannot append, and is killed with them."""
        link, pid = f"{fault.target}-redis", self.cluster.pid_if_any(fault.target)
        await self.cluster.proxies.tell(f"hold {link}")
        try:
            await asyncio.sleep(fault.lasts_s)
            was_there = self.cluster.signal(fault.target, signal.SIGKILL)
        finally:
            await self.cluster.proxies.tell(f"heal {link}")
        await self.cluster.up()
        return int(was_there and self.cluster.pid_if_any(fault.target) != pid)

    async def _pause(self, fault):
        self.cluster.signal_family(fault.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
            return self.cluster.stopped(fault.target)
        finally:
            self.cluster.signal_family(fault.target, signal.SIGCONT)

    async def _replace(self, names, *command):
        """How many of these have another process afterwards."""
        pids = {name: self.cluster.pid_if_any(name) for name in names}
        await self.cluster.script(*command)
        return sum(pid is not None and self.cluster.pid_if_any(name) != pid for name, pid in pids.items())

    async def _drain(self, fault):
        return await self._replace([fault.target], "restart", fault.target)

    async def _restart(self, fault):
        return await self._replace([fault.target], "restart", fault.target)

    async def _rolling(self, _fault):
        return await self._replace(schedule.ALL, "rolling-restart")

    async def _flush(self, _fault):
        return await self.cluster.flush()

    async def _failover(self, fault):
        """
        Redis dies or freezes, and its replica is promoted behind the same address. Then the same back again: Redis comes back
        as a replica, and is promoted when the other one dies. How many keys the promoted ones had.
        """
        cluster = self.cluster
        await cluster.start_replica()
        was_there = cluster.signal("redis", signal.SIGSTOP if fault.detail == "stopped" else signal.SIGKILL)
        keys = await cluster.promote(cluster.replica_port())
        await asyncio.sleep(fault.lasts_s)
        cluster.signal("redis", signal.SIGKILL)
        await cluster.up()
        await cluster.follow(cluster.redis_port(), cluster.replica_port())
        await cluster.stop_replica()
        return was_there and min(keys, await cluster.promote(cluster.redis_port()))

    async def _link(self, fault, command):
        """Lasts longer if nothing has used the link yet."""
        proxies = self.cluster.proxies
        await proxies.tell(command)  # raises if no link has that name
        try:
            await asyncio.sleep(fault.lasts_s)
            for _ in range(LINK_IDLE_S * 10):
                if await proxies.tell(f"hits {fault.target}"):
                    break
                await asyncio.sleep(0.1)
            return await proxies.tell(f"hits {fault.target}")
        finally:
            await proxies.tell(f"heal {fault.target}")

    async def _delay(self, fault):
        return await self._link(fault, f"delay {fault.target} {fault.detail}")

    async def _cut(self, fault):
        return await self._link(fault, f"cut {fault.target}")

    async def _hold(self, fault):
        return await self._link(fault, f"hold {fault.target}")

    async def _clock(self, fault):
        self.cluster.set_clock(fault.target, fault.detail)
        try:
            await asyncio.sleep(fault.lasts_s)
            return int(self.cluster.has_fake_clock(fault.target))
        finally:
            self.cluster.set_clock(fault.target, "+0")
