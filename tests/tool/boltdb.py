#!/usr/bin/env python3
"""A bolt database, written to order. Lines of standard input:

    bucket KEY		its keys follow, to "end"
    put KEY VALUE
    end

KEY and VALUE are text with \\xHH. A value that begins with "uvarint:", "varint:" (numbers) or
"time:" (seconds since 1970) is encoded as Go does.

    boltdb.py [-p PAGE-SIZE] [-n ELEMENTS-OF-A-PAGE] [-f] >FILE
    -f	no bucket lies in the page of another one
"""
import argparse
import re
import struct
import sys

LEAF, BRANCH, IS_BUCKET = 2, 1, 1


def text(s):
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), s.encode())


def uvarint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def value(s):
    kind, _, arg = s.partition(":")
    if kind == "uvarint":
        return uvarint(int(arg))
    if kind == "varint":
        n = int(arg)
        return uvarint(2 * n if n >= 0 else -2 * n - 1)
    if kind == "time":
        return struct.pack(">BqIh", 1, int(arg) + 62135596800, 0, -1)
    return text(s)


def read_bucket(lines):
    items = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "bucket":
            items[text(rest)] = read_bucket(lines)
        elif word == "put":
            key, _, val = rest.partition(" ")
            items[text(key)] = value(val)
        elif word == "end":
            break
    return items


class Writer:
    def __init__(self, args):
        self.args = args
        self.pages = {}
        self.next = 4

    def page(self, flags, elements, number=None):
        """Elements: (flags, key, value), of a branch (page, key). The page's number; None
        for number: take one. 0: give the bytes."""
        body = b""
        heads = b""
        for i, e in enumerate(elements):
            at = 16 * (len(elements) - i) + len(body)
            if flags == BRANCH:
                heads += struct.pack("=IIQ", at, len(e[1]), e[0])
                body += e[1]
            else:
                heads += struct.pack("=IIII", e[0], at, len(e[1]), len(e[2]))
                body += e[1] + e[2]
        size = 16 + len(heads) + len(body)
        over = (size - 1) // self.args.p
        if number is None:
            number = self.next
            self.next += 1 + over
        data = struct.pack("=QHHI", number, flags, len(elements), over if number else 0) + heads + body
        if not number:
            return data
        self.pages[number] = data
        return number

    def bucket(self, items, outermost=False):
        """The value of a bucket; of the outermost its page."""
        elements = []
        for key in sorted(items):
            sub = isinstance(items[key], dict)
            elements.append((IS_BUCKET, key, self.bucket(items[key])) if sub else (0, key, items[key]))
        data = self.page(LEAF, elements, 0)
        if not outermost and not self.args.f and len(data) <= self.args.p // 4 and not any(
                e[0] for e in elements):
            return struct.pack("=QQ", 0, 0) + data
        n = self.args.n
        level = [(self.page(LEAF, elements[i:i + n]), elements[i][1])
                 for i in range(0, len(elements), n)] or [(self.page(LEAF, []), b"")]
        while len(level) > 1:
            level = [(self.page(BRANCH, level[i:i + n]), level[i][1]) for i in range(0, len(level), n)]
        return level[0][0] if outermost else struct.pack("=QQ", level[0][0], 0)


def fnv1a(data):
    h = 0xCBF29CE484222325
    for b in data:
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-p", type=int, default=4096)
    parser.add_argument("-n", type=int, default=32)
    parser.add_argument("-f", action="store_true")
    args = parser.parse_args()
    w = Writer(args)
    root = w.bucket(read_bucket(iter(sys.stdin)), True)
    out = bytearray(w.next * args.p)
    for tx in (0, 1):
        meta = struct.pack("=IIIIQQQQQ", 0xED0CDAED, 2, args.p, 0, root, 0, 2, w.next, tx + 1)
        w.pages[tx] = struct.pack("=QHHI", tx, 4, 0, 0) + meta + struct.pack("=Q", fnv1a(meta))
    w.pages[2] = struct.pack("=QHHI", 2, 16, 0, 0)
    for number, data in w.pages.items():
        out[number * args.p:number * args.p + len(data)] = data
    sys.stdout.buffer.write(out)


main()
