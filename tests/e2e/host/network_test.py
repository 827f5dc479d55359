"""Agents, users and services over tcp: keys, roles, and what happens to those that have none or lose theirs."""
import base64
import json
import signal
import subprocess
import time
import unittest

import msgpack
import zmq
from zmq.utils import z85

from web import free_port
from world import BIN, Failed, WorldCase, wait_for


def z85_of(key):
    return z85.encode(base64.urlsafe_b64decode(key + "="))


class Far(WorldCase):
    """A manager on the network, and an agent that dials it."""

    @classmethod
    def prepare(cls, w):
        cls.at = {door: f"tcp://127.0.0.1:{free_port()}" for door in ("clients", "agents", "events")}
        for door, uri in cls.at.items():
            w.settings[door] = f"ipc://{w.run}/{door}.ipc,{uri}"
        w.settings["advertise"] = "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        w = cls.world
        cls.manager_key = w.ctl_raw("key", "show", "--manager", "--data-dir", w.db).stdout.strip()
        assert len(cls.manager_key) == 43, cls.manager_key
        # The agent makes its key at its first start and prints it; until it is admitted, it waits.
        cls.start_far()
        key = wait_for("the agent has a key", lambda: cls.key_in(w.dir / "state-far" / "agent.key"))
        cls.key("add", "far", key, "--role", "agent")
        w.agent_is("online", "far")

    @classmethod
    def start_far(cls, name="far", flags=()):
        cls.world.start_agent(name, wait=False, manager=cls.at["agents"], flags=("--manager-key", cls.manager_key, *flags))

    @staticmethod
    def key_in(file):
        return file.exists() and file.read_text().split()[0]

    @classmethod
    def key(cls, *args):
        r = cls.world.ctl_raw("key", *args, "--data-dir", cls.world.db)
        assert r.returncode == 0, r.stderr
        return r.stdout.strip()

    def home(self, user):
        home = self.world.dir / f"home-{user}"
        home.mkdir(exist_ok=True)
        return home

    def ctl_as(self, user, *args, key=None):
        env = {**self.world.env, "XDG_CONFIG_HOME": str(self.home(user)), "ZEDCTL_ENDPOINT": self.at["clients"],
               "ZEDCTL_EVENTS": self.at["events"], "ZEDCTL_MANAGER_KEY": key or self.manager_key}
        r = subprocess.run([BIN / "zedctl", "-o", "json", *map(str, args)], capture_output=True, text=True, env=env,
                           timeout=90, stdin=subprocess.DEVNULL)
        if r.returncode != 0:
            raise Failed(r.returncode, json.loads(r.stderr.strip().splitlines()[-1])["error"], r.stdout)
        return json.loads(r.stdout) if r.stdout.strip() else None

    def user(self, name, role, *scope):
        r = subprocess.run([BIN / "zedctl", "key", "gen"], capture_output=True, text=True, check=True,
                           env={**self.world.env, "XDG_CONFIG_HOME": str(self.home(name))})
        self.key("add", name, r.stdout.strip(), "--role", role, *scope)
        return r.stdout.strip()

    def refused_as(self, user, code, *args, **more):
        with self.assertRaises(Failed) as caught:
            self.ctl_as(user, *args, **more)
        self.assertEqual(caught.exception.error["code"], code, caught.exception.error)
        return caught.exception.error


class Rotation(Far):
    def test_the_manager_gets_another_key_and_no_agent_is_locked_out(self):
        w = self.world
        self.user("anna", "admin")
        state = lambda: w.ctl("key", "rotate")
        with self.assertRaises(Failed) as e:
            w.ctl("key", "rotate", "--finish")
        self.assertIn("there is no next key", str(e.exception))
        w.kill_agent(name="far")
        v = state()
        self.assertEqual((v["public_key"], v["agents_missing"]), (self.manager_key, ["far"]))
        with self.assertRaises(Failed) as e:
            w.ctl("key", "rotate", "--finish")
        self.assertIn("could not reconnect: far", str(e.exception))
        self.start_far()
        wait_for("it knows the next key", lambda: state()["agents_ready"] == ["far"], 20)
        name = w.create(agent="far")
        self.assertTrue(w.ctl("key", "rotate", "--finish")["at_next_start"])
        for _ in range(2):  # the second start changes nothing
            w.kill_manager()
            w.start_manager()
            w.agent_is("online", "far", 30)
            self.assertEqual(w.ctl_raw("key", "show", "--manager", "--data-dir", w.db).stdout.strip(), v["next_key"])
        self.assertEqual(w._one(self.ctl_as("anna", "server", "get", name, key=v["next_key"]))["status"], "running")
        with self.assertRaises(Failed):
            self.ctl_as("anna", "--timeout", "5s", "status")
        # Its settings still name the old key; it remembers the new one.
        w.kill_agent(name="far")
        self.start_far()
        w.agent_is("online", "far", 30)
        self.assertEqual(w.server(name)["status"], "running")
        # A cancelled rotation is forgotten on both sides.
        wait_for("the next but one is known", lambda: state()["agents_ready"] == ["far"], 20)
        self.assertEqual(w.ctl("key", "rotate", "--cancel")["next_key"], "")
        w.kill_manager()
        w.start_manager()
        w.agent_is("online", "far", 30)


