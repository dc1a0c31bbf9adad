"""As much of curl as README.md uses, for machines that have none: `python -m tests.support.curl …`."""

from __future__ import annotations

import argparse
import sys

import httpx2

HTTP_FAILED = 22
"""curl's own exit code for an answer of 400 or above."""


def main(arguments: list[str]) -> int:
    asked = options().parse_args(arguments)
    headers = dict(header.split(": ", 1) for header in asked.header)
    method = asked.request or ("GET" if asked.data is None else "POST")
    with httpx2.Client(follow_redirects=asked.location, timeout=30) as http:
        answer = http.request(method, asked.url, headers=headers, content=asked.data)
    if asked.include:
        print(f"HTTP/1.1 {answer.status_code}", *(f"{k}: {v}" for k, v in answer.headers.items()), "", sep="\r\n")
    print(answer.text, end="")
    return HTTP_FAILED if answer.is_error and (asked.fail or asked.fail_with_body) else 0


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="curl", allow_abbrev=False)
    for short, name in (("-f", "--fail"), ("-s", "--silent"), ("-S", "--show-error"), ("-i", "--include")):
        parser.add_argument(short, name, action="store_true")
    parser.add_argument("-L", "--location", action="store_true")
    parser.add_argument("--fail-with-body", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("url")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
