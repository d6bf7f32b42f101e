"""Images of class folders, and the shape that images get."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgeflow.data.class_folders import IMAGE_SUFFIXES, class_folders
from edgeflow.data.dataset import Split
from edgeflow.data.options import Color, DataOptions
from edgeflow.data.preprocessing import Fit, ImageFrontEnd
from edgeflow.data.raw import RawData
from edgeflow.data.tree import FileTree
from edgeflow.errors import DataError
from edgeflow.progress import Progress, ProgressEvent

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 64 * 1024**2
_GRAY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})


def read_image_folders(tree: FileTree, options: DataOptions, progress: Progress) -> RawData:
    """Decode every image; all get `options.image_size`, or must have one size already."""
    folders = class_folders(tree, IMAGE_SUFFIXES)
    total = sum(len(entries) for entries in folders.parts.values())
    parts: dict[str, tuple[list[NDArray[np.uint8]], list[int]]] = {}
    shape: tuple[int, int] | None = None
    first = ""
    decoded_bytes = done = 0
    for part, entries in folders.parts.items():
        images: list[NDArray[np.uint8]] = []
        for name, _ in entries:
            image = _decode(tree.read(name), tree.where(name), options)
            if shape is None:
                shape, first = (image.shape[0], image.shape[1]), name
            if image.shape[:2] != shape:
                raise DataError(
                    f"{tree.where(name)} has {image.shape[0]}x{image.shape[1]} pixels "
                    f"(height x width), {first} has {shape[0]}x{shape[1]}",
                    hint="set image_size, and every image is brought to it",
                )
            decoded_bytes += image.nbytes
            if decoded_bytes > options.max_decoded_bytes:
                raise DataError(
                    f"{tree.origin}: more than {options.max_decoded_bytes} bytes of pixels",
                    hint="set a smaller image_size, or raise max_decoded_bytes",
                )
            images.append(image)
            done += 1
            if done % 1000 == 0:
                progress(ProgressEvent("data", "reading images", done, total))
        parts[part] = (images, [label for _, label in entries])
    assert shape is not None
    channels = max(image.shape[2] for images, _ in parts.values() for image in images)
    return RawData(
        name=tree.name,
        parts={
            part: Split(
                np.stack([np.broadcast_to(image, (*shape, channels)) for image in images]),
                np.array(labels, dtype=np.int64),
            )
            for part, (images, labels) in parts.items()
        },
        classes=folders.classes,
        front_end=image_front_end(shape, channels, options),
    )


def image_front_end(shape: tuple[int, int], channels: int, options: DataOptions) -> ImageFrontEnd:
    """What a device must do to a camera image to get samples like these."""
    fit = options.fit if options.image_size else Fit.NONE
    return ImageFrontEnd(height=shape[0], width=shape[1], channels=channels, fit=fit)


def shape_images(x: NDArray[np.uint8], options: DataOptions) -> NDArray[np.uint8]:
    """Bring images [N, H, W, 1 or 3] to the size and colour of `options`."""
    from PIL import Image

    size_kept = options.image_size in (None, x.shape[1:3])
    color_kept = options.color is Color.AUTO or x.shape[3] == _CHANNELS[options.color]
    if size_kept and color_kept:
        return x
    sources = x[..., 0] if x.shape[3] == 1 else x
    return np.stack([_shape(Image.fromarray(sample), options) for sample in sources])


_CHANNELS = {Color.GRAY: 1, Color.RGB: 3}


def _decode(data: bytes, where: str, options: DataOptions) -> NDArray[np.uint8]:
    """Pixels [H, W, 1 or 3]: EXIF orientation applied, 16 bits to 8, transparency over white."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{where}: {image.width}x{image.height} pixels, more than {MAX_PIXELS}",
                        hint="scale the image down, or remove it",
                    )
                image.load()
                return _shape(_eight_bit(ImageOps.exif_transpose(image)), options)
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{where}: {error}", hint="scale the image down, or remove it") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{where}: not a PNG or JPEG image", hint="repair or remove the file"
        ) from error
    except Exception as error:  # Pillow's decoders raise many types on damaged files
        raise DataError(
            f"{where}: damaged image ({error})",
            hint="repair or remove the file",
        ) from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """Mode L or RGB."""
    from PIL import Image

    gray = image.mode in _GRAY_MODES
    if image.mode.startswith("I"):  # 16-bit gray; Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, over)
    return image.convert("L" if gray else "RGB")


def _shape(image: Image.Image, options: DataOptions) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    if options.color is not Color.AUTO:
        image = image.convert("L" if options.color is Color.GRAY else "RGB")
    if options.image_size is not None:
        height, width = options.image_size
        if options.fit is Fit.CROP:
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        else:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]
