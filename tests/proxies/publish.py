#!/usr/bin/env python3
"""The README's recipes for nginx and Caddy in front of the server itself, and restarts behind nginx.

usage: publish.py PROGRAM. Needs nginx, caddy, openssl and python3; ends in 'N passed, N failed'.
"""

import base64
import http.client
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from parts import free_port, recipe, report, wait_for

PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
CONFIG = """[server]
listen = systemd
issuer = https://auth.example.com
trusted_proxies = 127.0.0.1
state_file = state
[client app]
secret = secret
grants = client_credentials
"""
BASIC = "Basic " + base64.b64encode(b"app:secret").decode()
UNVERIFIED = ssl._create_unverified_context()


def start_nginx(folder, backend, port):
    block = recipe("nginx, in front of the server itself")
    block = block.replace("127.0.0.1:3000", f"127.0.0.1:{backend}")
    block = block.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    block = block.replace("/etc/ssl/auth.example.com.", f"{folder}/tls.")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{block}}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def start_caddy(folder, backend, port):
    block = recipe("Caddy, in front of the server itself")
    block = block.replace("127.0.0.1:3000", f"127.0.0.1:{backend}")
    block = block.replace("auth.example.com {", f"https://localhost:{port} {{\ntls internal", 1)
    (folder / "Caddyfile").write_text(
        "{\nadmin off\nskip_install_trust\nauto_https disable_redirects\n"
        f"storage file_system {folder}/caddy\n}}\n{block}"
    )
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


class Activated:
    """The program with a socket that outlives it, as systemd passes one."""

    def __init__(self, folder, port):
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.start()

    def start(self):
        descriptor = self.listener.fileno()
        # The program needs its own process id in LISTEN_PID, and the socket as descriptor 3.
        script = f"exec 3<&{descriptor}; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" --config oauth2d.conf"
        self.process = subprocess.Popen(
            ["bash", "-c", script, PROGRAM], cwd=self.folder, stdout=subprocess.PIPE,
            stderr=(self.folder / "log").open("a"), pass_fds=[descriptor],
        )
        self.process.stdout.readline()

    def restart(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.start()

    def end(self):
        self.process.terminate()
        self.process.wait(20)


class Plain(Activated):
    """The program with its own socket, which is gone while it restarts."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.start()

    def start(self):
        listen = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [PROGRAM, "--config", "oauth2d.conf", "--listen", listen], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=(self.folder / "log").open("a"),
        )
        self.process.stdout.readline()


def ask(port, method, path, fields=None, body=None):
    connection = http.client.HTTPSConnection("localhost", port, timeout=20, context=UNVERIFIED)
    connection.request(method, path, body, fields or {})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def new_token(port, fields=None):
    form = "grant_type=client_credentials"
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": BASIC}
    status, text = ask(port, "POST", "/oauth/token", {**kind, **(fields or {})}, form)
    return json.loads(text)["access_token"] if status == 200 else None


def published(name, port, folder):
    status, text = ask(port, "GET", "/.well-known/oauth-authorization-server")
    yield f"{name}: the metadata", (200, "https://auth.example.com"), (
        status, json.loads(text)["issuer"] if status == 200 else text)
    before = len((folder / "log").read_text())
    token = new_token(port, {"X-Forwarded-For": "192.0.2.1"})
    bearer = {"Authorization": f"Bearer {token}"}
    yield f"{name}: a token", (200, "Congratulations, you are in a secret area!"), ask(
        port, "GET", "/", bearer)
    time.sleep(0.2)
    log = (folder / "log").read_text()[before:]
    # A stranger cannot choose the address that counts.
    yield f"{name}: whose address counts", (True, False), (
        " 127.0.0.1 POST /oauth/token 200 " in log, " 192.0.2.1 " in log)


def under_load(server, port, restarts):
    """Requests while the server restarts: how many failed, of how many, and which tokens are gone."""
    tokens, failed, done, lock = [], [0], threading.Event(), threading.Lock()

    def work():
        while not done.is_set():
            try:
                token = new_token(port)
            except OSError:
                token = None
            with lock:
                if token:
                    tokens.append(token)
                else:
                    failed[0] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(restarts):
        had = len(tokens)
        while len(tokens) < had + 50:
            time.sleep(0.01)
        server.restart()
    done.set()
    for thread in threads:
        thread.join()
    bad = sum(ask(port, "GET", "/", {"Authorization": f"Bearer {it}"})[0] != 200 for it in tokens)
    return failed[0], len(tokens) + failed[0], bad


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="oauth2d-publish-"))
    config = folder / "oauth2d.conf"
    config.write_text(CONFIG)
    config.chmod(0o600)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=auth.example.com", "-keyout", folder / "tls.key", "-out", folder / "tls.pem"],
        check=True, stderr=subprocess.DEVNULL,
    )
    backend, ports = free_port(), {"nginx": free_port(), "Caddy": free_port()}
    server = Activated(folder, backend)
    errors = (folder / "errors").open("w")
    commands = [start_nginx(folder, backend, ports["nginx"]), start_caddy(folder, backend, ports["Caddy"])]
    running = [subprocess.Popen(it, stdout=errors, stderr=errors) for it in commands]
    results = []
    try:
        for name, port in ports.items():
            wait_for(port)
            results += published(name, port, folder)
        failed, asked, bad = under_load(server, ports["nginx"], 3)
        print(f"three restarts with a socket that stays: {failed} of {asked} requests failed")
        results.append(("a restart with a socket that stays", (0, 0), (failed, bad)))
        server.end()
        server.listener.close()
        server = Plain(folder, backend)
        failed, asked, bad = under_load(server, ports["nginx"], 3)
        print(f"three plain restarts: {failed} of {asked} requests failed")
        results.append(("every token after plain restarts", 0, bad))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)
        server.end()
        errors.close()
        told = (folder / "errors").read_text()[-2000:]
        shutil.rmtree(folder, ignore_errors=True)
    return report("publish", results, [told])


sys.exit(main())
