"""Law of addresses: a secret in one is refused, wherever it is given, in words that do not repeat it."""

import traceback

import pytest

from unet.dataset.folder import Dataset, Folder
from unet.settings.record import Record
from unet.settings.validation import require_plain

HUSH = "hush5Zq"


@pytest.mark.parametrize(
    "address",
    [
        f"s3://AKIA:{HUSH}@lab/raw",
        f"https://me:{HUSH}@lab.example/raw.zarr",
        f"https://lab.example/raw?sv=2024&sig={HUSH}",
        f"https://lab.example/raw?access_token={HUSH}&x=1",
        f"tcp://me:{HUSH}@scheduler:8786",
    ],
)
def test_an_address_with_a_secret_is_refused_everywhere(address):
    given = [
        lambda: require_plain("it", address),
        lambda: Dataset(address),
        lambda: Folder(address),
        lambda: Record.read({"sources": [{"images": address}]}),
        lambda: Record.read({"sources": [{"images": "raw", "truth": address}]}),
        lambda: Record.read({"cluster": address}),
        lambda: Record.read(
            {"cluster": {"cls": "distributed.LocalCluster", "options": {"scheduler": {"at": address}}}}
        ),
    ]
    for give in given:
        with pytest.raises(ValueError, match=r"must hold no password or token, got .*; give it by the env") as refused:
            give()
        assert HUSH not in "".join(traceback.format_exception(refused.value))  # as a server logs it


@pytest.mark.parametrize("name", ["password", "secret_key", "aws_secret_access_key", "api_key", "auth_token"])
def test_an_option_of_a_cluster_that_bears_a_secrets_name_is_refused(name):
    values = {"cluster": {"cls": "distributed.LocalCluster", "options": {"n_workers": 2, "cloud": {name: HUSH}}}}
    with pytest.raises(ValueError, match=f"cluster: it must hold no password or token, got {name}") as refused:
        Record.read(values)
    assert HUSH not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["/data/a@b:c", "s3://lab/raw", "abfs://box@lab.dfs.core.windows.net/raw", "tcp://10.0.0.1:8786", "../token=1"],
)
def test_an_address_without_one_is_taken_as_it_is(address):
    require_plain("it", address)
    assert Folder(address).url == address
    assert Record.read({"cluster": address}).cluster == address
    if not address.startswith("tcp:"):  # which is of a scheduler
        assert Record.read({"sources": [{"images": address}]}).sources[0].images == address
