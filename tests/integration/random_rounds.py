"""Rounds of random operations, each with users of its own, from a seed. What failed is made shorter before it is shown: operations are left
out as long as it fails.

SEED=N repeats a run, SEED=N/W its round W alone; ROUNDS=N makes it longer.
"""
import itertools
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "chaos"))
from im_cluster import ROOT, Im, Push, run_im
from random_faults import Faults
from random_operations import choose
from random_world import World
from seed import seed_of

STEPS = 100
SHRINKING_S = 120


class Cluster:
    """Two im and a push."""

    def __init__(self, servers, has_faults=False):
        self.servers = servers
        code, output = run_im(servers, "--migrate")
        assert code == 0, output
        # What a killed im has not published is published after the life of its lease.
        options = {"lease__life": "2s"} if has_faults else {}
        self.ims = [Im(servers, name=name, limits__enabled="false", messages__recall_window="1h", **options) for name in ("im-1", "im-2")]
        self.push = Push(servers, "push-1")
        self.faults = Faults(servers, self.ims) if has_faults else None

    def close(self):
        if self.faults:
            self.faults.finish()
        for im in self.ims:
            im.stop()
        self.push.close()
        self.servers.close()

    def run(self, next_operation):
        """Does operations, then compares everything: what was done, and the error or None. next_operation(model) is None at the end."""
        if self.faults:
            self.faults.finish()
        world, done = World(self.servers, self.ims, self.faults), []
        try:
            while operation := next_operation(world.model):
                done.append(operation)
                world.do(operation)
            world.compare_all()
        except AssertionError as error:
            return done, error
        finally:
            world.close()
        return done, None

    def run_seed(self, seed):
        rng, left = random.Random(seed), itertools.repeat(None, STEPS)
        return self.run(lambda model: next((choose(rng, model, self.faults is not None) for _ in left), None))

    def error_of(self, operations):
        left = iter(operations)
        return self.run(lambda _: next(left, None))[1]

    def shrink(self, operations, error):
        """Delta debugging: leaves out ever smaller parts, as long as there is an error, for SHRINKING_S at most."""
        deadline, size = time.monotonic() + SHRINKING_S, len(operations) // 2
        while size and time.monotonic() < deadline:
            for start in range(0, len(operations), size):
                fewer = operations[:start] + operations[start + size:]
                if time.monotonic() < deadline and (other := self.error_of(fewer)):
                    operations, error = fewer, other
                    break
            else:
                size //= 2
        return operations, error


def check(test, cluster, rounds):
    """Fails the test with the shortest sequence that was found."""
    given = os.environ.get("SEED") or str(seed_of(ROOT)[0])
    rounds = int(os.environ.get("ROUNDS", rounds))
    steps = 0
    for seed in [given] if "/" in given else [f"{given}/{number}" for number in range(rounds)]:
        done, error = cluster.run_seed(seed)
        steps += len(done)
        if error:
            fewer, last = cluster.shrink(done, error)
            test.fail(f"SEED={seed} after {len(done)} steps: {error}\n" + "\n".join(["fails with:", *map(str, fewer), str(last)]))
    print(f"SEED={given}: {steps} steps")
