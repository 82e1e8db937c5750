#!/usr/bin/env python3
"""Tests of fetch_model.py against a server of our own on the loopback."""

import contextlib
import hashlib
import http.server
import io
import os
import pathlib
import random
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fetch_model  # noqa: E402

CONTENT = random.Random(1).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPOSITORY = "someone/some-model"


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path of REPOSITORY, as well or badly as it is told to."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.knows_ranges = True
        self.cut_after = []  # for the next responses: bytes until the connection is cut
        self.statuses = []  # for the next responses: an error instead
        self.ranges = []  # Range headers that came in

    def handle_error(self, request, client_address):
        """A client that hangs up early is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if server.statuses:
            return self.send_error(server.statuses.pop(0))
        if not self.path.startswith(f"/{REPOSITORY}/resolve/main/"):
            return self.send_error(404)
        begin = 0
        total = len(server.content)
        if wanted and server.knows_ranges:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if begin and begin >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        self.send_header("Content-Length", str(total - begin))
        self.end_headers()
        end = total
        if server.cut_after:
            end = min(total, begin + server.cut_after.pop(0))
            self.close_connection = True
        self.wfile.write(server.content[begin:end])

    def log_message(self, *_):
        pass


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "model"
        self.path = self.folder / "weights.bin"
        self.part = self.folder / "weights.bin.part"
        self.waits = []
        self.replace(fetch_model.time, "sleep", self.waits.append)
        self.offer(fetch_model.File("weights.bin", len(CONTENT), SHA256))

    def replace(self, owner, name, value):
        self.addCleanup(setattr, owner, name, getattr(owner, name))
        setattr(owner, name, value)

    def offer(self, *files):
        model = fetch_model.Model(REPOSITORY, "", files)
        self.replace(fetch_model, "MODELS", {"packed": model})

    def fetch(self, *more, url=None):
        url = url or f"http://127.0.0.1:{self.server.server_port}"
        self.errors = io.StringIO()
        self.output = io.StringIO()
        with contextlib.redirect_stderr(self.errors), contextlib.redirect_stdout(self.output):
            try:
                return fetch_model.main(["packed", "--to", str(self.folder), "--base-url", url, *more])
            except SystemExit as end:
                return end.code

    def assert_complete(self):
        self.assertEqual(self.path.read_bytes(), CONTENT)
        self.assertFalse(self.part.exists())

    def test_downloads_and_checks(self):
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()
        self.assertIn("sha256 is right", self.output.getvalue())
        self.assertIn(f"rotor generate --model {self.folder}", self.output.getvalue())

    def test_leaves_alone_what_is_there(self):
        self.fetch()
        self.assertEqual(self.fetch(), 0)
        self.assertIn("is there already", self.output.getvalue())
        self.assertEqual(len(self.server.ranges), 1)

    def test_goes_on_where_it_stopped(self):
        self.folder.mkdir()
        self.part.write_bytes(CONTENT[:1_234_567])
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()
        self.assertEqual(self.server.ranges, ["bytes=1234567-"])

    def test_goes_on_after_the_connection_broke(self):
        self.server.cut_after = [1_000_000, 0, 500_000]
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()
        self.assertEqual(self.server.ranges, [None, "bytes=1000000-", "bytes=1000000-", "bytes=1500000-"])
        # Waiting longer only as long as nothing arrives.
        self.assertEqual(self.waits, [1, 2, 1])

    def test_keeps_the_part_when_it_gives_up(self):
        self.server.cut_after = [1_000_000] + [0] * 10
        self.assertEqual(self.fetch(), 69)
        self.assertEqual(self.part.read_bytes(), CONTENT[:1_000_000])
        self.assertFalse(self.path.exists())
        self.assertIn("run this again", self.errors.getvalue())

    def test_starts_over_without_ranges(self):
        self.server.knows_ranges = False
        self.folder.mkdir()
        self.part.write_bytes(b"x" * 1000)
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()

    def test_finishes_a_part_that_is_complete(self):
        self.folder.mkdir()
        self.part.write_bytes(CONTENT)
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()

    def test_tries_again_when_the_server_is_busy(self):
        self.server.statuses = [503, 429]
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()
        self.assertEqual(self.waits, [1, 2])

    def test_refuses_other_content(self):
        self.server.content = CONTENT[:-1] + b"?"
        self.assertEqual(self.fetch(), 65)
        self.assertFalse(self.path.exists())
        self.assertIn(f"instead of {SHA256}; remove it", self.errors.getvalue())

    def test_refuses_another_size_before_downloading(self):
        self.server.content = CONTENT + b"?"
        self.assertEqual(self.fetch(), 65)
        self.assertFalse(self.part.exists())
        self.assertIn("3000001 bytes on the server instead of 3000000", self.errors.getvalue())

    def test_refuses_a_part_that_is_too_long(self):
        self.folder.mkdir()
        self.part.write_bytes(CONTENT + b"?")
        self.assertEqual(self.fetch(), 65)
        self.assertIn("shorter on the server", self.errors.getvalue())

    def test_refuses_another_file_of_that_name(self):
        self.folder.mkdir()
        self.path.write_bytes(b"mine")
        self.assertEqual(self.fetch(), 65)
        self.assertEqual(self.path.read_bytes(), b"mine")
        self.assertIn("move it away", self.errors.getvalue())

    def test_takes_files_of_unknown_checksum(self):
        self.offer(fetch_model.File("weights.bin"))
        self.assertEqual(self.fetch(), 0)
        self.assert_complete()
        self.assertIn("no checksum is known", self.output.getvalue())

    def test_says_what_is_missing(self):
        self.assertEqual(self.fetch("--revision", "nowhere"), 69)
        self.assertIn("the server says 404", self.errors.getvalue())
        self.assertEqual(self.waits, [])

    def test_says_that_there_is_no_server(self):
        self.assertEqual(self.fetch(url="http://127.0.0.1:1"), 69)
        self.assertIn("Connection refused", self.errors.getvalue())
        self.assertEqual(self.fetch(url="nonsense"), 64)

    def test_says_that_it_cannot_write(self):
        self.folder.write_bytes(b"a file where the folder should be")
        self.assertEqual(self.fetch(), 73)
        self.assertIn(str(self.folder), self.errors.getvalue())

    def test_says_that_the_disk_is_too_small(self):
        usage = type("Usage", (), {"free": 10})
        self.replace(fetch_model.shutil, "disk_usage", lambda _: usage)
        self.assertEqual(self.fetch(), 73)
        self.assertIn("10 are free", self.errors.getvalue())

    def test_can_be_interrupted(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        self.replace(fetch_model.os, "fsync", interrupt)
        self.assertEqual(self.fetch(), 130)
        self.assertTrue(os.path.exists(self.part))

    def test_refuses_unknown_arguments(self):
        self.assertEqual(self.fetch("--nonsense"), 64)


class TableTest(unittest.TestCase):
    def test_names_are_plain_and_checksums_well_formed(self):
        for model in fetch_model.MODELS.values():
            for file in model.files:
                self.assertNotIn("/", file.name)
                self.assertRegex(file.sha256 or "0" * 64, "^[0-9a-f]{64}$")
            self.assertIn(model.run_as, [""] + [file.name for file in model.files])


if __name__ == "__main__":
    unittest.main()
