"""Addresses of sources on servers and in object stores: which there may be, and what they must not hold.

Only file systems are known that do nothing but list and hand out files. fsspec has others, which run what they read
(`reference` fills in templates) or lead anywhere (`::` chains several), and an address is data.
"""

from unet.settings.validation import require

SERVERS = ("https", "http")
STORES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci")
OTHERS = ("sftp", "ssh", "ftp", "smb", "webhdfs", "hdfs")
SCHEMES = (*SERVERS, *STORES, *OTHERS)


def is_remote(written: str) -> bool:
    """Whether what a person wrote is an address, and no path.

    >>> is_remote("https://lab.example/raw"), is_remote("raw/day1")
    (True, False)
    """
    return "://" in written


def require_remote(what: str, address: str) -> None:
    """Refuse an address whose files nothing here fetches.

    >>> require_remote("images", "reference://raw")
    Traceback (most recent call last):
    ...
    ValueError: images must be a path or an address of https, http, s3, …, got 'reference://raw'
    """
    scheme, _, rest = address.partition("://")
    known = ", ".join((*SERVERS, "s3", "…"))
    require(scheme in SCHEMES, f"{what} must be a path or an address of {known}, got {address!r}")
    require("::" not in address, f"{what} must be one address, got several in {address!r}")
    host, *parts = rest.rstrip("/").split("/")
    require(
        bool(host) and not host.startswith("."),
        f"{what} must name a host or a bucket, got {address!r}",
    )
    require(
        not {"", ".", ".."}.intersection(parts) and "\\" not in rest and address.isprintable(),
        f"{what} must be an address whose parts are names, got {address!r}",
    )
    is_plain = scheme not in SERVERS or not set("?#") & set(rest)
    require(is_plain, f"{what} must be an address without ? and #, got {address!r}; name the folder or the file itself")
