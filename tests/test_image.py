"""Pictures are read to the bit as they are stored, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from geojax.data.readers import image
from geojax.errors import UserError

B = {"brightness": {"units": "1", "long_name": "brightness in counts"}}
SMOOTH = np.add.outer(np.arange(40), 3 * np.arange(50))


def saved(tmp_path: Path, values: np.ndarray, name: str, **how) -> Path:
    Image.fromarray(values).save(tmp_path / name, **how)
    return tmp_path / name


def read(path: Path, variables=B, selection=None, **options) -> xr.Dataset:
    return image.read({"file": path}, selection or {}, variables, **options)


def refusal(path: Path, *content, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, *content, **options)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", ["b.png", "b.pgm", "b.tif"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_grey_values_are_those_stored(tmp_path, name, dtype):
    values = (SMOOTH * (257 if dtype == "uint16" else 1)).astype(dtype)

    found = read(saved(tmp_path, values, name))["brightness"]

    assert (found.dims, found.dtype, found.attrs["units"]) == (("y", "x"), "float32", "1")
    np.testing.assert_array_equal(found, values)
    assert list(found["x"][:2]) == [0, 1]


@pytest.mark.parametrize("name", ["b.png", "b.ppm", "b.tif"])
def test_colours_are_a_channel(tmp_path, name):
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 3), "uint8")

    found = read(saved(tmp_path, values, name))["brightness"]

    assert (found.dims, list(found["channel"].values)) == (("y", "x", "channel"), ["red", "green", "blue"])
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_tiff_of_32_bits_is_exact(tmp_path, dtype):
    values = (SMOOTH * 200_003).astype(dtype) if dtype == "int32" else (SMOOTH / 7).astype(dtype)

    np.testing.assert_array_equal(read(saved(tmp_path, values, "b.tif"))["brightness"], values)


def test_a_picture_in_metres_has_its_pixel_centres(tmp_path):
    found = read(saved(tmp_path, SMOOTH.astype("uint8"), "b.png"), pixel_size_m=2.0, origin=(100.0, 10.0))

    assert (list(found["y"][:2]), list(found["x"][:2])) == ([101, 103], [11, 13])
    assert found["x"].attrs["units"] == "m"


@pytest.mark.parametrize("text", [b"P2\n# of a camera\n3 2\n1023\n0 1 2\n3 4 1023\n", b"P5 3 2 1023\n"])
def test_a_pgm_of_ten_bits_is_not_stretched_to_sixteen(tmp_path, text):
    wanted = np.array([[0, 1, 2], [3, 4, 1023]], ">u2")
    path = tmp_path / "b.pgm"
    path.write_bytes(text if text.startswith(b"P2") else text + wanted.tobytes())

    np.testing.assert_array_equal(read(path)["brightness"], wanted)
    assert not np.array_equal(np.asarray(Image.open(path)), wanted)  # which Pillow does


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"P5 3 2 255\n12345", "it promises 6 values, but 5 could be read"),
        (b"P5 3 2 255\n1234567", "it holds more than one image"),
        (b"P2 3 2 7\n0 1 2 3 4 9\n", "its largest value must be 7, but is 9"),
        (b"P2 3 2 70\n0 1 2 3 4 5", "its last number may be cut"),
        (b"P2 3 2 7\n0 1 2 3 4 x\n", "must be a PGM"),
        (b"P5 3 2 99999\n123456", "largest value 99999"),
        (b"P5 3 ", "its header cannot be read"),
    ],
)
def test_a_pgm_that_contradicts_its_header_is_refused(tmp_path, content, words):
    (tmp_path / "b.pgm").write_bytes(content)

    assert words in refusal(tmp_path / "b.pgm")


GREY = SMOOTH.astype("uint8")
TURNED = {
    "alpha": (Image.new("RGBA", (4, 4)), {}, "an alpha channel"),
    "grey with alpha": (Image.new("LA", (4, 4)), {}, "an alpha channel"),
    "palette": (Image.fromarray(GREY).convert("P"), {}, "a palette"),
    "one bit": (Image.new("1", (8, 8)), {}, "one bit a pixel"),
    "transparent colour": (Image.fromarray(GREY), {"transparency": 3}, "a transparent colour"),
}


@pytest.mark.parametrize("kind", TURNED)
def test_what_is_no_plain_grey_or_rgb_is_refused_with_its_reason(tmp_path, kind):
    picture, how, words = TURNED[kind]
    picture.save(tmp_path / "b.png", **how)

    assert words in refusal(tmp_path / "b.png")


def test_several_images_and_white_as_zero_are_refused(tmp_path):
    grey = Image.fromarray(GREY)
    grey.save(tmp_path / "two.tif", save_all=True, append_images=[grey])
    grey.save(tmp_path / "white.tif", tiffinfo={262: 0})

    assert "2 images in one file" in refusal(tmp_path / "two.tif")
    assert "white as its least value" in refusal(tmp_path / "white.tif")


@pytest.mark.parametrize("name", ["b.png", "b.pgm"])
def test_a_picture_larger_than_the_limit_is_refused_until_it_is_raised(tmp_path, name):
    path = saved(tmp_path, GREY, name)

    assert refusal(path, max_pixels=1999).startswith("must have at most 1999 pixels, but promises 50 by 40.")
    assert read(path, max_pixels=2000).sizes == {"y": 40, "x": 50}


def test_pillows_own_limit_is_left_as_it_was(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    read(saved(tmp_path, GREY, "b.png"))

    assert (before, 2 * before) == (Image.MAX_IMAGE_PIXELS, image.PIXELS)


def test_values_outside_the_valid_range_are_refused(tmp_path):
    ranged = {"brightness": B["brightness"] | {"valid_range": (0, 185)}}

    assert "must lie in 0 … 185, but 1 values do not" in refusal(saved(tmp_path, GREY, "b.png"), ranged)


def test_a_file_that_is_absent_or_no_picture_is_refused_by_name(tmp_path):
    (tmp_path / "page.png").write_text("<html>not found</html>")

    assert refusal(tmp_path / "gone.png").startswith("must be a PGM, PPM, PNG, TIFF or JPEG picture")
    assert refusal(tmp_path / "page.png").startswith("must be a PGM, PPM, PNG, TIFF or JPEG picture")


KINDS = {
    "b.png": {}, "b.pgm": {}, "b.jpg": {}, "progressive.jpg": {"progressive": True}, "b.tif": {},
    "deflate.tif": {"compression": "tiff_adobe_deflate"}, "lzw.tif": {"compression": "tiff_lzw"},
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
@example(share=0.0)
@example(share=0.9999)
def test_a_file_cut_short_anywhere_is_refused_or_read_as_if_whole(tmp_path, name, share):
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), "uint8")
    path = saved(tmp_path, noise, name, **KINDS[name])
    content, whole = path.read_bytes(), read(path)
    path.write_bytes(content[: int(share * len(content))])

    try:
        found = read(path)
    except UserError:
        return
    xr.testing.assert_identical(found, whole)
