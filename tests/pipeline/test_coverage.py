"""How many images have a keyword, by folder."""

from __future__ import annotations

from pipeline import coverage as pipeline_coverage
from pipeline.coverage import EXAMPLES, MOST_FOLDERS, OTHERS, Coverage, FolderCoverage


def test_images_are_counted_by_the_folder_they_lie_in():
    coverage = Coverage()
    for name, has_keyword in (("s3://shop/a/1", True), ("s3://shop/a/2", False), ("s3://shop/b/c/3", True)):
        coverage.add(name, has_keyword=has_keyword)
    assert (coverage.images, coverage.with_keyword, round(coverage.share, 2)) == (3, 2, 0.67)
    assert coverage.untagged == ["s3://shop/a/2"]
    assert coverage.by_folder() == (FolderCoverage("s3://shop/a/", 2, 1), FolderCoverage("s3://shop/b/c/", 1, 1))


def test_nothing_was_seen_is_no_share():
    assert Coverage().share == 0.0


def test_memory_does_not_grow_with_folders_and_images():
    coverage = Coverage()
    for at in range(MOST_FOLDERS + 500):
        coverage.add(f"s3://shop/{at}/1", has_keyword=False)
    assert len(coverage.by_folder()) == MOST_FOLDERS + 1
    assert coverage.by_folder()[0] == FolderCoverage(OTHERS, 500, 0)
    assert len(coverage.untagged) == EXAMPLES


def test_ranges_counted_apart_add_up_to_the_whole_also_where_a_folder_goes_on(monkeypatch):
    monkeypatch.setattr(pipeline_coverage, "MOST_FOLDERS", 3)
    names = [f"s3://shop/a/{name}.jpg" for name in ("1", "b/1", "c/1", "d/1", "e/1", "z")]
    whole, added_up = Coverage(), Coverage()
    for name in names:
        whole.add(name, has_keyword=name < names[3])

    for begin, end in ((0, 2), (2, 6)):
        part = Coverage()
        if begin:
            part.begin_at(names[begin])
        for name in names[begin:end]:
            part.add(name, has_keyword=name < names[3])
        for folder in part.folders:
            added_up.add_folder(folder)

    assert FolderCoverage("s3://shop/a/", 2, 1) in whole.by_folder()
    assert added_up.by_folder() == whole.by_folder()
    assert (added_up.images, added_up.with_keyword) == (whole.images, whole.with_keyword)
