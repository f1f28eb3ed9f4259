"""Every table, for SQLite and PostgreSQL alike. Times are milliseconds since 1970 UTC (`core.clock`).

A change here goes with a migration in `migrations/versions/`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows only in an INTEGER PRIMARY KEY
RowId = BigInteger().with_variant(Integer, "sqlite")
# ordered by code points in both databases, so that what begins with a text is one range
CodePoints = Text().with_variant(Text(collation="C"), "postgresql")


def _repo(primary_key: bool = False) -> Column[int]:
    return Column("repo_id", RowId, ForeignKey("repos.id", ondelete="CASCADE"), primary_key=primary_key, nullable=False)


# --- the instance ------------------------------------------------------------------------------------------------

#: facts about this hub that every web process must share, such as the signing key
instance = Table(
    "instance", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False)
)

#: outbox: written with the change it tells of, delivered after it, then deleted
events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("kind", String(40), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    sqlite_autoincrement=True,
)

#: keys of the blob store that no row named when garbage was last marked (`repos.gc`), and since when
garbage = Table(
    "garbage",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("since", BigInteger, nullable=False, index=True),
)

# --- accounts ----------------------------------------------------------------------------------------------------

#: users and organizations share one name space
accounts = Table(
    "accounts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("object_id", String(24), nullable=False, unique=True),
    Column("kind", String(8), nullable=False),  # 'user' | 'org'
    Column("name", String(96), nullable=False),
    Column("name_lower", String(96), nullable=False, unique=True),
    Column("fullname", Text, nullable=False, default=""),
    Column("email", Text),
    Column("email_lower", Text, unique=True),
    # set for people an administrator made: no mail is sent, so an address typed at sign-up proves nothing
    Column("email_verified", Boolean, nullable=False, default=False),
    Column("password_hash", Text),
    Column("is_admin", Boolean, nullable=False, default=False),
    Column("bio", Text, nullable=False, default=""),
    Column("website", Text, nullable=False, default=""),
    Column("default_private", Boolean, nullable=False, default=False),
    Column("created_at", BigInteger, nullable=False),
)

org_members = Table(
    "org_members",
    metadata,
    Column("org_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),  # core.actor.OrgRole
    Column("created_at", BigInteger, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False),  # core.actor.TokenRole
    Column("hash", String(64), nullable=False, unique=True),  # sha256 of the token: it is random, so no salt is needed
    Column("hint", String(8), nullable=False),  # its last characters, to tell tokens apart on the page
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("expires_at", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),  # sha256 of the session id in the cookie
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

#: RFC 8628 device authorization
device_grants = Table(
    "device_grants",
    metadata,
    Column("device_hash", String(64), primary_key=True),
    Column("user_code", String(16), nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("scope", Text, nullable=False, default=""),
    Column("status", String(16), nullable=False),  # pending | approved | denied | used
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE")),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("polled_at", BigInteger),
)

oauth_apps = Table(
    "oauth_apps",
    metadata,
    Column("client_id", String(128), primary_key=True),
    Column("secret_hash", String(64)),
    Column("name", Text, nullable=False),
    Column("redirect_uris", JSON, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("owner_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE")),
    Column("created_at", BigInteger, nullable=False),
)

# --- repositories ------------------------------------------------------------------------------------------------

repos = Table(
    "repos",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("object_id", String(24), nullable=False, unique=True),
    Column("type", String(8), nullable=False),  # core.ids.RepoType
    Column("owner_id", RowId, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(96), nullable=False),
    Column("creator_id", RowId, ForeignKey("accounts.id", ondelete="SET NULL")),
    Column("full_name", String(200), nullable=False),  # owner/name, case kept
    Column("full_lower", String(200), nullable=False),
    Column("private", Boolean, nullable=False, default=False),
    Column("gated", String(8)),  # 'auto' | 'manual' | None
    Column("disabled", Boolean, nullable=False, default=False),
    Column("sdk", String(16)),  # of a Space
    Column("runs_code", Boolean),  # of a model: its owner lets the code that it brings run, in the sandbox
    Column("subdomain", String(63), unique=True),  # of a Space: the first label of its own host name
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("used_storage", BigInteger, nullable=False, default=0),  # bytes of packs and large files
    UniqueConstraint("type", "full_lower"),
    Index(None, "type", "updated_at", "id"),
    Index(None, "type", "created_at", "id"),
    Index(None, "type", "gated"),
    sqlite_autoincrement=True,  # a deleted repository's number never names another one
)

#: where a renamed repository was found before
repo_redirects = Table(
    "repo_redirects",
    metadata,
    Column("type", String(8), primary_key=True),
    Column("full_lower", String(200), primary_key=True),
    _repo(),
)

refs = Table(
    "refs",
    metadata,
    _repo(primary_key=True),
    Column("name", String(255), primary_key=True),  # refs/heads/main
    Column("oid", String(40), nullable=False),
)

#: packs of a repository, in the order they were added; the bytes are in the blob store
packs = Table(
    "packs",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    _repo(),
    Column("name", String(40), nullable=False),  # the pack's own checksum
    Column("size", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("repo_id", "name"),
)

#: a large file by its sha256; `whole`: its bytes are one blob; `xet_hash`: they are Xet terms (either or both)
blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False, default=False),
    Column("xet_hash", String(64), index=True),
    Column("created_at", BigInteger, nullable=False),
)

#: which repository may hand out which large file
repo_blobs = Table(
    "repo_blobs",
    metadata,
    _repo(primary_key=True),
    Column("sha256", String(64), ForeignKey("blobs.sha256"), primary_key=True, index=True),
    Column("created_at", BigInteger, nullable=False),
)

# --- Xet (names of the protocol: hub-docs docs/xet) --------------------------------------------------------------

xorbs = Table(
    "xorbs",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),  # bytes as stored, without footer
    Column("chunk_count", Integer, nullable=False),
    Column("chunk_index", LargeBinary, nullable=False),  # repos.xet.xorb.ChunkIndex
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False, index=True),  # a client was last told that it is here
)

#: which repository's uploads brought or used a xorb: whose readers may be told of it
repo_xorbs = Table(
    "repo_xorbs",
    metadata,
    _repo(primary_key=True),
    Column("hash", String(64), ForeignKey("xorbs.hash", ondelete="CASCADE"), primary_key=True, index=True),
)

#: the right to a file is the right to its sha256 (repo_blobs)
xet_files = Table(
    "xet_files",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("terms", LargeBinary, nullable=False),  # repos.xet.terms.Terms
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),  # last registered
)

xet_file_xorbs = Table(
    "xet_file_xorbs",
    metadata,
    Column("file", String(64), ForeignKey("xet_files.hash", ondelete="CASCADE"), primary_key=True),
    Column("xorb", String(64), ForeignKey("xorbs.hash"), primary_key=True, index=True),
)

#: what is in a bucket (repos.buckets): a file by its path, without history
bucket_files = Table(
    "bucket_files",
    metadata,
    _repo(primary_key=True),
    Column("path", CodePoints, primary_key=True),
    Column("xet_hash", String(64), ForeignKey("xet_files.hash"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),  # of the file that was uploaded, as its sender says
    Column("uploaded_at", BigInteger, nullable=False),
    Column("content_type", String(255)),  # as its sender says
)

#: the one chunk in 1,024, and the first of every file, that clients may ask about to deduplicate across files
xet_dedup_chunks = Table(
    "xet_dedup_chunks",
    metadata,
    Column("chunk", String(64), primary_key=True),
    Column("xorb", String(64), ForeignKey("xorbs.hash", ondelete="CASCADE"), primary_key=True, index=True),
)

# --- catalogue ---------------------------------------------------------------------------------------------------

#: What lists sort and filter by, one narrow row per repository: made with it, filled in by `catalogue.index` when its
#: main branch moves. The indexes are the orders of `catalogue.search`.
listings = Table(
    "listings",
    metadata,
    _repo(primary_key=True),
    Column("type", String(8), nullable=False),  # as in repos
    Column("sha", String(40), nullable=False, default=""),  # of main when it was read
    Column("pipeline_tag", String(64)),
    Column("library", String(64)),
    Column("engine", String(64)),  # what runs the model on this hub, if something does (inference.libraries)
    Column("license", Text),
    Column("parameters", BigInteger),
    Column("size", BigInteger, nullable=False, default=0),  # bytes of the files on main
    Column("rows", BigInteger),  # of a data set, where known
    Column("likes", Integer, nullable=False, default=0),
    Column("downloads", BigInteger, nullable=False, default=0),  # of the last 30 days
    Column("downloads_all", BigInteger, nullable=False, default=0),
    Column("trending", Float, nullable=False, default=0.0),  # catalogue.trending
    Column("summary", Text, nullable=False, default=""),  # the first sentences of the card
    Index(None, "type", "trending", "repo_id"),
    Index(None, "type", "likes", "repo_id"),
    Index(None, "type", "downloads", "repo_id"),
    Index(None, "type", "size", "repo_id"),
    Index(None, "type", "parameters", "repo_id"),
)

#: what the answers of the API and the page of one repository show of its card and files; kept out of `listings`, whose
#: rows are walked
listing_details = Table(
    "listing_details",
    metadata,
    _repo(primary_key=True),
    Column("card", JSON, nullable=False),
    Column("config", JSON),
    Column("safetensors", JSON),
    Column("gguf", JSON),
    Column("tags", JSON, nullable=False),  # in order
    Column("files", JSON, nullable=False),  # names, at most catalogue.index.MOST_FILES
    Column("pipeline_reason", Text),
    Column("warnings", JSON, nullable=False),  # sentences about the card
)

#: A tag as Hugging Face writes it (`text-generation`, `license:mit`, `en` of a model, `language:en` of a data set) and
#: what it says: task, library, language, license, dataset, base_model, size, modality, format, other.
tags = Table(
    "tags",
    metadata,
    Column("tag", String(200), primary_key=True),
    _repo(primary_key=True),
    Column("type", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Index(None, "type", "kind", "tag"),
    Index(None, "repo_id"),
)

likes = Table(
    "likes",
    metadata,
    _repo(primary_key=True),
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("created_at", BigInteger, nullable=False, index=True),
)

#: append-only log, rolled up into `listings` by window (catalogue.downloads)
downloads = Table(
    "downloads",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    _repo(),
    Column("at", BigInteger, nullable=False, index=True),
    Column("client", String(16), nullable=False),  # keyed hash of the address: one client is told from another, no more
    Column("count", Integer, nullable=False, default=1),
    Index(None, "repo_id", "at"),
)

# --- community ---------------------------------------------------------------------------------------------------

discussions = Table(
    "discussions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    _repo(),
    Column("num", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", String(8), nullable=False),  # open | closed | merged | draft
    Column("is_pull_request", Boolean, nullable=False),
    Column("base", String(255)),  # refs/heads/main
    Column("merge_commit", String(40)),
    Column("author_id", RowId, ForeignKey("accounts.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("repo_id", "num"),
)

discussion_events = Table(
    "discussion_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("object_id", String(24), nullable=False, unique=True),
    Column("discussion_id", RowId, ForeignKey("discussions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("type", String(16), nullable=False),  # comment | status-change | commit | title-change
    Column("author_id", RowId, ForeignKey("accounts.id"), nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

#: what people think of a model's answers (community.feedback), until its owner takes them into a data set or not
feedback = Table(
    "feedback",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("object_id", String(24), nullable=False, unique=True),
    _repo(),
    Column("user_id", RowId, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("commit_oid", String(40), nullable=False),  # of the model that answered
    Column("task", String(64), nullable=False),
    Column("source", String(100), nullable=False),  # widget | chat | api | a Space's id
    Column("input", JSON, nullable=False),
    Column("output", JSON, nullable=False),
    Column("input_digest", String(64), nullable=False),
    Column("output_digest", String(64), nullable=False),
    Column("good", Boolean, nullable=False),
    Column("note", Text, nullable=False, default=""),
    Column("better", Text, nullable=False, default=""),  # the answer that there should have been
    Column("status", String(8), nullable=False),  # pending | accepted | rejected
    Column("created_at", BigInteger, nullable=False),
    Column("decided_by", RowId, ForeignKey("accounts.id", ondelete="SET NULL")),
    UniqueConstraint("repo_id", "user_id", "input_digest", "output_digest"),
    Index(None, "repo_id", "status", "id"),
    Index(None, "user_id", "created_at"),
)
