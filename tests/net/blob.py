#!/usr/bin/env python3
"""Puts blobs into the emulator of Azure Blob Storage, for stories: what is read there was not written by what reads it.

    blob.py URL ACCOUNT KEY create CONTAINER [blob|container]   public, or not
    blob.py URL ACCOUNT KEY put CONTAINER NAME FILE [MD5]       MD5: what is kept as its sum
    blob.py URL ACCOUNT KEY delete CONTAINER NAME
    blob.py URL ACCOUNT KEY sas CONTAINER RIGHTS MINUTES        prints what stands behind the ?

URL ends in the account's name. Requests are signed with Shared Key."""

import base64
import datetime
import hashlib
import hmac
import sys
import urllib.error
import urllib.parse
import urllib.request

VERSION = "2021-12-02"


def digest(key, text):
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()


class Account:
    def __init__(self, url, account, key):
        self.url, self.account, self.key = url, account, key

    def send(self, method, path, params=None, headers=None, body=b""):
        path = urllib.parse.quote(path, safe="/")
        params = dict(params or {})
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        headers["x-ms-date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers["x-ms-version"] = VERSION
        # Urllib makes up one of its own where none is given.
        if method == "PUT":
            headers["content-type"] = "application/octet-stream"
        names = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
                 "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")
        plain = dict(headers)
        if body:
            plain["content-length"] = str(len(body))
        lines = [method] + [plain.get(name, "") for name in names]
        lines += [f"{name}:{headers[name]}" for name in sorted(headers) if name.startswith("x-ms-")]
        whole = urllib.parse.urlsplit(self.url).path + path
        lines.append(f"/{self.account}{whole}")
        lines += [f"{name}:{params[name]}" for name in sorted(params)]
        headers["authorization"] = f"SharedKey {self.account}:" + digest(self.key, "\n".join(lines))
        query = "?" + urllib.parse.urlencode(params) if params else ""
        # A body of no bytes has a length too.
        request = urllib.request.Request(self.url + path + query, data=body if method == "PUT" else None, headers=headers, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read()

    def create(self, container, public=None):
        self.send("PUT", f"/{container}", {"restype": "container"}, {"x-ms-blob-public-access": public} if public else {})

    def put(self, container, name, file, md5=None):
        with open(file, "rb") as f:
            body = f.read()
        headers = {"x-ms-blob-type": "BlockBlob"}
        self.send("PUT", f"/{container}/{name}", None, headers, body)
        # It is checked when the bytes come, and believed afterwards.
        if md5:
            self.send("PUT", f"/{container}/{name}", {"comp": "properties"}, {"x-ms-blob-content-md5": md5})

    def delete(self, container, name):
        self.send("DELETE", f"/{container}/{name}")

    def sas(self, container, rights, minutes):
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = now - datetime.timedelta(minutes=60), now + datetime.timedelta(minutes=int(minutes))
        start, end = (t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in (start, end))
        lines = [rights, start, end, f"/blob/{self.account}/{container}", "", "", "", VERSION, "c", "", "", "", "", "", "", ""]
        print(urllib.parse.urlencode({"sv": VERSION, "st": start, "se": end, "sr": "c", "sp": rights, "sig": digest(self.key, "\n".join(lines))}))


def main():
    account = Account(*sys.argv[1:4])
    try:
        getattr(account, sys.argv[4])(*sys.argv[5:])
    except urllib.error.HTTPError as e:
        sys.exit(f"blob.py: {' '.join(sys.argv[4:])}: {e} {e.read().decode(errors='replace')}")


main()
