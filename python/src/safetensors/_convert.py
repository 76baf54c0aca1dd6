"""From numpy arrays to the tensors of frameworks that have no quicker way in.

The extension imports this module and calls the function that is named for the framework, once for
each tensor. An array comes with memory that nobody else writes to, so a framework may keep using
it; types that numpy lacks come as those of ml_dtypes. `device` is what `safe_open` was given; the
extension has checked it, and only paddle's may be other than the CPU.
"""

from __future__ import annotations

from typing import Any

from ._errors import cannot_load

# Below this, what jax.device_put() does to avoid a copy costs more than the copy.
_WORTH_SHARING = 1 << 16


def jax(array: Any, device: Any) -> Any:
    """A jax.Array on JAX's default device. On the CPU, large aligned arrays are not copied."""
    if array.nbytes >= _WORTH_SHARING:
        from jax import device_put

        return device_put(array)
    from jax.numpy import asarray

    return asarray(array)


def tensorflow(array: Any, device: Any) -> Any:
    """A tf.Tensor."""
    from tensorflow import convert_to_tensor

    return convert_to_tensor(array)


def mlx(array: Any, device: Any) -> Any:
    """An mx.array on MLX's default device. DtypeError for 8-bit floats, which MLX has not."""
    import mlx.core as mx

    name = array.dtype.name
    if name == "bfloat16":
        return mx.array(array.view("uint16")).view(mx.bfloat16)
    if name.startswith("float8"):
        raise cannot_load(name, "MLX")
    return mx.array(array)


# The types of ml_dtypes that Paddle has, and numpy's of the same width.
_PADDLE_BITS = {"bfloat16": "int16", "float8_e4m3fn": "int8", "float8_e5m2": "int8"}


def paddle(array: Any, device: Any) -> Any:
    """A paddle.Tensor on `device`, named as PyTorch or as Paddle names it. One on the CPU uses the
    array's memory, if that is writable.

    DtypeError for uint16, which Paddle takes for bfloat16, and for the 8-bit floats it has not.
    """
    from paddle import to_tensor
    from paddle.utils.dlpack import from_dlpack

    name = array.dtype.name
    bits = _PADDLE_BITS.get(name)
    if bits is not None:
        array = array.view(bits)
    elif name == "uint16" or name.startswith("float8"):
        raise cannot_load(name, "Paddle")
    tensor = from_dlpack(array) if array.flags.writeable else to_tensor(array, place="cpu")
    if array.size == 0:
        tensor = tensor.contiguous()  # of a shape without elements Paddle is not sure otherwise
    if bits is not None:
        tensor = tensor.view(name)
    place = paddle_place(device)
    return tensor if place == "cpu" else tensor.to(place)


def paddle_place(device: Any) -> Any:
    """Paddle's name of a device: `gpu:1` for `cuda:1` and for 1, `cpu` for None."""
    if device is None:
        return "cpu"
    if isinstance(device, int):
        return f"gpu:{device}"
    return device.replace("cuda", "gpu") if isinstance(device, str) else device
