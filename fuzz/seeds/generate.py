#!/usr/bin/env python3
"""generate.py - writes the seeds that nobody can type: packed files, and tables taken apart.

    pip install zstandard==0.25.0 && python3 generate.py

The other seeds are written by hand. Packed seeds hold rows made up here; tables come from the fixtures of the tests.
"""
import gzip
import io
import os
import zipfile

import zstandard

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "../../crates/rows/src/table/tests/fixtures")
TRADES = b"symbol,price,volume,timestamp\nABC,1.5,2,2021-07-22T22:31:00Z\nABC,-1,2,2021-07-22T22:31:01Z\n"
MORE = b"symbol,price,volume,timestamp\r\n\"D,E\",0.25,1000,2021-07-22T23:59:59.5+05:30\r\n"


def write(target, name, content):
    os.makedirs(os.path.join(HERE, target), exist_ok=True)
    with open(os.path.join(HERE, target, name), "wb") as file:
        file.write(content)


def zipped(members, method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, method)
    return packed.getvalue()


def streamed(members):
    """a zip whose sizes come after the content"""

    class Stream(io.RawIOBase):
        def __init__(self):
            self.bytes = b""

        def writable(self):
            return True

        def write(self, content):
            self.bytes += bytes(content)
            return len(content)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, zipfile.ZIP_DEFLATED)
    return stream.bytes


def many():
    """rows enough that groups go to scratch space"""
    trades = ["%s,%d,1,2021-07-22T%02d:%02d:00Z,,\n" % ("ABC"[i % 3], 1 + i % 5, i % 3, i % 60) for i in range(170)]
    write("csv", "many-trades", b"\0\0\x1f" + "".join(trades).encode())
    row = "%d,%d,EUR,2021-07-22T22:31:00Z,%x,failed\n"
    totals = [row % (i, i % 3, i * 2654435761 % 4096) for i in range(150)]
    write("csv", "many-transactions", b"\0\2\x1f" + "".join(totals).encode())


def unpack():
    plain = gzip.compress(TRADES, mtime=0)
    named = io.BytesIO()
    with gzip.GzipFile("trades.csv", "wb", fileobj=named, mtime=1) as file:
        file.write(MORE)
    write("unpack", "one.gz", plain)
    write("unpack", "two-members.gz", plain + named.getvalue())
    write("unpack", "cut-short.gz", plain[:-9])
    write("unpack", "wrong-checksum.gz", plain[:-8] + b"\0\0\0\0" + plain[-4:])
    frame = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(TRADES)
    unsized = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(MORE)
    skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
    write("unpack", "one.zst", frame)
    write("unpack", "two-frames.zst", frame + skippable + unsized)
    members = [("a.csv", TRADES), ("folder/", b""), ("folder/b.csv", MORE)]
    write("unpack", "deflated.zip", zipped(members, zipfile.ZIP_DEFLATED))
    write("unpack", "stored.zip", zipped(members, zipfile.ZIP_STORED))
    write("unpack", "streamed.zip", streamed(members[:1]))
    write("unpack", "nothing.zip", zipped([], zipfile.ZIP_STORED))
    write("unpack", "utf16le.csv", TRADES.decode().encode("utf-16"))
    write("unpack", "utf16be.csv", b"\xfe\xff" + TRADES.decode().encode("utf-16-be"))
    write("unpack", "mark.csv", b"\xef\xbb\xbf" + TRADES)
    write("unpack", "latin.csv", TRADES.replace(b"ABC", b"\xc4\xa4\x80"))


def parquet():
    for name in sorted(os.listdir(FIXTURES)):
        with open(os.path.join(FIXTURES, name), "rb") as file:
            content = file.read()
        if len(content) > 4000 or not name.endswith((".parquet", ".arrow")):
            continue
        is_parquet = name.endswith(".parquet")
        tail = 8 if is_parquet else 10
        length = int.from_bytes(content[-tail : 4 - tail], "little")
        if length + tail + 8 > len(content):
            continue
        footer = content[-tail - length : -tail]
        body = content[4 if is_parquet else 8 : -tail - length]
        choice = b"\0" if is_parquet else b"\1"
        write("parquet", name + ".parts", choice + length.to_bytes(2, "big") + footer + body)


many()
unpack()
parquet()
