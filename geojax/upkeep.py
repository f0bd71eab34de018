"""Whether what the DAG built is still as its manifests tell, and building anew what is not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from geojax import store
from geojax.errors import UserError


def manifests(paths: Iterable[Path]) -> list[Path]:
    """The manifests of all that is kept in folders, or of single stores; a store that lacks its own counts too.

    raises UserError : there is nothing of the kind
    """
    found: set[Path] = set()
    for path in paths:
        if path.name.endswith((".zarr", ".manifest.json")):
            found.add(store.manifest_of(path))
            continue
        for folder, folders, files in os.walk(path):
            ours = [name for name in (*folders, *files) if name.endswith((".zarr", ".manifest.json"))]
            found |= {store.manifest_of(Path(folder) / name) for name in ours}
            # What lies in a store, or in a lot of raw files, is none of ours.
            folders[:] = [name for name in folders if name not in ours and f"{name}.manifest.json" not in files]
    if not found:
        raise UserError(f"{', '.join(map(str, paths))}: must hold Zarr stores, but holds none.")
    return sorted(found)


def differences(manifest: Path) -> list[str]:
    """What of a store, a table or a lot of raw files is not as its manifest tells, a line for each."""
    try:
        told = store.read_json(manifest)
        if "arrays" in told:
            return store.differences(manifest)
        if "files" in told:
            return _lot(store.beside(manifest, ""), told["files"])
        return _file(store.beside(manifest, ".parquet"), told.get("digest"))
    except UserError as error:
        return [str(error)]


def _lot(folder: Path, told: dict[str, str]) -> list[str]:
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp"}
    lines = [line for name, digest in sorted(told.items()) for line in _file(folder / name, digest)]
    return lines + [f"{folder}/{name}: not in the manifest" for name in sorted(found - told.keys())]


def _file(path: Path, told: str | None) -> list[str]:
    if not path.exists():
        return [f"{path}: missing"]
    return [] if store.digest(path) == told else [f"{path}: content differs"]


def repair(broken: Sequence[Path], cores: str, snakefile: Path | None = None) -> list[Path]:
    """Let Snakemake build anew what these manifests stand for, and nothing that follows from it.

    What comes out the same byte for byte keeps its old time, so that the next run finds nothing to do.
    returns : manifests that came out otherwise than they were
    raises UserError : Snakemake could not, or the DAG's folder is another than this
    """
    before = {path: (path.read_bytes(), path.stat()) for path in broken if path.exists()}
    targets = [_target(path) for path in broken]
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "rules", "--rerun-incomplete", "--force"]
    command += ["--snakefile", str(snakefile)] if snakefile else []
    # Its progress comes by the standard error; what it prints at the end of a whole run is beside the point here.
    done = subprocess.run([*command, "--", *targets], stdout=subprocess.DEVNULL)
    for path, (content, state) in before.items():
        if path.exists() and path.read_bytes() == content:
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    if done.returncode:
        raise UserError(f"snakemake could not rebuild all of {', '.join(targets)}. What it says above tells why.")
    return [path for path, (content, _) in before.items() if path.read_bytes() != content]


def left_over(parts: Mapping[str, Collection[str]], lots: Mapping[str, Collection[str]]) -> list[Path]:
    """Manifests of parts and raw lots below data/ that no configuration makes any longer, as their raw files have gone.

    parts, lots : names of those that there are, for each dataset
    """
    found = []
    for dataset, names in parts.items():
        for folder, known in (("parts", names), ("normalized", names), ("raw", lots[dataset])):
            every = sorted(Path("data", dataset, folder).glob("*.manifest.json"))
            found += [path for path in every if path.name.removesuffix(".manifest.json") not in known]
    return found


def remove(manifest: Path) -> None:
    """Remove a store or a lot, its manifest first: without it the rest counts for nothing."""
    manifest.unlink()
    for path in (store.beside(manifest, ".zarr"), store.beside(manifest, "")):
        if path.is_dir():
            shutil.rmtree(path)


def _target(path: Path) -> str:
    """How the rules name a manifest: from the folder of the Snakefile, which is this one."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except ValueError:
        raise UserError(
            f"{path}: must lie below the folder that Snakemake runs in, but that is {Path.cwd()}. Go there first."
        ) from None
