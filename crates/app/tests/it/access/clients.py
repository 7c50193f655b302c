"""Requests that botocore signs, one line each: what, the status, and the name of what went wrong."""
import datetime, json, sys, urllib.error, urllib.request
import botocore.auth
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

base, credentials = sys.argv[1], Credentials(sys.argv[2], sys.argv[3])


def send(what, request):
    made = request.prepare()
    sent = urllib.request.Request(made.url, data=made.body, headers=dict(made.headers), method=made.method)
    try:
        status, code = urllib.request.urlopen(sent).status, ""
    except urllib.error.HTTPError as error:
        body = error.read()
        status, code = error.code, json.loads(body)["code"] if body else ""
    print(what, status, code)


def by_header(path, method="GET", data=None):
    request = AWSRequest(method, base + path, data=data, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "execute-api", "eu-west-1").add_auth(request)
    return request


def by_query(path, expires=60):
    request = AWSRequest("GET", base + path)
    SigV4QueryAuth(credentials, "execute-api", "us-east-1", expires=expires).add_auth(request)
    return request


for path in ["/status/x", "/status/a%20b/c%2Fd", "/status/a:b,c+d@e", "/status/%C3%A9"]:
    send("good", by_header(path))
    send("good", by_query(path))
for made in [by_header, by_query]:
    send("list", made("/files?prefix=a%20b%2F&limit=5&feed=x"))
send("post", by_header("/status", "POST", b'{"x":1}'))
real = botocore.auth.get_current_datetime
botocore.auth.get_current_datetime = lambda *a, **k: real(*a, **k) - datetime.timedelta(minutes=16)
send("late", by_header("/status/x"))
send("late", by_query("/status/x"))
