"""What the doctor says of Ray."""

import pytest

from minizoo.doctor import ray


@pytest.mark.parametrize(("address", "said"), [("10.0.0.1:6379", "answers at 10.0.0.1:6379"), (None, "no cluster")])
def test_ray_is_told_with_its_version_and_the_cluster_that_answers(monkeypatch, tmp_path, address, said):
    monkeypatch.setattr(ray, "cluster_here", lambda: address)
    found = ray.check_ray(tmp_path)
    assert (found.verdict, said in found.found) == ("ok", True)


def test_without_ray_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    def none(_):
        raise ray.PackageNotFoundError

    monkeypatch.setattr(ray, "version", none)
    found = ray.check_ray(tmp_path)
    assert (found.verdict, "minizoo[cluster]" in found.hint) == ("warn", True)
