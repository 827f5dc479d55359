"""What our scripts leave on the machine: after two runs of a private Engine everything is as it was before."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
ENGINE = ROOT / "tools/engine"


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sysctls():
    names = ("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv4/conf/all/route_localnet")
    return {n: pathlib.Path("/proc/sys", n).read_text() for n in names}


def picture(own):
    """Links, addresses, routes, packet filter rules, mounts and kernel settings."""
    links = {l["ifname"]: sorted(a["local"] for a in l["addr_info"]) for l in json.loads(said("ip", "-j", "addr"))}
    # Another test's Engine may come and go beside this one.
    mine = lambda name: not name.startswith(("zedops", "veth", "br-"))
    rules = [l for l in said("iptables-save").splitlines() if not l.startswith(("#", ":")) and " 10." not in l]
    mounts = [l.split()[1] for l in pathlib.Path("/proc/mounts").read_text().splitlines()]
    return {
        "links": {k: v for k, v in links.items() if mine(k)},
        "rules": rules,
        "mounts": sorted(m for m in mounts if "/engine" not in m and "/zn-" not in m and "netns" not in m and not m.startswith(own + "/")),
        "sysctls": sysctls(),
    }


@unittest.skipUnless(os.geteuid() == 0, "a private Engine needs root")
class Machine(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="zm", dir="/tmp")
        self.addCleanup(self.dir.cleanup)
        self.place = os.path.join(self.dir.name, "e")
        self.addCleanup(lambda: subprocess.run([ENGINE, "down", "--purge", "--dir", self.place], capture_output=True))
        # The bridge of the machine's own Engine, unless there is one.
        if subprocess.run(["ip", "link", "show", "docker0"], capture_output=True).returncode != 0:
            said("ip", "link", "add", "docker0", "type", "bridge")
            said("ip", "addr", "add", "172.17.0.1/16", "dev", "docker0")
            self.addCleanup(lambda: subprocess.run(["ip", "link", "del", "docker0"], capture_output=True))

    def engine(self, *words):
        r = subprocess.run([ENGINE, *words, "--dir", self.place], capture_output=True, text=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def bridges(self):
        return {l["ifname"] for l in json.loads(said("ip", "-j", "link", "show", "type", "bridge"))}

    def test_two_runs_of_a_private_engine_change_nothing_of_the_machine(self):
        before, bridges = picture(self.place), self.bridges()
        for run in range(2):
            host = self.engine("up").strip().removeprefix("export DOCKER_HOST=")
            network = f"machine-test-{run}"
            said("docker", "-H", host, "network", "create", network)
            made = said("docker", "-H", host, "network", "inspect", "-f", "{{.Id}}", network)[:12]
            self.assertIn(f"br-{made}", self.bridges())
            self.assertEqual(picture(self.place), before)
            self.engine("restart")
            self.assertEqual(picture(self.place), before)
            self.assertIn(network, said("docker", "-H", host, "network", "ls"))
            self.engine("down")
            self.assertEqual(picture(self.place), before)
            self.assertNotIn(f"br-{made}", self.bridges())
        self.engine("down", "--purge")
        self.assertEqual(picture(self.place), before)
        self.assertLessEqual({b for b in bridges if b.startswith("br-")}, self.bridges() | bridges)

    def test_taking_down_one_engine_leaves_the_bridge_of_another(self):
        self.engine("up")
        bridge = next(x for x in self.engine("status").split() if x.startswith("bridge=")).removeprefix("bridge=")
        other = pathlib.Path(self.dir.name, "o")  # its note has the same number: it was in another network namespace
        other.mkdir()
        (other / "dockerd.log").touch()
        (other / "network").write_text(bridge.removeprefix("zedops") + "\n")
        subprocess.run([ENGINE, "down", "--dir", other], check=True, capture_output=True)
        self.assertIn(bridge, self.bridges())
        self.assertIn(f" 10.{bridge.removeprefix('zedops')}.0.0/16", said("iptables-save"))


if __name__ == "__main__":
    unittest.main()
