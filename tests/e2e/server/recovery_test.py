"""kill -9 at any moment, then a restart: every server, port, open operation and event cursor is there."""
import signal
import subprocess
import threading
import unittest

from world import Failed, WorldCase, wait_for


class Recovery(WorldCase):
    def snapshot(self):
        return {s["id"]: {k: s[k] for k in ("name", "status", "game_port", "udp_port", "container_id", "desired_state",
                                            "data_state", "config", "revision", "deleted_at")}
                for s in self.world.ctl("server", "ls", "--all")["servers"]}

    def test_all_that_was_acknowledged_survives_kill_9(self):
        """[acc-3] [acc-49]"""
        w = self.world
        running, stopped, missing, deleted = (w.create() for _ in range(4))
        w.ctl("server", "stop", stopped)
        w.docker("rm", "-f", w.server(missing)["container_id"])
        w.status(missing, "missing")
        w.ctl("server", "rm", deleted, "--yes")
        w.ctl("server", "edit", running, "--env", "KEPT=1")
        before = self.snapshot()
        w.kill_manager()
        w.start_manager()
        w.agent_is("online")
        self.assertEqual(self.snapshot(), before)
        statuses = {s["status"] for s in before.values()}
        self.assertEqual(statuses, {"running", "stopped", "missing", "deleted"}, "[acc-3]")

    def test_operations_interrupted_by_a_manager_crash_get_a_true_end(self):
        """[acc-48] [fc-10]"""
        w = self.world
        for round_ in range(3):
            name = f"crash{round_}"
            r = w.ctl_raw("-q", "--no-wait", "server", "create", name, "--agent", "host1", "--template", "keeper")
            self.assertEqual(r.returncode, 0, r.stderr)
            op = r.stdout.split()[0]
            w.kill_manager()
            w.start_manager()
            ended = wait_for("the operation ends", lambda: (lambda o: o["status"] in ("succeeded", "failed") and o)(
                w._one(w.ctl("op", "get", op))), 60)
            self.assertEqual(ended["status"], "succeeded", ended)
            s = w.status(name, "running")
            self.assertEqual(len(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").split()), 1)

    def test_operations_interrupted_by_an_agent_crash_get_a_true_end(self):
        """[acc-48] [fc-10] [fc-11]"""
        w = self.world
        name = w.create()
        for verb in ("restart", "recreate", "rebuild"):
            r = w.ctl_raw("-q", "--no-wait", "server", verb, name)
            self.assertEqual(r.returncode, 0, r.stderr)
            w.kill_agent()
            w.start_agent()
            s = w.status(name, "running", 60, operation=None)
            self.assertEqual(len(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}").split()), 1)

    def test_the_same_key_is_the_same_operation_also_after_a_crash(self):
        import uuid

        import msgpack
        import zmq
        w = self.world
        name = w.create()
        key = uuid.uuid4().hex.encode()

        def edit(value):
            ctx = zmq.Context()
            s = ctx.socket(zmq.DEALER)
            s.linger = 0
            s.connect(w.endpoint)
            s.send_multipart([b"zedops/1", b"req", b"1", b"server.edit", key, b"", msgpack.packb({"actor": "me"}),
                              msgpack.packb({"server": name, "config": {"X": value}})])
            self.assertTrue(s.poll(10_000))
            kind, body = (lambda f: (f[1], msgpack.unpackb(f[3])))(s.recv_multipart())
            s.close()
            ctx.term()
            return kind, body

        kind, first = edit("1")
        self.assertEqual(kind, b"result", first)
        w.kill_manager()
        w.start_manager()
        kind, again = edit("1")
        self.assertEqual((kind, again["operation"]["id"]), (b"result", first["operation"]["id"]))
        kind, other = edit("2")
        self.assertEqual((kind, other["code"]), (b"error", "bad_request"))
        self.assertEqual(w.server(name)["config"]["X"], "1")

    def test_nothing_acknowledged_is_lost_under_load(self):
        w = self.world
        name = w.create()
        acknowledged, stop = [], threading.Event()

        def write(worker):
            n = 0
            while not stop.is_set():
                n += 1
                try:
                    w.ctl("server", "edit", name, "--env", f"W{worker}={n}", timeout=30)
                    acknowledged.append((worker, n))
                except (Failed, subprocess.TimeoutExpired):
                    pass

        threads = [threading.Thread(target=write, args=(i,)) for i in range(3)]
        [t.start() for t in threads]
        wait_for("some writes", lambda: len(acknowledged) > 10)
        w.kill_manager()
        known = list(acknowledged)
        w.start_manager()
        stop.set()
        [t.join() for t in threads]
        config = w.server(name)["config"]
        for worker in range(3):
            highest = max((n for x, n in known if x == worker), default=0)
            self.assertGreaterEqual(int(config.get(f"W{worker}", 0)), highest)

    def test_an_orderly_stop_is_exit_status_0_and_loses_nothing(self):
        w = self.world
        name = w.create()
        before = self.snapshot()
        self.assertEqual(w.kill_manager(signal.SIGTERM), 0)
        w.start_manager()
        w.agent_is("online")
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(w.kill_agent(signal.SIGTERM), 0)
        w.start_agent()
        w.status(name, "running")

    def test_an_old_store_opens_in_a_new_manager_and_shows_every_field(self):
        """[acc-1] [acc-2]"""
        w = self.world
        s = w.server(w.create())
        for field in ("id name agent agent_id status desired_state data_state data_exists data_bytes container_id image "
                      "image_tag config game_port udp_port rcon_port server_data_path health recovery deleted_at "
                      "purge_at created_at updated_at observed_at revision last_error operation").split():
            self.assertIn(field, s)
        self.assertIsNone(s["deleted_at"])


if __name__ == "__main__":
    unittest.main()
