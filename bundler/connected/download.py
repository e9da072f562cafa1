"""One URL's bytes into one partial file: resumed after a cut, bounded in size, hashed as they arrive.

HTTP ranges are taken as RFC 9110 (13.1.5, 14 and 15.3.7) has them: `If-Range` where the server gave a
validator, and a server that ignores the range, or whose file has changed, begins anew.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from bundler.connected.partial import Partial
from bundler.connected.patience import RETRYABLE
from bundler.connected.reasons import reason
from bundler.connected.transfer import Refused, Stopped

if TYPE_CHECKING:
    from pathlib import Path

    from bundler.connected.transfer import Job
    from bundler.core.digest import Digest

_PIECE = 256 << 10  # bytes asked of the socket at a time
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/(?:[0-9]{1,18}|\*)")
_HOPELESS = (  # trying again brings the same: a certificate that does not fit, a URL that is none
    requests.exceptions.SSLError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.TooManyRedirects,
)


class _Cut(Exception):
    """The attempt ended early; another one may do better."""

    def __init__(self, why: str, *, retry_after: str | None = None, unreachable: bool = False) -> None:
        super().__init__(why)
        self.why, self.retry_after, self.unreachable = why, retry_after, unreachable


class Download:
    """The download of one URL, over as many attempts as it is worth."""

    def __init__(self, job: Job, *, session: requests.Session, url: str, path: Path) -> None:
        self._job, self._session, self._url = job, session, url
        self._partial = Partial(path)
        self._facts: dict[str, str] = {}
        self._second_chance = True

    def run(self) -> tuple[Digest, int]:
        """Return digest and size of the complete file, which then lies at `path`.

        Raises `Refused` where this URL does not lead to the file. A download that was cut off stays at `path`
        for the next run; one with a wrong digest does not.
        """
        patience, failures, best = self._job.patience, 0, 0
        while True:
            try:
                return self._attempt()
            except _Cut as cut:
                event = cut
            # Counted from the farthest point: a server that always begins anew gains nothing.
            gained, best = self._partial.size - best, max(best, self._partial.size)
            failures = 1 if gained >= patience.progress_bytes else failures + 1
            if failures >= patience.attempts:
                raise Refused(f"{event.why} (tried {failures} times)", unreachable=event.unreachable)
            wait = patience.wait_after(failures, event.retry_after)
            if wait is None:
                raise Refused(f"{event.why}, and asks to come back later (Retry-After: {event.retry_after})")
            if event.unreachable:
                self._job.warn(f"{urlsplit(self._url).hostname}: {event.why}, trying again for a while")
            else:
                self._job.note(f"{event.why}, trying again in {wait:.1f} s")
            if self._job.stop.wait(wait):
                raise Stopped

    def _attempt(self) -> tuple[Digest, int]:
        headers = self._take_up()
        resumed = self._partial.size > 0
        if resumed and self._partial.digest == self._job.sha256:
            return self._finished(whole=True)
        patience = self._job.patience
        timeout = (patience.connect_timeout, patience.stall_timeout)
        try:
            with self._session.get(self._url, headers=headers, stream=True, timeout=timeout) as response:
                length = self._accept(response)
                self._receive(response)
        except _HOPELESS as error:
            raise Refused(reason(error)) from None
        except requests.ConnectionError as error:
            raise _Cut(reason(error), unreachable=True) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            if self._partial.digest != self._job.sha256:
                raise _Cut(reason(error)) from None
            return self._finished(whole=True)  # complete all the same: the server lied about the length
        return self._finished(whole=length is not None and not resumed)

    def _take_up(self) -> dict[str, str]:
        """Continue what an earlier attempt left, if it is safe; return the request's fields."""
        job, partial = self._job, self._partial
        self._facts = partial.take_up()
        # Without a digest to check against, only a strong validator proves that it is still the same file.
        same = self._facts.get("sha256") == str(job.sha256) and (job.sha256 or "etag" in self._facts)
        if not same or partial.size > job.limit:
            partial.discard()
        job.meter.reached(partial.size)
        fields = {
            "Accept-Encoding": "identity"
        }  # an archive is wanted as it is stored, not unpacked on the way
        if partial.size:
            fields["Range"] = f"bytes={partial.size}-"
            if validator := self._facts.get("etag") or self._facts.get("modified"):
                fields["If-Range"] = validator
        return fields

    def _accept(self, response: requests.Response) -> int | None:
        """Check the head of the answer, make the partial ready for the body; return its length where told."""
        status, codes, partial = response.status_code, requests.codes, self._partial
        if status == codes.requested_range_not_satisfiable and partial.size:
            partial.discard()
            raise _Cut("has nothing beyond what came before")
        if status in RETRYABLE:
            raise _Cut(f"answered {status}", retry_after=response.headers.get("Retry-After"))
        if status not in (codes.ok, codes.partial_content):
            raise Refused(f"answered {status} {response.reason or ''}".rstrip())
        if status == codes.partial_content:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not span or int(span[1]) != partial.size:
                partial.discard()
                raise _Cut("answered with another range than asked for")
        else:
            partial.begin(self._facts_of(response))
        told = response.headers.get("Content-Length", "")
        if not told.isdecimal():
            return None
        self._check_total(partial.size + int(told[:19]), response.headers.get("Content-Type", ""))
        return int(told[:19])

    def _check_total(self, total: int, kind: str) -> None:
        job = self._job
        if total <= job.limit and job.size in (None, total):
            return
        what = " (a web page)" if "text/html" in kind else ""
        expected = f"at most {job.limit}" if job.size is None else str(job.size)
        self._partial.discard()
        raise Refused(f"has {total} bytes{what}, expected {expected}")

    def _facts_of(self, response: requests.Response) -> dict[str, str]:
        facts = {"sha256": str(self._job.sha256)}
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        if etag.startswith('"'):  # a weak one (W/"…") may not stand in If-Range: RFC 9110, 13.1.5
            return {**facts, "etag": etag}
        return {**facts, "modified": modified} if modified else facts

    def _receive(self, response: requests.Response) -> None:
        job, partial, patience = self._job, self._partial, self._job.patience
        window_end, window_from = time.monotonic() + patience.slow_window, partial.size
        with partial.appending() as append:
            while data := response.raw.read1(_PIECE, decode_content=False):
                if job.stop.is_set():
                    raise Stopped
                if partial.size + len(data) > job.limit:
                    raise Refused(f"sends more than {job.limit} bytes")
                append(data)
                job.meter.reached(partial.size)
                if time.monotonic() >= window_end:
                    if partial.size - window_from < patience.slow_bytes:
                        raise _Cut("stalled, almost no bytes in time")
                    window_end, window_from = time.monotonic() + patience.slow_window, partial.size

    def _finished(self, *, whole: bool) -> tuple[Digest, int]:
        """Check what has come.

        Bytes of one answer with a length (`whole`) are what the server has. A file put together from several
        answers, or one whose end was never told, is tried once more from the beginning.
        """
        partial, job = self._partial, self._job
        digest, size = partial.digest, partial.size
        if not whole and job.size is not None and size < job.size:
            raise _Cut(f"ended after {size} of {job.size} bytes")
        try:
            job.check(digest, size)
        except Refused as refused:
            partial.discard()
            if whole or not self._second_chance:
                raise
            self._second_chance = False
            raise _Cut(f"{refused.why}, starting over") from None
        partial.complete()
        return digest, size
