"""Xet: large files as chunks that are stored once, however many files, versions and repositories have them.

Who may do what:

- *Read a file.* The right to a Xet file is the right to its sha256: the repository must hold it (`repo_blobs`), and the
  access token says for which repository it was given. The addresses of xorb bytes that a reconstruction hands out are
  signed for exactly the byte ranges of that file's chunks, since a xorb may also hold chunks of files that the reader
  must not see.
- *Refer to a xorb.* A client that uploads a file need not upload chunks that the hub has. It may then name any xorb, of
  whatever repository: clients remember for weeks, per hub and not per repository or account, what they uploaded, and
  never ask again. What it must do for each run of chunks that it names is prove that it has them, by a keyed hash over
  their hashes (the protocol's verification hash). Without the bytes nobody can compute that hash: the hub tells nobody
  the hash of a chunk, since deduplication answers hold keyed hashes only, which can be recognised but not undone.
  (So whoever has all bytes of a run of chunks can find out whether the hub has them too; nobody else can.)
- *Be told of a xorb* (a deduplication answer). Only of xorbs that uploads to a repository brought or used which the
  asker may read.

Nothing of a shard is visible before all of it has been checked: the chunks exist, the proofs and the file's hash are
right, and its bytes, put together again, have the sha256 that the client claims.

Bytes become durable before the row that names them is written; a crash in between leaves a blob without a row.
"""
