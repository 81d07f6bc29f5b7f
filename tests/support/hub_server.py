"""The emulated hub's answers: information, listings, files and their storage, with the hub's own headers and codes."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, quote, unquote, urlsplit

from support.hub_repository import Files, Repository, digests, entry, etag, information, is_large, listing, refs
from support.hub_wire import Wire

API = re.compile(r"api/(models|datasets)/([^/]+/[^/]+|[^/]+)(?:/(revision|tree|paths-info|refs|auth-check)(?:/(.*))?)?")
FILE = re.compile(r"(?:(datasets)/)?([^/]+/[^/]+|[^/]+)/(?:resolve|raw)/([^/]+)/(.+)")
STORED = re.compile(r"stored/(models|datasets)/([^/]+/[^/]+)/([^/]+)/(.+)")


class Handler(Wire):
    """One connection of a client."""

    def do_HEAD(self) -> None:
        """Answer with headers alone."""
        self._answer()

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer; what was posted is read first."""
        self._posted = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self._answer()

    @property
    def _token(self) -> str | None:
        given = self.headers.get("Authorization", "")
        return given.removeprefix("Bearer ") or None

    def _answer(self) -> None:
        if self.hub.down:
            self._hang_up()
            return
        parts = urlsplit(self.path)
        path = parts.path.strip("/")
        self._query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        self.hub.requests.append(f"{self.command} /{unquote(path)}")
        if self._token in self.hub.invalid_tokens:
            self._refuse(401, None, "Invalid credentials in Authorization header")
        elif found := API.fullmatch(path):
            kind, name, what, rest = found.groups()
            self._api(kind, unquote(name), what or "revision", rest)
        elif found := FILE.fullmatch(path):
            kind, name, revision, inside = found.groups()
            self._resolve(kind or "models", unquote(name), unquote(revision), unquote(inside))
        elif found := STORED.fullmatch(path):
            kind, name, revision, inside = found.groups()
            self._stored(self.hub.find(kind, unquote(name)), unquote(revision), unquote(inside))
        elif not path:
            self._json({"hub": "emulated"})
        else:
            self._refuse(404, None, "Sorry, we can't find the page you are looking for.")

    # What every request meets before it is answered.

    def _met(self, kind: str, name: str) -> Repository | None:
        """The repository, if it is to be answered; what is not was refused or redirected."""
        found = self.hub.find(kind, name)
        if found is None or (found.private_to is not None and self._token not in found.private_to):
            if self._token is None:  # the hub does not tell a stranger what is missing from what is private
                self._refuse(401, "RepoNotFound", "Repository not found")
            else:
                self._refuse(404, "RepoNotFound", "Repository not found")
        elif found.moved_to:
            head, tail = self.path.split(quote(name), 1)
            self._redirect(307, f"{head}{quote(found.moved_to)}{tail}")
        elif found.disabled:
            self._refuse(403, None, "Access to this resource is disabled.")
        elif self._busy(found) or self._failing(found):
            pass
        else:
            return found
        return None

    def _busy(self, repository: Repository) -> bool:
        if repository.busy <= 0 or repository.failing_in not in self.path:
            return False
        repository.busy -= 1
        reset = repository.rate_limit_seconds
        headers = {"RateLimit": f'"api";r=0;t={reset}', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
        if repository.retry_after is not None:
            headers = {"Retry-After": repository.retry_after}
        self._refuse(429, None, "We had to rate limit you.", headers)
        return True

    def _failing(self, repository: Repository) -> bool:
        if repository.failing <= 0 or repository.failing_in not in self.path:
            return False
        repository.failing -= 1
        self._refuse(repository.failing_status, None, "Internal Error - We're working hard to fix this")
        return True

    def _kept_out(self, repository: Repository) -> bool:
        """Whether a gated repository's file was refused."""
        if repository.gated is None or self._token in repository.admitted:
            return False
        what = f"Access to {repository.kind[:-1]} {repository.id} is restricted"
        if self._token is None:
            self._refuse(
                401,
                "GatedRepo",
                f"{what}. You must have access to it and be authenticated to access it. Please log in.",
            )
        elif self._token in repository.pending:
            self._refuse(
                403,
                "GatedRepo",
                f"Your request to access {repository.kind[:-1]} {repository.id} is awaiting a review from the repo authors.",
            )
        else:
            where = f"https://huggingface.co/{'datasets/' if repository.kind == 'datasets' else ''}{repository.id}"
            self._refuse(
                403, "GatedRepo", f"{what} and you are not in the authorized list. Visit {where} to ask for access."
            )
        return True

    # What is answered.

    def _api(self, kind: str, name: str, what: str, rest: str | None) -> None:
        repository = self._met(kind, name)
        if repository is None:
            return
        if what == "refs":
            self._json(refs(repository))
            return
        if what == "auth-check":
            if not self._kept_out(repository):
                self._json({})
            return
        revision, _, folder = (rest or "main").partition("/")
        tree = repository.tree(unquote(revision))
        if tree is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {unquote(revision)}")
        elif what == "revision":
            self._json(information(repository, *tree, blobs=self._query.get("blobs", "").lower() == "true"))
        elif what == "tree":
            self._tree(repository, tree[1], unquote(folder))
        else:
            self._json([entry(path, tree[1][path]) for path in self._asked_paths() if path in tree[1]])

    def _asked_paths(self) -> list[str]:
        if self._posted.startswith("{"):
            return json.loads(self._posted)["paths"]
        return parse_qs(self._posted).get("paths", [])

    def _tree(self, repository: Repository, files: Files, folder: str) -> None:
        rows = listing(files, folder, self._query.get("recursive", "").lower() == "true")
        if rows is None:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist on this revision")
            return
        start, page = int(self._query.get("cursor", 0)), self.hub.page_size
        more = {}
        if start + page < len(rows):
            own = "&".join(f"{key}={value}" for key, value in self._query.items() if key != "cursor")
            more["Link"] = f'<{self.hub.endpoint}{urlsplit(self.path).path}?{own}&cursor={start + page}>; rel="next"'
        self._json(rows[start : start + page], headers=more)

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self._met(kind, name)
        if repository is None:
            return
        tree = repository.tree(revision)
        if tree is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        commit, files = tree
        if path not in files:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        if self._kept_out(repository):
            return
        content = files[path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag(path, content)}"', "Accept-Ranges": "bytes"}
        if is_large(path, content):
            linked = {"X-Linked-Etag": f'"{etag(path, content)}"', "X-Linked-Size": str(digests(content)[2])}
            where = f"{self.hub.storage}/stored/{kind}/{quote(repository.id)}/{quote(revision, safe='')}/{quote(path)}"
            self._redirect(302, where, {**headers, **linked})
            return
        if self.command == "GET":
            self.hub.asked.append(path)
        self._write(repository, repository.served(path, content), headers)

    def _stored(self, repository: Repository | None, revision: str, path: str) -> None:
        tree = repository.tree(revision) if repository else None
        if repository is None or tree is None or path not in tree[1]:
            self._refuse(403, None, "AccessDenied")
            return
        if self.command == "GET":
            self.hub.asked.append(path)
            if self._busy(repository) or self._failing(repository):
                return
        content = repository.served(path, tree[1][path])
        self._write(
            repository, content, {"ETag": f'"{etag(path, tree[1][path])}"', "Accept-Ranges": "bytes"}, large=True
        )
