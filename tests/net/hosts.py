"""Hosts with their own networks: a namespace each, on one switch, which is a namespace as well. The machine's own
network is not touched."""
import os
import subprocess
import uuid

V4, V6 = "10.99.0.", "fd99::"


def run(*args, check=True):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if check and r.returncode != 0:
        raise AssertionError(f"{args}: {r.stderr}")
    return r.stdout


class Host:
    def __init__(self, switch, number):
        self.switch, self.number = switch, number
        self.space = f"{switch}-{number}"
        self.v4, self.v6 = f"{V4}{number}", f"{V6}{number}"
        run("ip", "netns", "add", self.space)
        run("ip", "-n", switch, "link", "add", f"p{number}", "type", "veth", "peer", "name", "eth0", "netns", self.space)
        run("ip", "-n", switch, "link", "set", f"p{number}", "master", "br0", "up")
        for link in ("lo", "eth0"):
            run("ip", "-n", self.space, "link", "set", link, "up")
        run("ip", "-n", self.space, "addr", "add", f"{self.v4}/24", "dev", "eth0")
        run("ip", "-n", self.space, "addr", "add", f"{self.v6}/64", "dev", "eth0", "nodad")

    @property
    def inside(self):
        """The command that runs another one in this host's network."""
        return ("nsenter", f"--net=/run/netns/{self.space}")

    def do(self, *args, check=True):
        return run(*self.inside, *args, check=check)

    # ---- trouble ----
    def cut_off(self, incoming=True, outgoing=True):
        for chain, wanted, side in (("INPUT", incoming, "-i"), ("OUTPUT", outgoing, "-o")):
            if wanted:
                for tables in ("iptables", "ip6tables"):
                    self.do(tables, "-w", "-I", chain, side, "eth0", "-j", "DROP")

    def heal(self):
        for tables in ("iptables", "ip6tables"):
            for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
                while subprocess.run([*self.inside, tables, "-w", "-D", chain, side, "eth0", "-j", "DROP"],
                                     capture_output=True).returncode == 0:
                    pass
        self.do("tc", "qdisc", "del", "dev", "eth0", "root", check=False)

    def lose(self, percent, delay="20ms"):
        """False: the kernel does not support it."""
        return subprocess.run([*self.inside, "tc", "qdisc", "add", "dev", "eth0", "root", "netem", "loss", f"{percent}%",
                               "delay", delay], capture_output=True).returncode == 0

    def move_to(self, number):
        """Gives the host another address without announcing it."""
        self.do("ip", "addr", "del", f"{self.v4}/24", "dev", "eth0")
        self.v4 = f"{V4}{number}"
        self.do("ip", "addr", "add", f"{self.v4}/24", "dev", "eth0")


class Switch:
    def __init__(self):
        self.name = f"zt{uuid.uuid4().hex[:6]}"
        run("ip", "netns", "add", self.name)
        run("ip", "-n", self.name, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.name, "link", "set", "br0", "up")
        self.hosts = []

    def add(self):
        self.hosts.append(Host(self.name, len(self.hosts) + 1))
        return self.hosts[-1]

    def close(self):
        for space in [*(h.space for h in self.hosts), self.name]:
            run("ip", "netns", "del", space, check=False)


def possible():
    if os.geteuid() != 0:
        return False
    name = f"zt{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made
