"""Law of these folders: a module has its test file in the same place, or stands here with the one that tests it."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "unet/sources/imagexpress": "unet/sources/test_plates",
    "unet/sources/plane_grids": "unet/sources/test_name_patterns",
    "unet/sources/plane_sources": "unet/sources/test_name_patterns",
    "unet/sources/plate_indexes": "unet/sources/test_plates",
    "unet/settings/file_pattern": "unet/sources/test_name_patterns",
    "flows/planning/fetch": "integration/test_remote_sources",
    "unet/sources/fetching": "unet/sources/test_mirror",
    "unet/sources/remote_stacks": "integration/test_remote_sources",
    "unet/sources/groups": "unet/sources/test_search",
    "unet/sources/paths": "unet/sources/test_search",
    "unet/sources/truth": "unet/sources/test_search",
    "unet/sources/zarr_nodes": "unet/sources/test_zarr_folders",
    "unet/sources/source_files": "unet/sources/test_search",
    "unet/sources/stacks": "unet/sources/test_search",
    "unet/evaluation/measure": "unet/evaluation/test_metrics",
    "unet/evaluation/object_scores": "unet/evaluation/test_metrics",
    "unet/evaluation/pixel_pairs": "unet/evaluation/test_metrics",
    "unet/evaluation/pixel_scores": "unet/evaluation/test_metrics",
    "unet/formats/linking": "tasks/test_ingest_zarr",
    "unet/formats/tiff_extent": "unet/formats/test_tiff",
    "unet/images/channel_statistics": "unet/images/test_grey_values",
    "unet/images/array_types": "unet/weight_maps/test_border_weights",
    "unet/labels/clumps": "tasks/test_segment",
    "unet/labels/landscape": "unet/labels/test_declumping",
    "unet/labels/merging": "unet/labels/test_connected",
    "unet/labels/seams": "unet/labels/test_connected",
    "unet/ledger/contents": "unet/ledger/test_results",
    "unet/ledger/metadata_file": "unet/ledger/test_metadata_types",
    "unet/ledger/source_fingerprints": "unet/ledger/test_recipes",
    "unet/ledger/truth_state": "unet/ledger/test_recipes",
    "unet/ledger/truth_findings": "unet/weight_maps/test_truth_check",
    "unet/settings/evaluate": "unet/settings/test_record",
    "unet/settings/ingest": "unet/settings/test_record",
    "unet/settings/predict": "unet/settings/test_record",
    "unet/store/shard_store": "unet/store/test_arrays",
    "unet/store/source_array": "unet/formats/test_ome_zarr",
    "unet/weight_maps/checked_blocks": "unet/weight_maps/test_truth_check",
    "unet/network/bioimageio_description": "unet/network/test_bioimageio_package",
    "tasks/execution/cluster_class": "tasks/execution/test_dask_workers",
    "unet/network/window_scores": "tasks/test_predict",
    "unet/benchmarks/scoring": "tasks/test_benchmark",
    "tasks/predict_regions": "tasks/test_predict",
    "tasks/reporting/chosen_metrics": "tasks/reporting/test_comparison",
    "tasks/reporting/report_contents": "tasks/test_evaluate",
    "tasks/training_planes": "tasks/test_train",
    "flows/backlog": "flows/server/test_deploy",
    "flows/commands/datasets": "flows/commands/test_app",
    "flows/commands/demo": "integration/test_readme",
    "flows/commands/models": "flows/commands/test_app",
    "flows/commands/operations": "flows/commands/test_app",
    "flows/commands/options": "flows/commands/test_help",
    "flows/commands/show": "flows/commands/test_app",
    "flows/commands/sources": "flows/commands/test_app",
    "flows/commands/stages": "flows/commands/test_app",
    "flows/commands/work": "flows/commands/test_app",
    "flows/evaluate": "integration/test_flows",
    "flows/ingest": "integration/test_flows",
    "flows/planning/catalogue": "flows/planning/test_arrivals",
    "flows/planning/stage_rules": "flows/planning/test_plan",
    "flows/planning/status": "flows/planning/test_plan",
    "flows/predict": "integration/test_flows",
    "flows/reprocess": "integration/test_flows",
    "flows/segment": "integration/test_flows",
    "flows/server/automations": "flows/server/test_deploy",
    "flows/stage_run": "integration/test_flows",
    "flows/train": "integration/test_flows",
    "flows/weigh": "integration/test_flows",
}
"""Modules without a test file of their own → where their laws are tested."""
OF_SEVERAL = {"flows/commands/test_help", "tasks/test_ingest_zarr", "unet/test_library"}
"""Test files of a room that are of no one module; those of several rooms lie in `integration`."""


def modules():
    found = (path for room in ("unet", "tasks", "flows") for path in (ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT).with_suffix("").as_posix() for path in found if path.name != "__init__.py"}


def files_of_tests():
    return {
        path.relative_to(ROOT / "tests").with_suffix("").as_posix() for path in Path(__file__).parent.rglob("test_*.py")
    }


def of_its_own(module):
    room, _, name = module.rpartition("/")
    return f"{room}/test_{name}"


def test_every_module_is_tested_in_its_place_or_where_the_list_says():
    without = {module for module in modules() if of_its_own(module) not in files_of_tests()}
    assert without == set(ELSEWHERE)


def test_the_list_names_test_files_that_are_there():
    assert set(ELSEWHERE.values()) <= files_of_tests()


def test_every_test_file_of_a_room_is_that_of_a_module():
    rooms = {path for path in files_of_tests() if path.startswith(("unet/", "tasks/", "flows/"))}
    assert rooms - OF_SEVERAL == {of_its_own(module) for module in modules() - set(ELSEWHERE)}


def test_the_guide_of_a_room_names_its_modules():
    guides = {module.rpartition("/")[0] for module in modules()}
    for room in guides:
        told = (ROOT / room / "__init__.py").read_text("utf-8")
        inside = {module.rpartition("/")[2] for module in modules() if module.rpartition("/")[0] == room}
        assert {name for name in inside if f"`{name}`" not in told} == set(), room
