"""Finished weights, kept outside the rule's outputs, so that training on new data can go on from them."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import xarray as xr

from geojax import store
from geojax.errors import UserError
from geojax.training.weights import from_dataset

SAME = ("task", "examples", "model", "ensemble", "scaling")  # what weights mean; if it changed, they fit no more


class Origin(NamedTuple):
    """Where a training starts: the key of the training that finished those weights, or None, and why."""

    key: str | None
    reason: str
    facts: Mapping[str, Any] = MappingProxyType({})  # what the manifest of those weights says


SCRATCH = Origin(None, "asked for")


class Finished:
    """The weights of the last training of a run, and those that it started from.

    A warm model depends on its history: on which data came when. `lineage` tells it, oldest first.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)

    def path(self, key: str) -> Path:
        return self.directory / f"{key}.zarr"

    def origin(self, wanted: dict[str, Any]) -> Origin:
        """What a training on `wanted` starts from.

        Training again on the data of the last training starts from where that one started, never from itself.

        wanted : digest `data`, what stands in SAME, and `groups` of each split
        """
        if not (self.directory / "last.json").exists():
            return Origin(None, "no training of this run has finished before")
        last = self._facts(store.read_json(self.directory / "last.json")["key"])
        if last is None:
            return Origin(None, "the finished weights are gone")
        facts = last if last["data"] != wanted["data"] else self._facts(last["start"])
        if facts is None:
            told = "began from scratch" if last["start"] is None else "started from weights that are gone"
            return Origin(None, f"the data are those of the last training, which {told}")
        if changed := [name for name in SAME if facts[name] != wanted[name]]:
            return Origin(None, f"{', '.join(changed)} changed since the last weights")
        if leaks := _seen_before(facts["seen"], wanted["groups"]):
            return Origin(None, f"the last weights have seen {', '.join(leaks[:3])}, now held out from training")
        return Origin(facts["key"], "the data changed", facts)

    def start(self, wanted: dict[str, Any], create: Any) -> tuple[Origin, Any]:
        """`origin` and the weights themselves, as `loop.fit` takes them; None to begin from scratch."""
        origin = self.origin(wanted)
        if origin.key is None:
            return origin, None
        try:
            return origin, from_dataset(create, store.read(self.path(origin.key)))[1]
        except UserError as error:
            return Origin(None, f"the last weights do not fit ({error})"), None

    def read(self, key: str) -> xr.Dataset:
        """The weights of one training.

        raises UserError : they are gone
        """
        if not store.manifest_of(self.path(key)).exists():
            raise UserError(
                f"{self.path(key)}: the weights before the update must be there to be scored, but are gone. "
                "Write `update: scratch`, or train again."
            )
        return store.read(self.path(key))

    def keep(self, weights: xr.Dataset, key: str, origin: Origin, wanted: dict[str, Any]) -> None:
        """Keep weights with what they are of; older ones that nothing starts from are removed."""
        seen = {
            split: sorted(set(wanted["groups"][split]) | set(origin.facts.get("seen", {}).get(split, [])))
            for split in ("train", "validation")
        }
        own = {name: wanted[name] for name in ("data", *SAME)} | {"key": key, "start": origin.key, "seen": seen}
        store.write(weights, self.path(key), **own, lineage=lineage(key, origin, wanted))
        store.write_json({"key": key}, self.directory / "last.json")
        for other in self.directory.glob("*.manifest.json"):
            if other.name.removesuffix(".manifest.json") not in (key, origin.key):
                other.unlink()  # first, for a store counts only with its manifest
                shutil.rmtree(store.beside(other, ".zarr"), ignore_errors=True)

    def _facts(self, key: str | None) -> dict[str, Any] | None:
        if key is None or not store.manifest_of(self.path(key)).exists():
            return None
        return store.read_json(store.manifest_of(self.path(key)))


def lineage(key: str, origin: Origin, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Every training that went into the weights, oldest first: its key, the digest of its data, its training groups."""
    own = {"key": key, "data": wanted["data"], "training_groups": len(wanted["groups"]["train"])}
    return [*origin.facts.get("lineage", []), own]


def _seen_before(seen: dict[str, list[str]], groups: dict[str, list[str]]) -> list[str]:
    """Groups that weights were fitted to, or chosen by, and that now judge them."""
    fitted, chosen = set(seen["train"]), set(seen["validation"])
    held = (fitted & set(groups["validation"])) | ((fitted | chosen) & set(groups["test"]))
    return sorted(held)
