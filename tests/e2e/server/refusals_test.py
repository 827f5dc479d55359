"""Bad input gets a clear error with cause and remedy; nothing is lost and no process dies."""
import os
import random
import subprocess
import threading
import unittest

import msgpack
import zmq

from world import BIN, Failed, World, WorldCase, docker_host, wait_for


class Refusals(WorldCase):
    def test_names_that_break_the_rule_are_refused_naming_it(self):
        """[acc-4]"""
        for bad in ("X", "ab", "1abc", "a" * 33, "under_score", "dot.dot"):
            e = self.refused("invalid_name", 2, "server", "create", bad, "--agent", "host1", "--template", "keeper")
            self.assertIn("3", e["message"] + e.get("hint", ""))

    def test_unknown_things_are_not_found(self):
        """[acc-7]"""
        self.refused("not_found", 3, "server", "start", "nobody")
        self.refused("not_found", 3, "server", "create", "srv", "--agent", "nowhere", "--template", "keeper")
        self.refused("not_found", 3, "agent", "get", "nowhere")
        self.refused("not_found", 3, "op", "get", "o00000000000000")

    def test_wrong_states_name_the_state_and_what_is_permitted(self):
        """[acc-7] [acc-44] [acc-8]"""
        w = self.world
        name = w.create()
        e = self.refused("wrong_state", 4, "server", "start", name)
        self.assertIn("running", e["message"])
        self.assertIn("stop", e["hint"])
        w.docker("rm", "-f", w.server(name)["container_id"])
        sid = w.status(name, "missing")["id"]
        for verb in ("stop", "restart"):
            self.refused("wrong_state", 4, "server", verb, sid)

    def test_a_busy_server_names_its_operation(self):
        """[acc-6] [fc-13]"""
        w = self.world
        name = w.create(None)
        first = w.ctl_raw("-q", "--no-wait", "server", "restart", name)
        self.assertEqual(first.returncode, 0, first.stderr)
        # The container has five seconds to end; until then each write finds the open operation.
        e = None
        try:
            w.ctl("server", "edit", name, "--env", "A=1")
        except Failed as f:
            e = f.error
        if e:
            self.assertEqual(e["code"], "busy")
            self.assertIn(e["operation"], first.stdout)
        w.status(name, "running", operation=None)

    def test_two_creates_for_one_port_one_wins(self):
        """[acc-66] [acc-65]"""
        w = self.world
        results = []

        def make(name):
            try:
                w.ctl("server", "create", name, "--agent", "host1", "--template", "keeper", "--game-port", "25000")
                results.append("ok")
            except Failed as f:
                results.append(f.error["code"])

        threads = [threading.Thread(target=make, args=(f"race{i}",)) for i in range(4)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        self.assertEqual(sorted(results), ["ok"] + ["port_conflict"] * 3)

    def test_an_absent_image_is_a_clear_failure_and_can_be_fixed_in_place(self):
        """[acc-40] [acc-46]"""
        w = self.world
        with self.assertRaises(Failed) as caught:
            w.create("noimage", "--tag", "no-such-tag")
        self.assertIn("no-such-tag", caught.exception.error["message"])
        s = w.server("noimage")
        self.assertEqual(s["status"], "failed")
        self.assertEqual(w.docker("ps", "-aq", "--filter", f"label=zedops.server.id={s['id']}"), "")
        w.ctl("server", "edit", "noimage", "--tag", "test")
        w.ctl("server", "start", "noimage")
        again = w.status("noimage", "running")
        self.assertEqual((again["id"], again["game_port"]), (s["id"], s["game_port"]))

    def test_a_second_agent_of_the_same_name_is_refused_for_good(self):
        """[acc-18]"""
        w = self.world
        second = subprocess.run(
            [BIN / "zedops-agent", "--name", "host1", "--manager", f"ipc://{w.run}/agents.ipc", "--docker-host",
             w.env["DOCKER_HOST"], "--data-path", w.dir / "other", "--state-dir", w.dir / "other-state"],
            capture_output=True, text=True, env=w.env, timeout=30)
        self.assertEqual(second.returncode, 78, second.stderr)
        self.assertEqual(w.agent()["status"], "online")
        w.status(w.create(), "running")

    def test_hostile_frames_cost_a_log_line_and_no_process(self):
        w = self.world
        rng = random.Random(7)
        ctx = zmq.Context()
        for door in ("clients", "agents"):
            s = ctx.socket(zmq.DEALER)
            s.linger = 0
            s.connect(f"ipc://{w.run}/{door}.ipc")
            for _ in range(300):
                s.send_multipart([rng.randbytes(rng.choice((0, 1, 9, 200))) for _ in range(rng.randint(1, 12))])
            for body in (b"\xdd\x7f\xff\xff\xff", b"\x91" * 100_000, b"\xc1", b"\x81\xa6server\xc0", rng.randbytes(4000)):
                s.send_multipart([b"zedops/1", b"req", b"1", b"server.create", b"", b"", b"", body])
                s.send_multipart([b"zedops/1", b"0", b"0", body])
            s.close(linger=500)
        ctx.term()
        self.assertIsNone(w.manager.poll())
        self.assertEqual(w.ctl("status")["agents_online"], 1)

    def test_no_depth_of_nesting_ends_the_manager(self):
        w = self.world
        ctx = zmq.Context()
        s = ctx.socket(zmq.DEALER)
        s.linger, s.rcvtimeo = 0, 30_000
        s.connect(f"ipc://{w.run}/clients.ipc")
        try:
            for verb in ("server.create", "server.stop", "project.create", "project.edit", "project.rm", "service.create",
                         "service.edit", "service.rm", "deployment.create", "service.rollback", "service.start", "service.stop"):
                s.send_multipart([b"zedops/1", b"req", verb.encode(), verb.encode(), b"", b"", b"", b"\x91" * 100_000])
                self.assertIn(b"bad_request", b" ".join(s.recv_multipart()), verb)
        finally:
            s.close()
            ctx.term()
        self.assertIsNone(w.manager.poll())

    def test_usage_errors_have_exit_status_2_and_a_suggestion(self):
        w = self.world
        r = w.ctl_raw("server", "strat", "x")
        self.assertEqual(r.returncode, 2)
        self.assertIn("start", r.stderr)
        self.assertEqual(w.ctl_raw("server", "rm").returncode, 2)
        name = w.create()
        self.assertEqual(w.ctl_raw("server", "purge", name, "--remove-data").returncode, 2, "nobody was asked")


class Startup(unittest.TestCase):
    def test_a_bad_configuration_names_file_line_and_column_and_exits_78(self):
        w = World()
        try:
            conf = w.dir / "bad.toml"
            conf.write_text('retention = "soon"\n')
            for program in ("zedops-manager", "zedops-agent"):
                key = "retention" if program == "zedops-manager" else "lanes"
                conf.write_text(f'{key} = "soon"\n')
                r = subprocess.run([BIN / program, "--config", conf], capture_output=True, text=True, timeout=20)
                self.assertEqual(r.returncode, 78)
                self.assertIn("bad.toml:1:", r.stderr)
        finally:
            w.close()

    def test_tcp_is_refused_without_keys(self):
        w = World()
        try:
            agent = w._spawn("zedops-agent", "--name", "far", "--manager", "tcp://127.0.0.1:17701", "--docker-host", docker_host(),
                             "--data-path", w.dir / "data", "--state-dir", w.dir / "state")
            self.assertEqual(agent.wait(20), 78)
            self.assertIn("manager_key", w.log("zedops-agent"))
            (w.db).mkdir(mode=0o700)
            (w.db / "manager.key").write_text("no key\n")
            w.manager = w._spawn("zedops-manager", "--data-dir", w.db, "--runtime-dir", w.run, "--clients", "tcp://127.0.0.1:17700")
            self.assertEqual(w.manager.wait(20), 78)
            self.assertIn("manager.key", w.log())
            r = w.ctl_raw("--endpoint", "tcp://127.0.0.1:17700", "server", "ls")
            self.assertEqual(r.returncode, 2)
            self.assertIn("manager-key", r.stderr)
        finally:
            w.close()

    def test_an_unreachable_manager_is_exit_status_6(self):
        w = World()
        try:
            r = w.ctl_raw("server", "ls")
            self.assertEqual(r.returncode, 6)
            self.assertIn("no manager", r.stderr)
        finally:
            w.close()

    def test_sockets_are_for_their_owner_and_group_only(self):
        """[acc-19]"""
        w = World()
        try:
            w.start_manager()
            for name in ("clients", "agents", "events"):
                self.assertEqual(os.stat(w.run / f"{name}.ipc").st_mode & 0o007, 0)
            self.assertEqual(os.stat(w.run).st_mode & 0o007, 0)
            second = subprocess.run([BIN / "zedops-manager", "--data-dir", w.db, "--runtime-dir", w.run],
                                    capture_output=True, text=True, timeout=20)
            self.assertNotEqual(second.returncode, 0)
            self.assertIn(str(w.manager.pid), second.stderr)
            wait_for("the first still answers", lambda: w.ctl("status"))
        finally:
            w.close()


if __name__ == "__main__":
    unittest.main()
