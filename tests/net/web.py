#!/usr/bin/env python3
"""A web server that plays what servers do, for stories: web.py FOLDER, on the loopback, at a free port that it writes to web.port.

It serves the files of FOLDER as the words of the file web.play say, which are read at each request; each request is a line in
web.requests: method, path, range, status.

    noranges        what is asked for is given whole, and nothing said of ranges
    notag           no ETag; nodate: no Last-Modified
    nohead          HEAD is not allowed
    sum, wrongsum   Content-MD5 of the whole file, or of another one
    busy=N          N answers to GET are 503, the first with Retry-After: 1
    cut=N           N answers to GET end after half of their bytes
    write=N         before answer N to GET with a range the file NAME.next takes the place of NAME,
                    or the shell script of command=FILE is run
    password        only Ada is let in, with her password, "se cret"
    to=URL          asks there instead; what comes is handed on
    bearer=TOKEN    only who has that token is let in; it is not handed on
    clock=N         its clock is N seconds ahead
    status=N        every answer is that, with the body of the file web.words
    pages=:A,A:B    it is a container of blobs whose list comes in pages, the next one behind each marker; the page of marker A has the
                    blob A.json. A marker that is not there has expired; pages=+N: before the last one come N empty ones
"""

import base64
import email.utils
import hashlib
import http.client
import http.server
import os
import re
import sys
import threading
import time
import urllib.parse

gets = ranges = 0
lock = threading.Lock()


def play():
    words = {}
    with open("web.play") as f:
        for word in f.read().split():
            name, _, value = word.partition("=")
            words[name] = value
    return words


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def note(self, status):
        with lock, open("web.requests", "a") as f:
            f.write(f"{self.command} {self.path.partition('?')[0]} {self.headers.get('Range', '-')} {status}\n")

    def plain(self, status, words=b"", **headers):
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(words)

    def forward(self, to):
        to = urllib.parse.urlsplit(to)
        there = http.client.HTTPConnection(to.hostname, to.port, timeout=60)
        there.request(self.command, self.path, headers={k: v for k, v in self.headers.items() if k.lower() != "connection"})
        answer = there.getresponse()
        body = answer.read()
        self.note(answer.status)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self, pages):
        marker = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("marker", [""])[0]
        blob, after = "", ""
        if pages.startswith("+"):
            after = str(int(marker or 0) + 1)
            if after == pages[1:]:
                after, blob = "", "last"
        else:
            to = dict(pair.split(":") for pair in pages.split(","))
            if marker not in to:
                return self.plain(400, b'<?xml version="1.0"?><Error><Code>InvalidQueryParameterValue</Code><Message>'
                                  b'The marker has expired.</Message></Error>')
            blob, after = marker or "first", to[marker]
        if blob:
            blob = f"<Blob><Name>{blob}.json</Name><Properties><Content-Length>12</Content-Length></Properties></Blob>"
        self.plain(200, f"<EnumerationResults><Blobs>{blob}</Blobs><NextMarker>{after}</NextMarker></EnumerationResults>".encode())

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + int(play().get("clock", 0)))

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        global gets, ranges
        words = play()
        with lock:
            gets += self.command == "GET"
            nth = gets
            ranges += self.command == "GET" and "Range" in self.headers
            nth_range = ranges
        name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        if self.command == "GET" and "Range" in self.headers and str(nth_range) == words.get("write"):
            self.write(name, words)
        if "bearer" in words:
            if self.headers.get("Authorization") != "Bearer " + words["bearer"]:
                return self.plain(401)
            del self.headers["Authorization"]
        if "to" in words:
            return self.forward(words["to"])
        if "pages" in words and "comp=list" in self.path:
            return self.page(words["pages"])
        if "status" in words:
            with open("web.words", "rb") as f:
                return self.plain(int(words["status"]), f.read())
        if "password" in words:
            let_in = "Basic " + base64.b64encode(b"Ada:se cret").decode()
            if self.headers.get("Authorization") != let_in:
                return self.plain(401, WWW_Authenticate='Basic realm="the story"')
        if "nohead" in words and self.command == "HEAD":
            return self.plain(405)
        if name.startswith("moved/"):
            return self.plain(302, Location="/" + name[len("moved/"):])
        if self.command == "GET" and nth <= int(words.get("busy", 0)):
            return self.plain(503, b"busy", **({"Retry_After": "1"} if nth == 1 else {}))
        path = os.path.join(sys.argv[1], name)
        if not os.path.isfile(path):
            return self.plain(404, b"no such file")
        self.give(path, words, nth)

    def write(self, name, words):
        if "command" in words:
            os.system("sh ./" + words["command"])
        else:
            path = os.path.join(sys.argv[1], name)
            os.replace(path + ".next", path)

    def give(self, path, words, nth):
        with open(path, "rb") as f:
            whole = f.read()
        tag = '"' + hashlib.sha256(whole).hexdigest()[:16] + '"'
        if self.headers.get("If-Match", tag) != tag and "notag" not in words:
            return self.plain(412)
        body, status = whole, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {}
        if asked and "noranges" not in words:
            first, last = int(asked[1]), min(int(asked[2] or len(whole)), len(whole) - 1)
            if first > last:
                return self.plain(416)
            body, status = whole[first:last + 1], 206
            headers["Content-Range"] = f"bytes {first}-{last}/{len(whole)}"
        if "noranges" not in words:
            headers["Accept-Ranges"] = "bytes"
        if "notag" not in words:
            headers["ETag"] = tag
        if "nodate" not in words:
            headers["Last-Modified"] = email.utils.formatdate(os.stat(path).st_mtime, usegmt=True)
        if "sum" in words or "wrongsum" in words:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(whole + (b"!" if "wrongsum" in words else b"")).digest()).decode()
        self.note(status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if nth <= int(words.get("cut", 0)):
            self.wfile.write(body[:len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
server.daemon_threads = True
with open("web.port.new", "w") as f:
    f.write(str(server.server_port))
os.rename("web.port.new", "web.port")
server.serve_forever()
