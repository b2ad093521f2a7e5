#!/usr/bin/env python3
"""typed.py SHELL RC: types the lines of standard input into an interactive shell, with \\t
as the tab key, and prints each as the shell then has it."""
import os
import pty
import re
import select
import sys
import time

shell, rc = sys.argv[1:3]
seen = b""


def read_until(pattern):
    global seen
    end = time.monotonic() + 60
    while not re.search(pattern, seen):
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit("typed: %s does not answer: %r" % (shell, seen))
        seen += os.read(fd, 65536)
    found = re.search(pattern, seen)
    seen = b""
    return found


pid, fd = pty.fork()
if pid == 0:
    command = {
        "bash": ["bash", "--noprofile", "--rcfile", rc, "-i"],
        "zsh": ["zsh", "-f", "-i"],
        "fish": ["fish", "--no-config", "-i"],
    }[shell]
    os.environ["TERM"] = "xterm" if shell == "fish" else "dumb"
    os.execvp(command[0], command)
# Quoted in two parts, so that the terminal's echo of the command is not taken for its output.
os.write(fd, ("source %s; echo RE''ADY\r" % rc).encode())
read_until(rb"READY")
for line in sys.stdin:
    typed = line.rstrip("\n").replace("\\t", "\t").encode()
    os.write(fd, typed + b"\x01echo BE''GIN \x05 'EN''D'\r")
    print(read_until(rb"BEGIN (.*?) END").group(1).decode(), flush=True)
os.close(fd)