class Network(Far):
    def test_each_role_has_its_rights_and_a_refusal_names_what_is_missing(self):
        """[acc-35] [fc-27] [fc-43]"""
        w = self.world
        self.user("vera", "viewer")
        self.user("olaf", "operator")
        self.user("anna", "admin")
        name = w.create(agent="far")
        self.assertEqual(self.world._one(self.ctl_as("vera", "server", "get", name))["name"], name)
        for args in (("server", "stop", name), ("server", "rm", name), ("server", "rebuild", name), ("server", "edit", name, "--env", "A=1"),
                     ("server", "purge", name, "--remove-data"), ("server", "logs", name)):
            e = self.refused_as("vera", "forbidden", "--yes", *args)
            self.assertIn("key:vera is viewer", e["message"])
        self.ctl_as("olaf", "--yes", "server", "stop", name)
        self.assertEqual(w.server(name)["status"], "stopped")
        e = self.refused_as("olaf", "forbidden", "--yes", "server", "purge", name, "--remove-data")
        self.assertIn("purge", e["message"])
        self.refused_as("olaf", "forbidden", "--yes", "agent", "rm", "far")
        self.ctl_as("anna", "--yes", "server", "purge", name, "--remove-data")
        self.assertIn("key:olaf", json.dumps(w.ctl("op", "ls")))

    def test_who_asked_for_what_is_on_record_and_the_record_cannot_be_changed_unnoticed(self):
        w = self.world
        self.user("rita", "operator")
        name = w.create(agent="far")
        self.ctl_as("rita", "--yes", "server", "stop", name)
        self.refused_as("rita", "forbidden", "--yes", "server", "purge", name, "--remove-data")
        self.refused_as("rita", "forbidden", "audit", "ls")
        records = w.ctl("audit", "ls", "--who", "key:rita")["records"]
        self.assertEqual([(r["verb"], r["target_name"], r["result"]) for r in records],
                         [("server.purge", name, "forbidden"), ("server.stop", name, "ok")])
        stop = records[1]
        self.assertEqual((stop["from"], stop["how"], stop["after"]), ("127.0.0.1", "key", stop["before"] + 1))
        self.assertEqual(w._one(w.ctl("op", "get", stop["operation"]))["target_name"], name)
        verdict = w.ctl("audit", "verify")
        self.assertTrue(verdict["sound"])
        w.kill_manager()
        w.start_manager()
        w.agent_is("online", "far")
        w.ctl("audit", "verify", "--head", f"{verdict['last']}:{verdict['head']}")
        with self.assertRaises(Failed):
            w.ctl("audit", "verify", "--head", f"{verdict['last']}:{'0' * 64}")
        lines = w.ctl_raw("audit", "export", "--target", name).stdout.splitlines()
        self.assertEqual([json.loads(x)["verb"] for x in lines], ["server.purge", "server.stop", "server.create"])

    def test_a_key_that_floods_is_slowed_down_and_no_other_is(self):
        w = self.world
        name = w.create(agent="far")
        self.user("honest", "viewer")
        self.user("flood", "viewer")
        pub, secret = (self.home("flood") / "zedops" / "key").read_text().split()
        with zmq.Context() as context:
            floods = []
            for _ in range(20):
                s = context.socket(zmq.DEALER)
                s.linger, s.sndhwm, s.rcvhwm = 0, 100_000, 100_000
                s.curve_serverkey, s.curve_publickey, s.curve_secretkey = map(z85_of, (self.manager_key, pub, secret))
                s.connect(self.at["clients"])
                floods.append(s)
            sent, refused, took = 0, 0, []
            body, options = msgpack.packb({}), msgpack.packb({})
            until = time.monotonic() + 5
            while time.monotonic() < until:
                for s in floods:
                    for _ in range(20):
                        s.send_multipart([b"zedops/1", b"req", b"%d" % sent, b"server.ls", b"", b"5000", options, body])
                        sent += 1
                    while s.poll(0):
                        refused += s.recv_multipart()[1] == b"error"
                begun = time.monotonic()
                self.assertEqual(self.ctl_as("honest", "server", "get", name)["name"], name)
                took.append(time.monotonic() - begun)
            for s in floods:
                s.close()
        print(f"\n{sent} requests of a flood, {refused} of them refused; somebody else's {len(took)}: p50 {sorted(took)[len(took) // 2] * 1000:.0f} ms, "
              f"worst {max(took) * 1000:.0f} ms, the start of zedctl included")
        self.assertGreater(refused, 0)

    def token(self, name, *flags):
        return self.world.ctl("agent", "token", "--name", name, *flags)["line"]

    def join(self, line, state):
        return subprocess.run([BIN / "zedops-agent", "join", line, "--state-dir", self.world.dir / f"state-{state}", "--data-path",
                               self.world.dir / f"data-{state}"], capture_output=True, text=True, env=self.world.env, timeout=60)

    def start_joined(self, state):
        """Without settings about the manager: it was remembered."""
        w = self.world
        w.agents[state] = w._spawn("zedops-agent", "--docker-host", w.env["DOCKER_HOST"], "--data-path", w.dir / f"data-{state}",
                                   "--state-dir", w.dir / f"state-{state}")
        return w.agents[state]

    def test_one_invitation_enrols_an_agent_once_and_a_removed_key_ends_it(self):
        """[acc-20] [acc-34] [fc-28]"""
        w = self.world
        line = self.token("joined")
        r = self.join(line, "joined")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("Enrolled as agent joined", r.stdout)
        agent = self.start_joined("joined")
        w.agent_is("online", "joined")
        name = w.create(None, "--game-port", 21800, agent="joined")  # both agents use one Engine here
        again = self.join(line, "thief")
        self.assertNotEqual(again.returncode, 0)
        self.assertIn("it has been used", again.stderr)
        # After a restart it is the same agent, with its servers.
        w.kill_agent(name="joined")
        agent = self.start_joined("joined")
        w.agent_is("online", "joined")
        w.ctl("key", "rm", "joined")
        self.assertEqual(agent.wait(5), 78)
        self.assertIn("no longer knows this agent's key", w.log("zedops-agent"))
        w.agent_is("unreachable", "joined")
        verbs = [(x["verb"], x["result"]) for x in w.ctl("audit", "ls", "--target", "joined")["records"]]
        self.assertEqual(verbs, [("key.rm", "ok"), ("agent.enrol", "ok"), ("agent.token", "ok")])
        # Enrolled again with a new token and its old identity: its server is still there.
        self.assertEqual(self.join(self.token("joined"), "joined").returncode, 0)
        self.start_joined("joined")
        w.agent_is("online", "joined")
        self.assertEqual(w.status(name, "running")["agent"], "joined")

    def test_a_manager_that_cannot_read_its_keys_sends_no_agent_away(self):
        w = self.world
        keys, agent = w.db / "authorized_keys", w.agents["far"]
        keys.chmod(0o666)
        w.agent_is("unreachable", "far")
        self.assertIsNone(agent.poll())
        keys.chmod(0o600)
        w.agent_is("online", "far")
        self.assertIsNone(agent.poll())

    def test_an_agent_that_has_to_be_approved_waits_for_it(self):
        w = self.world
        r = self.join(self.token("careful", "--approve"), "careful")
        self.assertIn("zedctl agent approve careful", r.stdout)
        self.start_joined("careful")
        wait_for("the manager says who waits", lambda: "agent.waits-for-approval" in w.log())
        self.assertNotIn("careful", [a["name"] for a in w.ctl("agent", "ls")["agents"]])
        w.ctl("agent", "approve", "careful")
        w.agent_is("online", "careful")

    def test_bad_lines_and_wrong_managers_say_what_is_wrong(self):
        line = self.token("nobody")
        for text, said in ((line[:-5], "key is missing or cut"), ("", "does not begin with"),
                           (line.replace(self.manager_key, "A" * 43), "does not have the key that is expected")):
            r = self.join(text, "nobody")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn(said, r.stderr)

    def test_an_operator_of_one_server_has_no_access_to_others(self):
        w = self.world
        mine, other = w.create(agent="far"), w.create(agent="far")
        self.user("sam", "operator", "--server", mine)
        self.ctl_as("sam", "--yes", "server", "restart", mine)
        self.refused_as("sam", "forbidden", "--yes", "server", "restart", other)
        self.assertEqual([s["name"] for s in self.ctl_as("sam", "server", "ls")["servers"]], [mine])
        self.refused_as("sam", "forbidden", "op", "ls")

    def test_unknown_keys_wrong_managers_and_silence_are_distinguished(self):
        """[fc-26]"""
        subprocess.run([BIN / "zedctl", "key", "gen"], check=True, capture_output=True,
                       env={**self.world.env, "XDG_CONFIG_HOME": str(self.home("mallory"))})
        e = self.refused_as("mallory", "unauthorised", "server", "ls")
        self.assertIn("zedctl key add", e["hint"])
        key = self.user("will", "viewer")
        e = self.refused_as("will", "forbidden", "--timeout", "3s", "server", "ls", key=key)  # not the manager's
        self.assertIn("does not have the key that is expected", e["message"])
        (self.home("will") / "zedops" / "key").chmod(0o644)
        e = self.refused_as("will", "forbidden", "server", "ls")
        self.assertIn("chmod 600", e["hint"])

    def test_a_key_that_is_removed_is_refused_at_the_next_request(self):
        """[fc-42]"""
        self.user("dan", "admin")
        pub, secret = (self.home("dan") / "zedops" / "key").read_text().split()
        with zmq.Context() as context, context.socket(zmq.DEALER) as s:
            s.linger = 0
            s.curve_serverkey, s.curve_publickey, s.curve_secretkey = map(z85_of, (self.manager_key, pub, secret))
            s.connect(self.at["clients"])

            def ask(number, verb, body):
                s.send_multipart([b"zedops/1", b"req", number, verb, b"", b"5000", msgpack.packb({}), msgpack.packb(body)])
                self.assertTrue(s.poll(10_000))
                return s.recv_multipart()

            self.assertEqual(ask(b"1", b"status", {})[1], b"result")
            self.key("add", "dan", pub, "--role", "viewer")  # admin everywhere: it replaces that role
            self.assertEqual(ask(b"2", b"status", {})[1], b"result")
            answer = ask(b"3", b"agent.rm", {"agent": "far", "confirm": True})
            self.assertEqual(answer[1], b"error")
            self.assertEqual(msgpack.unpackb(answer[3])["code"], "forbidden")
            self.key("rm", "dan")
            answer = ask(b"4", b"status", {})
            self.assertEqual(answer[1], b"error")
            self.assertEqual(msgpack.unpackb(answer[3])["code"], "forbidden")

    def test_events_are_sent_over_the_network_to_keys_that_may_see_everything(self):
        w = self.world
        self.user("eva", "viewer")
        pub, secret = (self.home("eva") / "zedops" / "key").read_text().split()
        with zmq.Context() as context, context.socket(zmq.SUB) as s:
            s.linger = 0
            s.curve_serverkey, s.curve_publickey, s.curve_secretkey = map(z85_of, (self.manager_key, pub, secret))
            s.subscribe(b"server.")
            s.subscribe(b"~sync.eva")
            s.connect(self.at["events"])
            self.assertTrue(s.poll(10_000))
            self.assertTrue(s.recv_multipart()[0].startswith(b"~sync"))
            name = w.create(agent="far")
            got = []
            wait_for("the event came", lambda: s.poll(200) and got.append(s.recv_multipart()) or any(name.encode() in b"".join(m) for m in got))

    def test_an_agent_on_the_network_lives_through_a_killed_manager(self):
        """[acc-18] [acc-34]"""
        w = self.world
        name = w.create(agent="far")
        w.kill_manager()
        w.start_manager()
        w.agent_is("online", "far")
        self.assertEqual(w.server(name)["status"], "running")
        w.docker("rm", "-f", w.server(name)["container_id"])
        w.status(name, "missing")
        w.ctl("server", "start", name)
        w.status(name, "running")

    def test_a_key_speaks_for_its_own_agent_only(self):
        """[fc-28] [fc-40]"""
        w = self.world
        state = w.dir / "state-twin"
        state.mkdir()
        (state / "agent.key").write_text((w.dir / "state-far" / "agent.key").read_text())
        (state / "agent.key").chmod(0o600)
        self.start_far("twin")
        wait_for("it is logged", lambda: "agent.wrong-name" in w.log())
        self.assertEqual("twin" in json.dumps(w.ctl("agent", "ls")), False)
        self.assertEqual(w.agent("far")["status"], "online")
        w.kill_agent(signal.SIGKILL, "twin")

    def test_a_revoked_agent_is_ignored_until_it_is_admitted_again(self):
        w = self.world
        key = self.key_in(w.dir / "state-far" / "agent.key")
        self.key("rm", "far")
        self.assertEqual(w.agents["far"].wait(5), 78)
        w.agent_is("unreachable", "far")
        self.key("add", "far", key, "--role", "agent")
        self.start_far()
        w.agent_is("online", "far")


if __name__ == "__main__":
    unittest.main(verbosity=2)
