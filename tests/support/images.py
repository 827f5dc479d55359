"""Images that tests deploy, on the tests' Engine."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

from world import ROOT, docker_host

# Its output is what `service logs` shows.
SERVE = ["/bin/busybox", "sh", "-c",
         "echo it serves; trap 'exit 0' TERM; /bin/busybox httpd -f -p 3000 -h /www & wait"]


def _env():
    return {**os.environ, "DOCKER_HOST": docker_host()}


def web_server(text, command=SERVE):
    """An image whose containers serve this text at port 3000; its id. It has a name, too: one without would stay for ever."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        t.add("/bin/busybox", "bin/busybox", recursive=False)
        page = tarfile.TarInfo("www/index.html")
        page.size = len(text.encode())
        t.addfile(page, io.BytesIO(text.encode()))
    name = "zedops-test/web:" + hashlib.sha256(json.dumps([text, command]).encode()).hexdigest()[:16]
    made = subprocess.run(["docker", "import", "--change", f"CMD {json.dumps(command)}", "-", name],
                          input=out.getvalue(), capture_output=True, check=True, env=_env())
    return made.stdout.decode().strip()


def project_server():
    """The web server of static services."""
    subprocess.run([ROOT / "tools/images", "project-server"], check=True, capture_output=True, env=_env())
