"""An object store for tests that refuses what S3 refuses.

`with S3Double(folder) as s3:` is a real HTTP/1.1 server in threads of this process. It checks signatures, signed
headers, lengths, checksums and preconditions; `s3.rules` changes what the store is like, `s3.faults` breaks it,
`s3.ledger` says what was called and how many bytes went each way.
"""
