"""Pictures, grey or in colour: PGM, PPM, PNG, TIFF and JPEG. Values are those stored, never stretched."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from PIL import Image

from geojax.data.readers import cf_attributes, only
from geojax.data.readers.fields import grid, numbers, pnm
from geojax.errors import UserError

MODES = {"L": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "I": 1, "F": 1, "RGB": 3}
WHY = {
    "P": "a palette: its values are names of colours", "PA": "a palette: its values are names of colours",
    "RGBA": "an alpha channel", "LA": "an alpha channel", "1": "one bit a pixel", "CMYK": "inks", "YCbCr": "luma",
}  # fmt: skip
PIXELS = 178_956_970  # beyond which Pillow too refuses: a small file can promise more than memory holds
BITS, PHOTOMETRIC, FORMAT = 258, 262, 339  # tags of TIFF


def read(
    files: Mapping[str, Path],
    selection: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    *,
    pixel_size_m: float | None = None,
    origin: tuple[float, float] = (0.0, 0.0),
    max_pixels: int = PIXELS,
) -> xr.Dataset:
    """Read one variable (y, x), or (y, x, channel) of a picture in colour; float32, or float64 where that is not exact.

    files : one
    variables : one; the formats have no units, so those of the configuration hold
    pixel_size_m : size of a pixel; y and x are then metres to pixel centres, else numbers of pixels from 0
    origin : y and x of the outer corner of the first pixel, in m; y counts downwards, as rows do
    max_pixels : the largest picture that is read
    raises UserError : the file cannot be read to its end, is no such picture, is too large, or has values outside the
        valid range
    """
    grid.check_selection(selection, "image", timed=False)
    path = only(files, "image")
    if len(variables) != 1:
        raise UserError(f"reader: variables: `image` reads one variable, but {len(variables)} are named.")
    ((name, wanted),) = variables.items()
    try:
        stored = _pixels(path, max_pixels)
    except (OSError, EOFError, ValueError, SyntaxError) as error:  # Pillow calls a broken PNG a SyntaxError
        raise UserError(
            f"{path}: must be a PGM, PPM, PNG, TIFF or JPEG picture that can be read to its end, but is not ({error}). "
            "It may be truncated: fetch it again."
        ) from error
    values = numbers.as_float(stored, np.zeros(stored.shape, bool))
    numbers.check_range(values, path, name, wanted.get("valid_range"))
    found = numbers.inspect(values, str(path), name) if values.dtype.kind == "f" and stored.dtype.kind == "f" else []
    coords: dict[str, Any] = {
        axis: (axis, *_axis(count, pixel_size_m, start, axis))
        for axis, count, start in zip("yx", values.shape[:2], origin, strict=True)
    }
    if values.ndim == 3:
        coords["channel"] = ["red", "green", "blue"]
    array = xr.DataArray(values, coords, ["y", "x", "channel"][: values.ndim], attrs=cf_attributes(wanted))
    return xr.Dataset({name: array}, attrs={"quality": [finding.plain() for finding in found]})


def _axis(count: int, size: float | None, start: float, axis: str) -> tuple[np.ndarray, dict[str, str]]:
    words = f"{axis} of pixel centres, {'downwards' if axis == 'y' else 'to the right'}"
    if size is None:
        return np.arange(count, dtype="float64"), {"long_name": words, "units": "1"}
    return start + (np.arange(count) + 0.5) * size, {"long_name": words, "units": "m"}


def _pixels(path: Path, most: int) -> np.ndarray:
    with path.open("rb") as file:
        begin = file.read(32)
    if pnm.is_pnm(begin):
        _check_size(path, *pnm.size(path), most)
        return pnm.read(path)
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the limit is ours, below
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow warns of damage that it passes over
            with Image.open(path, formats=["PNG", "TIFF", "JPEG"]) as image:
                _check_size(path, *image.size, most)
                _check_kind(path, image, begin)
                return np.asarray(image)
    except Warning as warning:
        raise ValueError(warning) from warning
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_size(path: Path, width: int, height: int, most: int) -> None:
    if width * height > most:
        raise UserError(
            f"{path}: must have at most {most} pixels, but promises {width} by {height}. "
            "If that is right, raise `reader: options: max_pixels`."
        )


def _check_kind(path: Path, image: Any, begin: bytes) -> None:
    """Refuse what Pillow would turn into other numbers than those stored, and what is no single grey or RGB image."""
    why = None
    if getattr(image, "n_frames", 1) != 1:
        why = f"{image.n_frames} images in one file"
    elif image.mode not in MODES:
        why = WHY.get(image.mode, f"mode {image.mode}")
    elif "transparency" in image.info:
        why = "a transparent colour"
    elif image.format == "PNG" and (begin[24] < 8 or (begin[24] == 16 and MODES[image.mode] == 3)):
        why = f"{begin[24]} bits a value"  # Pillow stretches few bits to 255, and cuts 16 of colours to 8
    elif image.format == "TIFF":
        tags = image.tag_v2
        bits, signed = set(np.atleast_1d(tags.get(BITS, 1)).tolist()), np.atleast_1d(tags.get(FORMAT, 1))[0]
        if not bits <= {8, 16, 32} or (bits == {32} and signed == 1):
            why = f"{bits} bits a value"
        elif tags.get(PHOTOMETRIC) not in (1, 2, 6):
            why = "white as its least value, or no grey or RGB"
    if why:
        raise UserError(
            f"{path}: must be one grey or RGB picture of 8 or 16 bits a value, or grey of 32, but has {why}. "
            "Convert it, and keep the command with the data."
        )
