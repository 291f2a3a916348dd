"""Faults under random operations: one at a time, in a thread of its own, so that operations run into it."""
import subprocess
import threading
import time

from im_cluster import await_that


class Faults:
    def __init__(self, servers, ims):
        self.servers, self.ims, self.thread, self.error = servers, ims, None, None

    def begin(self, kind, which, delay_ms):
        """`which` im, where the fault is one of an im. The delay lets it hit whatever operation comes then."""
        self.finish()
        self.thread = threading.Thread(target=self.run, args=(getattr(self, kind), which, delay_ms), daemon=True)
        self.thread.start()

    def run(self, fault, which, delay_ms):
        time.sleep(delay_ms / 1000)
        try:
            fault(self.ims[which])
        except Exception as error:  # of whatever kind: it is raised by finish()
            self.error = error

    def is_going_on(self):
        return self.thread is not None and self.thread.is_alive()

    def finish(self):
        """Waits until all is as it was before the fault."""
        if self.thread:
            self.thread.join()
        error, self.error = self.error, None
        if error:
            raise error

    def await_rest(self):
        """Waits until nothing is under way any more: what was not answered is done now, or never will be."""
        self.finish()
        for im in self.ims:
            await_that(lambda im=im: im.metric("skein_im_unsettled_sends") == 0, f"{im.name} has settled everything")
        await_that(lambda: self.servers.sql("select count(*) from pg_stat_activity where state = 'active' and backend_type = 'client backend'"
                                            " and pid <> pg_backend_pid()") == [["0"]], "no statement runs")

    # ---- the kinds ----

    def kill(self, im):
        im.kill()
        im.start()

    def drain(self, im):
        assert im.stop() == 0, f"{im.name} failed to drain"
        im.start()

    def postgres(self, _):
        self.servers.kill("postgres")
        self.servers.start_missing()

    def redis(self, _):
        self.servers.kill("redis")
        self.servers.start_missing()

    def flush(self, _):
        port = self.servers.redis.split(":")[-1].split("/")[0]
        subprocess.run(["redis-cli", "-p", port, "flushall"], check=True, capture_output=True, timeout=30)
