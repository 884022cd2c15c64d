#!/usr/bin/env python3
"""Power cuts: a file system that is shut down without flushing, under a working server.

usage: run.py PROGRAM. Needs root, losetup, mkfs.ext4 and, for the control, strace; says what it left
out and why, and ends in 'N passed, N failed'.

What ended and was answered before the cut must not come back, and what was given a while before must
still be there. What is answered later does not count: after a real cut nobody would answer, while
this kernel goes on, and may call a sync done that the cut has overtaken. The control runs the same
with syncs that do nothing, and has to find tokens that came back: else this would find nothing
either.
"""

import base64
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

# _IOR('X', 125, u32) of linux/fs.h, and "do not even write the journal".
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
CLIENT = "Basic " + base64.b64encode(b"app:secret").decode()
CONFIG = """[server]
log = off
state_file = {}/state
[client app]
secret = secret
grants = password refresh_token
[user ann]
password = password
"""
TOKENS = 200
THREADS = 4
ROUNDS = 3


class Refused(Exception):
    """The machine does not allow what a round needs."""


def command(*words):
    result = subprocess.run(words, capture_output=True, text=True)
    if result.returncode != 0:
        raise Refused(f"{' '.join(words)}: {result.stderr.strip() or result.returncode}")
    return result.stdout.strip()


class Disk:
    """A file system in a file, which can lose its power."""

    def __init__(self, folder):
        self.path = folder / "disk"
        self.path.mkdir()
        image = folder / "image"
        with open(image, "wb") as file:
            file.truncate(64 << 20)
        command("mkfs.ext4", "-q", str(image))
        self.device = command("losetup", "-f", "--show", str(image))
        try:
            self.mount()
        except Refused:
            self.detach()
            raise

    def mount(self):
        command("mount", self.device, str(self.path))

    def flush(self):
        os.sync()

    def cut(self):
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        except OSError as error:
            raise Refused(f"the file system cannot be shut down: {error}") from error
        finally:
            os.close(folder)

    def unmount(self):
        command("umount", str(self.path))

    def detach(self):
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)
        subprocess.run(["losetup", "-d", self.device], capture_output=True)


class Server:
    def __init__(self, program, config, before=()):
        words = [*before, program, "--config", str(config), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            raise SystemExit(f"the server does not start: {self.process.stderr.read()}")
        self.port = int(line.rsplit(":", 1)[1])
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = int(children.read_text().split()[0]) if before else self.process.pid

    def kill(self):
        os.kill(self.pid, 9)
        self.process.wait()


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def post(self, path, **form):
        headers = {"Authorization": CLIENT, "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, urllib.parse.urlencode(form), headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or "{}")

    def issue(self):
        status, body = self.post("/oauth/token", grant_type="password", username="ann", password="password")
        return body if status == 200 else None

    def is_live(self, token):
        self.connection.request("GET", "/", headers={"Authorization": f"Bearer {token}"})
        answer = self.connection.getresponse()
        answer.read()
        return answer.status == 200


def work(port, tokens, ended):
    """Revokes tokens in two ways until the power is gone, and notes what was answered."""
    client = Client(port)
    try:
        for at, token in enumerate(tokens):
            if at % 2:
                status, _ = client.post("/oauth/revoke", token=token["refresh_token"])
            else:
                refresh = token["refresh_token"]
                status, _ = client.post("/oauth/token", grant_type="refresh_token", refresh_token=refresh)
            if status != 200:
                return
            ended.append(token["access_token"])
    except OSError:
        return


def cut_under_load(program, folder, before=()):
    """How many tokens ended, came back, and were lost, in one power cut."""
    disk = Disk(folder)
    try:
        config = folder / "oauth2d.conf"
        config.write_text(CONFIG.format(disk.path))
        server = Server(program, config, before)
        client = Client(server.port)
        kept = [client.issue() for _ in range(50)]
        tokens = [[client.issue() for _ in range(TOKENS)] for _ in range(THREADS)]
        disk.flush()
        ended = []
        threads = [threading.Thread(target=work, args=(server.port, own, ended)) for own in tokens]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 20
        while len(ended) < TOKENS * THREADS // 3 and time.monotonic() < until:
            time.sleep(0.005)
        answered = len(ended)
        try:
            disk.cut()
        finally:
            server.kill()
        for thread in threads:
            thread.join()
        disk.unmount()
        disk.mount()
        server = Server(program, config)
        client = Client(server.port)
        came_back = sum(client.is_live(token) for token in ended[:answered])
        lost = sum(not client.is_live(token["access_token"]) for token in kept)
        server.kill()
        return answered, came_back, lost
    finally:
        disk.detach()


def main():
    program = sys.argv[1]
    without_syncs = ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync,fsync:retval=0"]
    passed = failed = 0
    rounds = [("a power cut", (), lambda back, lost: back == 0 and lost == 0)] * ROUNDS
    rounds.append(("the control, without syncs", without_syncs, lambda back, lost: back > 0))
    for name, before, is_right in rounds:
        if before and not shutil.which(before[0]):
            print(f"{name}: skipped: {before[0]} is not installed")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                ended, back, lost = cut_under_load(program, pathlib.Path(folder), before)
            except (Refused, FileNotFoundError) as reason:
                print(f"{name}: skipped: {reason}")
                continue
        ok = is_right(back, lost) and ended > 0
        print(f"{name}: {ended} ended, {back} came back, {lost} lost: {'ok' if ok else 'FAILED'}")
        passed, failed = passed + ok, failed + (not ok)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
