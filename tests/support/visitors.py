"""Visitors of a page: as fast as they can, while it is being changed."""
import threading
import time


class Visitors:
    """`visit` returns status and text. Anything but a 200 has failed, recorded with its time and duration."""

    def __init__(self, visit, count=2):
        self.visit, self.stop, self.seen, self.failed = visit, threading.Event(), [], []
        self.threads = [threading.Thread(target=self.read) for _ in range(count)]
        for t in self.threads:
            t.start()

    def read(self):
        while not self.stop.is_set():
            began = time.monotonic()
            try:
                status, text = self.visit()
            except Exception as e:  # half an answer is no OSError
                status, text = repr(e), ""
            if status == 200:
                self.seen.append(text)
            else:
                self.failed.append(f"{status} after {time.monotonic() - began:.2f} s, at {time.strftime('%H:%M:%S')}")

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(40)
        if any(t.is_alive() for t in self.threads):
            self.failed.append("a visit that never ends")
        return self
