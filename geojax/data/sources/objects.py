"""A file of an object store (S3, Google, Azure, or a plain web server), or a piece of a Zarr store there."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geojax import store
from geojax.errors import NothingThereError, UserError
from geojax.log import logger

BLOCK = 8 << 20
RETRIES = 6
RETRY_S = 60.0
READ_S = 60.0  # without a byte
CLOUDS = ("amazonaws.com", "core.windows.net", "fabric.microsoft.com", "r2.cloudflarestorage.com")


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Fetch an object under its own name, or what is asked of a Zarr store X.zarr as X.nc.

    order : url, options; of a Zarr store also variables, region and span
    returns : digest of the file
    raises UserError : no bucket or key, no permission, no network, or chunks of a Zarr store are missing
    raises NothingThereError : the Zarr store has no time steps in the span
    """
    import obstore

    url, name = order["url"].rstrip("/"), order["url"].rstrip("/").rsplit("/", 1)[-1]
    if urlsplit(url).password or urlsplit(url).query:
        raise UserError("source: url: must hold no login and no signature, as configurations are shared.")
    try:
        if name.endswith(".zarr"):
            from geojax.data.sources._remote_zarr import cut

            target = directory / f"{name.removesuffix('.zarr')}.nc"
            cut(_open(url, order["options"]), target, order)
        else:
            target = directory / name
            _stream(_open(url.rsplit("/", 1)[0], order["options"]), name, target)
    except NothingThereError:
        raise
    except (obstore.exceptions.BaseError, FileNotFoundError) as error:
        raise UserError(f"{order['url']}: {_explain(error)}") from None
    except OSError as error:
        raise UserError(
            f"{order['url']}: could not be written to {directory} ({error}). Make room there and run again."
        ) from error
    return {target.name: store.digest(target)}


def _open(url: str, options: dict[str, Any]) -> Any:
    """The store behind an address, its own settings taken from `options` and secrets from the environment."""
    from obstore.store import from_url

    known: Any = {
        key: value for key, value in options.items() if value not in (None, False) and key != "missing_is_fill"
    }
    plain = url.startswith("http://") or str(known.get("endpoint", "")).startswith("http://")
    client: Any = {"allow_http": plain, "timeout": timedelta(days=1), "read_timeout": timedelta(seconds=READ_S)}
    retry: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)}
    if urlsplit(url).scheme in ("http", "https") and not str(urlsplit(url).hostname).endswith(CLOUDS):
        known = {}  # a plain web server takes no settings
    return from_url(url, config=known or None, client_options=client, retry_config=retry)


def _stream(remote: Any, name: str, target: Path) -> None:
    import obstore
    from tqdm import tqdm

    answer = obstore.get(remote, name)
    size = answer.meta["size"]
    logger.info("%s: %d bytes, version %s, of %s", name, size, answer.meta["e_tag"], answer.meta["last_modified"])
    bar = tqdm(desc="fetching", total=size, unit="B", unit_scale=True, leave=False, disable=None)
    with bar, target.open("wb") as file:
        for block in answer.stream(min_chunk_size=BLOCK):
            file.write(block)
            bar.update(len(block))
    if (came := target.stat().st_size) != size:
        raise UserError(f"{name}: must have {size} bytes, but {came} came. Run again.")


def _explain(error: Exception) -> str:
    words = " ".join(str(error).split())
    kind = type(error).__name__
    if "NoSuchBucket" in words:
        return "there is no such bucket. Correct `source: url` or `options: endpoint`."
    if isinstance(error, FileNotFoundError):
        return "there is no such object. Correct `source: url` or `source: parts`."
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or "credential" in words or "169.254.169.254" in words:
        return (
            f"the store refuses it ({kind}). Set `options: {{skip_signature: true}}` for open data, or bring the login "
            "in the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    return (
        f"could not be fetched ({kind}: {words[:300]}). "
        "Check the network, `source: url` and `options: endpoint`, and run again."
    )
