#!/usr/bin/env python3
"""Deployments compared with the unavoidable cost of their bytes: tar and sync, a copy and sync, git clone. Prints rows
of the table of tests/bench/run."""
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(sys.argv[1]).resolve()
ENGINE_DIR = BUILD / "engine-bench"
os.environ["ZEDOPS_BIN"] = str(BUILD / "bin")
sys.path.insert(0, str(ROOT / "tests/support"))

from engine_api import Engine, Watch  # noqa: E402
from live_bench import rss_mb, renames  # noqa: E402
from rows import SLEEPER, percentile, row  # noqa: E402
from web import free_port  # noqa: E402
from world import wait_for  # noqa: E402

FILES, BYTES = int(os.environ.get("ZEDOPS_BENCH_FILES", "10000")), 200 << 20
ROUNDS = int(os.environ.get("ZEDOPS_BENCH_DEPLOY_ROUNDS", "3"))
SWITCHES, AT_ONCE = 20, 20
EVENTS = 600
PROJECTS = int(os.environ.get("ZEDOPS_BENCH_PROJECTS", "60"))


def timed(f):
    begun = time.monotonic()
    f()
    return time.monotonic() - begun


def tree(folder, text):
    size = BYTES // FILES
    for n in range(FILES):
        d = folder / f"d{n % 100}"
        d.mkdir(parents=True, exist_ok=True)
        (d / f"{n}.bin").write_bytes(os.urandom(size))
    (folder / "index.html").write_text(text)


def archive_of(folder, file):
    with tarfile.open(file, "w") as t:
        t.add(folder, ".")


def seconds_of(d, phase):
    from datetime import datetime
    p = next(p for p in d["phases"] if p["phase"] == phase)
    at = lambda text: datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    return at(p["ended_at"]) - at(p["started_at"])


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def one(r):
    return r[0] if isinstance(r, list) else r


def files_and_upload(w, name, work):
    folder = work / "tree"
    tree(folder, "big")
    copying, upload, floor_tar, floor_copy, fetched = [], [], [], [], []
    for n in range(ROUNDS):
        (folder / "index.html").write_text(f"big {n}")
        file = work / f"{n}.tar"
        archive_of(folder, file)
        out = work / "out"
        floor_tar.append(timed(lambda: (out.mkdir(), subprocess.run(["tar", "-xf", file, "-C", out], check=True),
                                        subprocess.run(["sync", "-f", out], check=True))))
        shutil.rmtree(out)
        floor_copy.append(timed(lambda: (shutil.copyfile(file, work / "copy"),
                                         subprocess.run(["sync", work / "copy"], check=True))))
        (work / "copy").unlink()
        begun = time.monotonic()
        w.ctl("deploy", name, "--archive", file, timeout=300)
        whole = time.monotonic() - begun
        d = one(w.ctl("deploy", "get", name))
        copying.append(seconds_of(d, "copying_files"))
        fetched.append(seconds_of(d, "pulling_source"))
        upload.append(whole - sum(seconds_of(d, p["phase"]) for p in d["phases"] if p["phase"] not in ("active", "failed")))
        file.unlink()
    mid = statistics.median
    row(f"{FILES} files, {BYTES >> 20} MiB: unpacked and durable; tar -x and sync", mid(copying), "s", mid(floor_tar), ratio_max=1.3)
    row("the archive to the manager, durable; a copy and sync", mid(upload), "s", mid(floor_copy), ratio_max=1.67)
    row("from the manager to the host, durable; a copy and sync", mid(fetched), "s", mid(floor_copy))


