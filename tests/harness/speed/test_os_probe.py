"""What Linux tells of a CPU, from files as the kernel writes them; what it hides is null."""

from backends.memory import available_bytes
from harness.speed.probes import os_probe
from harness.speed.probes.os_probe import OsProbe, resident_bytes


def machine(root, busy_ticks=0, rapl=None):
    """A root with /proc and /sys, the first processor `busy_ticks` of 1/100 s busy."""
    for folder in ("proc/self", "sys/devices/system/cpu/cpu0/cpufreq", "sys/class/thermal/thermal_zone0"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "proc/stat").write_text(f"cpu  {busy_ticks} 0 0 9999 0 0 0 0 0 0\ncpu0 0 0 0 0\n")
    (root / "proc/cpuinfo").write_text("processor : 0\nmodel name\t: A Processor @ 2.5GHz\n")
    (root / "proc/meminfo").write_text("MemTotal:       1000 kB\nMemAvailable:    600 kB\n")
    (root / "proc/self/statm").write_text("9 5 0 0 0 0 0\n")
    (root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").write_text("2500000\n")
    (root / "sys/class/thermal/thermal_zone0/temp").write_text("48000\n")
    for zone, microjoules in (rapl or {}).items():
        (root / "sys/class/powercap" / zone).mkdir(parents=True, exist_ok=True)
        (root / "sys/class/powercap" / zone / "energy_uj").write_text(str(microjoules))
    return root


def test_what_linux_tells_is_in_plain_units(tmp_path):
    probe = OsProbe(machine(tmp_path, rapl={"intel-rapl:0": 2_000_000, "intel-rapl:1": 500_000, "intel-rapl:0:0": 9}))
    assert probe.facts()["product"] == "A Processor @ 2.5GHz"
    assert probe.facts()["memory_bytes"] == 1_024_000
    sample = probe.sample()
    assert (sample["sm_mhz"], sample["temperature_c"]) == (2500.0, 48.0)
    assert probe.energy() == 2.5  # both packages; a package's parts are in it already
    assert available_bytes(tmp_path) == 600 * 1024
    assert resident_bytes(tmp_path) == sample["used_bytes"] > 0


def test_time_of_other_processes_is_busy_time_that_is_not_ours(tmp_path, monkeypatch):
    now = {"monotonic": 50.0, "process_time": 1.0}
    monkeypatch.setattr("time.monotonic", lambda: now["monotonic"])
    monkeypatch.setattr("time.process_time", lambda: now["process_time"])
    monkeypatch.setattr(os_probe.os, "sysconf", lambda name: 100 if name == "SC_CLK_TCK" else 4096)
    probe = OsProbe(machine(tmp_path))
    now |= {"monotonic": 60.0, "process_time": 5.0}
    machine(tmp_path, busy_ticks=1400)  # 14 s of all processors in 10 s, 4 s of them ours
    assert probe.sample()["others_busy"] == 1.0


def test_a_system_that_hides_everything_gives_nulls(tmp_path):
    probe = OsProbe(tmp_path)
    assert set(probe.sample().values()) == {None}
    assert probe.energy() is None
    assert available_bytes(tmp_path) is None
