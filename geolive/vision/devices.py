"""The device that a network runs on, and the precision of its multiplications."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from geolive.errors import InputError
from geolive.processors import available_processors

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_MOST_WORKERS = 16
# each has a batch in memory
_MOST_THREADS = 8


@dataclass(frozen=True)
class Device:
    """A device and the precision of a network's multiplications on it.

    Parameters
    ----------
    name : str
        cpu, cuda or mps.
    precision : str
        float32, bfloat16 or float16; weights and features stay in float32.
    """

    name: str
    precision: str

    def place(self, network: torch.nn.Module) -> torch.nn.Module:
        """Move a network to the device, with its weights in channels-last memory format, in which convolutions are fastest."""
        return network.to(self.name).to(memory_format=torch.channels_last)

    def pixels(self, batch: torch.Tensor) -> torch.Tensor:
        """Move a batch of pixels to the device, without waiting where that is possible."""
        return batch.to(self.name, non_blocking=True)

    def run(self, network: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
        """Run a network on standardised images without gradients; the result is float32."""
        with torch.inference_mode(), self.autocast():
            return network(inputs).float()

    def autocast(self) -> torch.autocast:
        """Return the context in which multiplications have the precision of this device."""
        return torch.autocast(self.name, PRECISIONS[self.precision], enabled=self.precision != "float32")


def choose_device(name: str = "auto", precision: str = "auto") -> Device:
    """Choose the device, and the precision in which it is fast.

    Parameters
    ----------
    name : str
        cpu, cuda, mps, or auto: the first of cuda, mps and cpu that is available.
    precision : str
        float32, bfloat16, float16, or auto: on CUDA bfloat16 from compute capability 8 on, else float16; on a processor
        bfloat16 if it has instructions for it (AVX512-BF16, AMX, or those of Arm), else float32; on MPS float32.

    Raises
    ------
    InputError
        The device is not available.

    Examples
    --------
    >>> choose_device("cpu", "float32")
    Device(name='cpu', precision='float32')
    """
    if name not in DEVICES:
        raise InputError(f"device={name!r}: must be one of {', '.join(DEVICES)}", parameter="device")
    if precision not in ("auto", *PRECISIONS):
        raise InputError(
            f"precision={precision!r}: must be auto or one of {', '.join(PRECISIONS)}", parameter="precision"
        )
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_available in available.items() if is_available)
    if not available[name]:
        raise InputError(f"device={name!r}: this machine has none; use device='auto'", parameter="device")
    return Device(name, _fast_precision(name) if precision == "auto" else precision)


def _fast_precision(device: str) -> str:
    if device == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability()[0] >= 8 else "float16"
    return "bfloat16" if device == "cpu" and cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Return whether this processor has instructions for bfloat16; without them bfloat16 is slower than float32.

    Examples
    --------
    >>> cpu_has_bfloat16() in (True, False)
    True
    """
    if hasattr(torch.cpu, "get_capabilities"):
        has = torch.cpu.get_capabilities()
        return any(has.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())


def choose_threads(device: Device) -> int:
    """Choose the number of batches that a network works on at the same time.

    Parameters
    ----------
    device : Device

    Returns
    -------
    int
        On a processor the number of torch's threads, at most 8; on another device 1.

    Examples
    --------
    >>> choose_threads(Device("cuda", "bfloat16"))
    1
    """
    return min(_MOST_THREADS, torch.get_num_threads()) if device.name == "cpu" else 1


def choose_workers(workers: int | None, device: Device) -> int:
    """Choose the number of processes that decode photos.

    Parameters
    ----------
    workers : int or None
        The given number; with None the device decides.
    device : Device

    Returns
    -------
    int
        For a CUDA or MPS device, all processors but one, at most 16; where the processor also runs the network, an eighth of
        its cores, at least 1.

    Examples
    --------
    >>> choose_workers(3, Device("cpu", "float32"))
    3
    """
    if workers is not None:
        return workers
    processors = available_processors()
    if device.name == "cpu":
        return max(1, processors // 8)
    return min(_MOST_WORKERS, max(1, processors - 1))
