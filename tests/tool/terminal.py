#!/usr/bin/env python3
"""terminal.py COMMAND...: runs it in a terminal of its own and does what the lines of standard
input say:
	> TEXT		types TEXT and the return key
	! TEXT		types TEXT alone; \\x1a and so on are the control keys
	< REGEX		waits until it is shown, after what was waited for before
	= COLUMNS	makes the terminal so wide
Exit status 1, and what was shown, if something is not shown in a minute."""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

script = sys.stdin.read().splitlines()
seen = b""
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execvp(sys.argv[1], sys.argv[1:])


def wait_for(pattern):
    global seen
    end = time.monotonic() + 60
    while True:
        found = re.search(pattern.encode(), seen)
        if found:
            seen = seen[found.end():]
            return
        left = end - time.monotonic()
        try:
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise OSError("nothing more")
            more = os.read(fd, 65536)
        except OSError as why:
            sys.exit("terminal: no %r in %r: %s" % (pattern, seen, why))
        seen += more


for line in script:
    what, text = line[:1], line[2:]
    if what == "<":
        wait_for(text)
    elif what == "=":
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(text), 0, 0))
    elif what:
        typed = text.encode().decode("unicode_escape").encode("latin1")
        os.write(fd, typed + (b"\r" if what == ">" else b""))
os.close(fd)
