"""An NVML that says what it is told to, in place of pynvml's functions."""

from types import SimpleNamespace

import pynvml

A100 = {"uuid": "GPU-1234", "name": "NVIDIA A100-SXM4-80GB", "capability": (8, 0), "memory": 85_899_345_920}
H100 = {"uuid": "GPU-9", "name": "NVIDIA H100 80GB HBM3", "capability": (9, 0), "memory": 85_520_809_984}
RTX = {"uuid": "GPU-4", "name": "NVIDIA GeForce RTX 4090", "capability": (8, 9), "memory": 25_757_220_864, "mig": None}


class FakeNvml:
    """GPUs as NVML tells of them (each a dictionary), in a state that they share.

    `refuse` maps the name of a function, or `*`, to the error that it answers with. `open` counts sessions.
    """

    def __init__(self, monkeypatch, *gpus):
        self.gpus = list(gpus)
        self.driver, self.cuda = "570.133.20", 12080
        self.mig, self.ecc, self.persistence = 0, 1, 1
        self.limit_mw, self.power_mw, self.energy_mj = 400_000, 250_000, 0
        self.sm_mhz, self.events, self.ecc_errors, self.temperature = 1410, 0, 0, 50
        self.pids, self.refuse, self.open = [], {}, 0
        answers = {
            "nvmlInit": lambda: self._open(1),
            "nvmlShutdown": lambda: self._open(-1),
            "nvmlSystemGetDriverVersion": lambda: self.driver,
            "nvmlSystemGetCudaDriverVersion": lambda: self.cuda,
            "nvmlDeviceGetCount": lambda: len(self.gpus),
            "nvmlDeviceGetHandleByIndex": lambda index: self.gpus[index],
            "nvmlDeviceGetHandleByUUID": self._by_uuid,
            "nvmlDeviceGetName": lambda gpu: gpu["name"],
            "nvmlDeviceGetCudaComputeCapability": lambda gpu: gpu["capability"],
            "nvmlDeviceGetMigMode": self._mig_mode,
            "nvmlDeviceIsMigDeviceHandle": lambda gpu: 0,
            "nvmlDeviceGetEccMode": lambda gpu: (self.ecc, self.ecc),
            "nvmlDeviceGetPersistenceMode": lambda gpu: self.persistence,
            "nvmlDeviceGetEnforcedPowerLimit": lambda gpu: self.limit_mw,
            "nvmlDeviceGetMaxClockInfo": lambda gpu, kind: 1410,
            "nvmlDeviceGetMemoryInfo": lambda gpu: SimpleNamespace(total=gpu["memory"], used=20 * 2**30),
            "nvmlDeviceGetPowerUsage": lambda gpu: self.power_mw,
            "nvmlDeviceGetTotalEnergyConsumption": lambda gpu: self.energy_mj,
            "nvmlDeviceGetClockInfo": lambda gpu, kind: self.sm_mhz,
            "nvmlDeviceGetTemperature": lambda gpu, kind: self.temperature,
            "nvmlDeviceGetCurrentClocksEventReasons": lambda gpu: self.events,
            "nvmlDeviceGetTotalEccErrors": lambda gpu, kind, counter: self.ecc_errors,
            "nvmlDeviceGetComputeRunningProcesses": lambda gpu: [SimpleNamespace(pid=pid) for pid in self.pids],
        }
        for name, answer in answers.items():
            monkeypatch.setattr(pynvml, name, self._guarded(name, answer))

    def _guarded(self, name, answer):
        def ask(*arguments):
            if name in self.refuse or "*" in self.refuse:
                raise pynvml.NVMLError(self.refuse.get(name, self.refuse.get("*")))
            return answer(*arguments)

        return ask

    def _open(self, change):
        self.open += change

    def _by_uuid(self, uuid):
        for gpu in self.gpus:
            if gpu["uuid"] == uuid:
                return gpu
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    def _mig_mode(self, gpu):
        mode = gpu.get("mig", self.mig)
        if mode is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return (mode, mode)
