"""kill -9 after every durable write, Engine call and disk change of deployments: each one ends, and the host is as
after an undisturbed one. Settings as in points_test.py. [acc-82] [acc-83] [acc-84]"""
import dataclasses
import hashlib
import io
import json
import os
import pathlib
import tarfile
import unittest
import urllib.request
import uuid

import points_test
from history import promise
from images import SERVE, project_server, web_server
from rig import CrashWorld



@dataclasses.dataclass(frozen=True)
class Operation:
    title: str
    verb: str
    kind: str    # of the service
    source: str  # kind of the deployed source
    had: int     # deployments before it
    end: str = ""


OPERATIONS = [
    Operation("files, the first", "deployment.create", "static_site", "files", 0),
    Operation("files, the next", "deployment.create", "static_site", "files", 1),
    Operation("files, back", "service.rollback", "static_site", "files", 2),
    Operation("files, gone", "service.rm", "static_site", "files", 1),
    Operation("an image, the first", "deployment.create", "container", "image", 0),
    Operation("an image, the next", "deployment.create", "container", "image", 1),
    Operation("a build, the next", "deployment.create", "container", "build", 1),
    Operation("an image, back", "service.rollback", "container", "image", 2),
    Operation("a container, stopped", "service.stop", "container", "image", 1),
    Operation("a container, gone", "service.rm", "container", "image", 1),
]


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            t.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class DeployWorld(CrashWorld):
    def __init__(self, ports):
        super().__init__(ports)
        self.busybox = pathlib.Path("/bin/busybox").read_bytes()
        project_server()
        self.project = f"p{uuid.uuid4().hex[:6]}"
        self.texts = {}  # (service, number) -> the text that it serves

    def start(self):
        super().start()
        self.do("project.create", {"name": self.project})

    def upload(self, data):
        u = self.ask("upload.begin", {"name": "source.tar", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        for at in range(u["received"], len(data), 1 << 20):
            u = self.ask("upload.chunk", {"id": u["id"], "offset": at, "data": data[at:at + (1 << 20)]})
        return self.ask("upload.end", {"id": u["id"]})["id"]

    def source(self, kind, text):
        if kind == "files":
            return {"upload": self.upload(tar_of({"index.html": text.encode(), "a/b.txt": b"x" * 1000}))}
        if kind == "image":
            return {"image": web_server(text)}
        dockerfile = f"FROM scratch\nCOPY . /\nCMD {json.dumps(SERVE)}\n"
        return {"upload": self.upload(tar_of({"bin/busybox": self.busybox, "www/index.html": text.encode(),
                                              "Dockerfile": dockerfile.encode()}))}

    def body(self, name, operation, number):
        text = self.texts[name, number] = f"{name} {number}"
        return {"service": name, **self.source(operation.source, text)}

    def begin(self, operation):
        name = f"{self.project}/s{uuid.uuid4().hex[:6]}"
        settings = {"container_port": 3000} if operation.kind == "container" else {}
        self.do("service.create", {"project": self.project, "name": name.split("/")[1], "agent": "host1",
                                   "type": operation.kind, "settings": settings})
        for n in range(operation.had):
            self.do("deployment.create", self.body(name, dataclasses.replace(operation, source="image")
                                                   if operation.kind == "container" else operation, n + 1))
        before = self.ask("service.get", {"service": name})
        body = (self.body(name, operation, operation.had + 1) if operation.verb == "deployment.create"
                else {"service": name, "to": 1} if operation.verb == "service.rollback" else {"service": name})
        return name, before, body

    def visit(self, service):
        path = f"/{service['name']}/" if service["kind"] == "static_site" else "/"
        with urllib.request.urlopen(f"http://127.0.0.1:{service['port']}{path}", timeout=10) as r:
            return r.read().decode()

    def containers(self, id):
        ids = self.docker("ps", "-aq", "--no-trunc", "--filter", f"label=zedops.service.id={id}").split()
        return [json.loads(self.docker("inspect", c))[0] for c in ids]

    def check(self, name, target, before, operation):
        folder = self.dir / "data-host1" / ".sites" / name
        containers = self.containers(before["id"])
        if operation.verb == "service.rm":
            promise(not folder.exists() and not containers, "nothing of it is left", containers)
            promise(before["id"] not in self.docker("images", "--format", "{{.Repository}}"), "no image of it is left")
            return
        s = self.ask("service.get", {"service": name})
        promise(s["operation"] == "", "nothing is left open", s)
        if operation.verb == "service.stop":
            promise(s["stopped"] and not containers[0]["State"]["Running"], "it is stopped")
            return
        wanted = 1 if operation.verb == "service.rollback" else operation.had + 1
        promise(s["current"] == wanted, f"#{wanted} is served", s)
        promise(self.visit(s) == self.texts[name, wanted], "visitors see it")
        rest = [p.name for p in (folder / ".zedops").iterdir() if p.suffix not in (".log", ".stamp") and p.name != "wanted"]
        promise(not rest, "nothing unfinished is left", rest)
        if operation.kind == "container":
            promise(len(containers) == 1 and containers[0]["Config"]["Labels"]["zedops.deployment"] == str(wanted),
                    "one container, of that deployment", [c["Name"] for c in containers])
            return
        promise(os.readlink(folder / "current") == str(wanted), "its link points to it")
        promise(os.readlink(folder.parent / ".web" / folder.name) == f"../{folder.name}/current", "so does the web root's")
        trees = sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())
        promise(trees == list(range(1, max(wanted, operation.had) + 1)), "every version is whole", trees)

    def rests(self, name, status):
        pass


class Deployments(points_test.Points):
    OPERATIONS = OPERATIONS
    SAMPLE = 20

    def make_world(self):
        return DeployWorld(range(24_000, 25_000))

if __name__ == "__main__":
    unittest.main()