def from_git(w, name, work):
    repo, port = work / "git/repo", free_port()
    tree_of = lambda: [(repo / f"{n}.txt").write_bytes(os.urandom(4096)) for n in range(2000)]
    repo.mkdir(parents=True)
    git = lambda *a: subprocess.run(["git", "-C", repo, "-c", "user.name=a", "-c", "user.email=a@b", *a], check=True, capture_output=True)
    git("init", "-q", "-b", "main")
    tree_of()
    (repo / "index.html").write_text("from git")
    git("add", "-A"), git("commit", "-qm", "one")
    daemon = subprocess.Popen(["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}",
                               f"--base-path={work / 'git'}", str(work / "git")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for("git daemon listens", lambda: answers(port))
        ours, floor = [], []
        for n in range(ROUNDS):
            out = work / "clone"
            floor.append(timed(lambda: subprocess.run(["git", "clone", "-q", "--depth", "1", f"git://127.0.0.1:{port}/repo", out], check=True)))
            shutil.rmtree(out)
            w.ctl("deploy", name, "--git", f"git://127.0.0.1:{port}/repo", "--ref", "main", timeout=120)
            ours.append(seconds_of(one(w.ctl("deploy", "get", name)), "pulling_source"))
        row("2000 files from git, fetched; git clone --depth 1", statistics.median(ours), "s", statistics.median(floor), ratio_max=1.2)
    finally:
        os.killpg(daemon.pid, signal.SIGKILL)  # git starts the one that listens


def switches(w, name, url, work):
    """From the start of the switch phase to the first reader who sees the new version."""
    small = work / "small"
    small.mkdir()
    (small / "index.html").write_text("a")
    w.ctl("deploy", name, "--dir", small)
    (small / "index.html").write_text("b")
    w.ctl("deploy", name, "--dir", small)
    seen, stop = [], threading.Event()

    def read():
        last = None
        while not stop.is_set():
            text = urllib.request.urlopen(url, timeout=5).read()
            if text != last:
                seen.append(time.time())
                last = text

    reader = threading.Thread(target=read)
    reader.start()
    took = []
    link = w.dir / "data-host1/.sites" / name / "current"
    for _ in range(SWITCHES):
        count = len(seen)
        w.ctl("rollback", name, "--to", 1 if len(took) % 2 == 0 else 2)
        wait_for("a reader sees it", lambda: len(seen) > count, 5)
        took.append((seen[-1] - os.lstat(link).st_mtime) * 1e3)
    stop.set()
    reader.join()
    row(f"a switch of links, to the reader who sees it, p50 of {SWITCHES}", statistics.median(took), "ms", ours_max=10)


def at_once(w, work):
    small = work / "small"
    names = [f"many/s{n:02}" for n in range(AT_ONCE)]
    w.ctl("project", "create", "many")
    for n in names:
        w.ctl("service", "create", n, "--agent", "host1")
    before = rss_mb(w.manager.pid), rss_mb(w.agents["host1"].pid)
    begun = time.monotonic()
    for n in names:
        w.ctl_raw("deploy", n, "--dir", small, "--no-wait")
    wait_for("all have ended", lambda: all(d["ended_at"] for d in w.ctl("deploy", "ls")["deployments"]), 120)
    took = time.monotonic() - begun
    good = sum(d["status"] == "success" and d["service"].startswith("many/") for d in w.ctl("deploy", "ls")["deployments"])
    row(f"{AT_ONCE} deployments at once on one agent, {good} of them good", took, "s")
    row("manager, memory above before", rss_mb(w.manager.pid) - before[0], "MB", ours_max=16)
    row("agent, memory above before", rss_mb(w.agents["host1"].pid) - before[1], "MB", ours_max=16)


def beside_servers(w, work):
    """The delay of a server's events while deployments run everywhere."""
    import images
    import world
    engine = Engine(world.docker_host())
    watch = Watch(engine)
    idle, _ = renames(w, engine, watch, EVENTS)
    many = work / "many"
    many.mkdir()
    (many / "index.html").write_text("many")
    for n in range(2000):
        (many / f"{n}.html").write_text(str(n) * 500)
    upload = w.ctl("deploy", "many/s00", "--dir", many)["deployment"]["source"]["upload"]
    # By separate programs, as from other machines: requesting must not delay measuring.
    ended, count = work / "ended", work / "deployed"
    command = f'''while [ ! -e {ended} ]; do
      for n in {" ".join(f"{n:02}" for n in range(AT_ONCE))}; do {world.BIN}/zedctl deploy many/s$n --upload {upload} & done
      wait; echo {AT_ONCE} >> {count}
    done'''
    load = subprocess.Popen(["nice", "-n", "19", "sh", "-c", command], env=w.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        busy, reader = renames(w, engine, watch, EVENTS)
    finally:
        ended.touch()
        load.wait(120)
    deployed = sum(int(line) for line in count.read_text().split())
    row(f"event of a server to its subscriber during {deployed} deployments; at rest, p50", statistics.median(busy), "ms", statistics.median(idle))
    row("the same, p99", percentile(busy, 99), "ms", percentile(idle, 99), ratio_max=1.5)
    row("of that a bare reader of the Engine's events, p99", percentile(reader, 99), "ms")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_pass_over(w, work):
    """Many services on one agent: the time to compare them all, and their cost when idle."""
    names = [(f"p{p}", f"s{s}") for p in range(PROJECTS) for s in range(3)]
    small, upload = work / "small", None
    for project in dict.fromkeys(p for p, _ in names):
        w.ctl("project", "create", project)
    for project, service in names:
        w.ctl("service", "create", f"{project}/{service}", "--agent", "host1")
        if upload is None:
            upload = w.ctl("deploy", f"{project}/{service}", "--dir", small)["deployment"]["source"]["upload"]
        else:
            w.ctl_raw("deploy", f"{project}/{service}", "--upload", upload, "--no-wait")
    served = lambda: {f"{v['project']}/{v['name']}" for v in w.ctl("service", "ls")["services"] if v["current"]}
    wait_for("all are deployed", lambda: {"/".join(n) for n in names} <= served(), 600)
    floor = statistics.median(timed(lambda: w.ctl("status")) for _ in range(5))
    took = statistics.median(timed(lambda: w.ctl("reconcile")) for _ in range(5))
    row(f"a pass over {PROJECTS} projects with {len(names)} services, by zedctl", (took - floor) * 1000, "ms", ours_max=150)
    for who, pid in (("manager", w.manager.pid), ("agent", w.agents["host1"].pid)):
        before, begun = cpu_seconds(pid), time.monotonic()
        time.sleep(20)
        row(f"{who} at rest with them", 100 * (cpu_seconds(pid) - before) / (time.monotonic() - begun), "% of a core")


def main():
    engine_tool = ROOT / "tools/engine"
    subprocess.run([engine_tool, "up", "--dir", ENGINE_DIR], check=True, stdout=subprocess.DEVNULL)
    os.environ["ZEDOPS_TEST_DOCKER_HOST"] = f"unix://{ENGINE_DIR}/docker.sock"
    import images
    import world
    images.project_server()
    w = world.World(**{"sync-interval": "30s"})
    work = w.dir / "work"
    work.mkdir()
    try:
        (w.dir / "templates").mkdir()
        (w.dir / "templates/sleeper.toml").write_text(SLEEPER)
        w.settings["templates-dir"] = w.dir / "templates"
        w.start_manager().start_agent()
        port = free_port()
        w.ctl("project", "create", "shop")
        for n in ("big", "git", "web"):
            w.ctl("service", "create", f"shop/{n}", "--agent", "host1", *(("--port", port) if n == "big" else ()))
        idle = rss_mb(w.manager.pid), rss_mb(w.agents["host1"].pid)
        files_and_upload(w, "shop/big", work)
        row(f"manager, memory above idle after {BYTES >> 20} MiB", rss_mb(w.manager.pid) - idle[0], "MB", ours_max=16)
        row(f"agent, memory above idle after {BYTES >> 20} MiB", rss_mb(w.agents["host1"].pid) - idle[1], "MB", ours_max=16)
        from_git(w, "shop/git", work)
        switches(w, "shop/web", f"http://127.0.0.1:{port}/web/", work)
        at_once(w, work)
        beside_servers(w, work)
        a_pass_over(w, work)
    except BaseException:
        print("\n".join(w.log().splitlines()[-15:]), "\n".join(w.log("zedops-agent").splitlines()[-15:]), file=sys.stderr)
        raise
    finally:
        w.close()
        subprocess.run([engine_tool, "down", "--purge", "--dir", ENGINE_DIR], stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
