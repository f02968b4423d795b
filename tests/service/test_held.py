"""Local features are computed where the node holds any: whoever hashes, and from the next check."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from hashsvc.media import FOR_CHECKS
from hashsvc.media.recipe import LOCAL_FRAMES_FOR_LISTS, Recipe
from hashsvc.model import (
    Action,
    Algorithm,
    EntryDraft,
    MediaFingerprints,
    MediaType,
    Outcome,
    Verdict,
)
from hashsvc_client import AsyncClient, Client, VideoProgress
from hashsvc_client.hashing import Hashing, Held
from tests.commands import hashsvc
from tests.harness import PROPAGANDA, running_node
from tests.matching.test_local_frames import local
from tests.media.collage import OTHERS, frames, scene, within
from tests.media.collage import SCENES as ALL_SCENES
from tests.media.making import film
from tests.parts import collage, known, picture
from tests.processes import MATCHED

LIST, RATE, EACH_S = "acme/known", 2, 3
ORB, SCENES = Algorithm.ORB, ALL_SCENES[:3]
WITHOUT, WITH = False, True

Check = Callable[[Path], Awaitable[Verdict]]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node whose list takes local features and holds none."""
    with running_node(tmp_path_factory.mktemp("held") / "data") as made:
        with Client(made) as client:
            client.create_list(LIST, local_features=True)
        yield made


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A picture and a video that show something known in a part of them."""
    folder = tmp_path_factory.mktemp("uploads")
    collage(picture("fig"))[0].save(folder / "collage.jpg", quality=85)
    hidden = [within(scene(one), scene(other)) for one, other in zip(SCENES, OTHERS, strict=False)]
    keys = {"g": str(RATE), "sc_threshold": "0", "preset": "ultrafast"}
    shown = frames(hidden, EACH_S * RATE)
    film(folder / "within.mp4", "libx264", shown, rate=RATE, options=keys)
    return [folder / "collage.jpg", folder / "within.mp4"]


@pytest.fixture(scope="module")
def drafts() -> list[EntryDraft]:
    """What is known of the two: local features alone."""
    timed = [
        local(scene(name), LOCAL_FRAMES_FOR_LISTS, 1000 * EACH_S * number)
        for number, name in enumerate(SCENES)
    ]
    return [
        EntryDraft(MediaType.IMAGE, (known(picture("fig")),), PROPAGANDA),
        EntryDraft(MediaType.VIDEO, tuple(timed), PROPAGANDA),
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each file that was hashed since this was cleared: whether for local features too."""
    told: list[bool] = []
    to_dict = Recipe.to_dict

    def noticed(recipe: Recipe) -> None:
        told.append(recipe.local is not None and recipe.local_frames is not None)

    def sent(recipe: Recipe) -> dict[str, object]:
        noticed(recipe)
        return to_dict(recipe)

    def here(path: Path, recipe: Recipe, judge: object) -> object:
        noticed(recipe)
        return hash_file(path, None, recipe, judge)

    from hashsvc.media import decode

    hash_file: Callable[..., object] = decode.fingerprint_file
    monkeypatch.setattr(Recipe, "to_dict", sent)
    monkeypatch.setattr("hashsvc.media.fingerprint_file", here, raising=False)
    return told


@contextmanager
def holding(address: str, drafts: list[EntryDraft]) -> Iterator[None]:
    """While the list has these."""
    with Client(address) as client:
        added = client.add_entries(LIST, drafts).entries
        try:
            yield
        finally:
            for entry in added:
                client.withdraw_entry(entry.name, reason="mistake")


async def opened(way: str, address: str, stack: AsyncExitStack) -> Check:
    """A client that knows nothing yet."""
    if way == "blocking":
        return partial(_blocking, stack.enter_context(Client(address)))
    client = await stack.enter_async_context(AsyncClient(address))
    return partial(client.check_file, send_media=way == "node")


async def _blocking(client: Client, path: Path) -> Verdict:
    return client.check_file(path)


@pytest.mark.parametrize("way", ["blocking", "asyncio", "node"])
async def test_they_are_computed_from_when_a_list_has_them_until_it_has_none(
    address: str, uploads: list[Path], drafts: list[EntryDraft], asked: list[bool], way: str
) -> None:
    """A client that did not know finds at its next check, hashing one file twice; a node knows."""
    twice = [WITH] if way == "node" else [WITHOUT, WITH]
    for path, draft in zip(uploads, drafts, strict=True):
        async with AsyncExitStack() as stack:
            check = await opened(way, address, stack)
            asked.clear()
            assert (await check(path)).outcome is Outcome.NO_MATCH
            assert asked == [WITHOUT]
            with holding(address, [draft]):
                asked.clear()
                for hashed in (twice, [WITH]):
                    verdict = await check(path)
                    assert [match.algorithm for match in verdict.matches] == [ORB]
                    assert asked == hashed
                    asked.clear()
            for hashed in ([WITHOUT] if way == "node" else [WITH], [WITHOUT]):
                assert (await check(path)).outcome is Outcome.NO_MATCH
                assert asked == hashed
                asked.clear()


async def test_a_video_under_way_begins_anew_when_a_list_gets_them(
    address: str, uploads: list[Path], drafts: list[EntryDraft], asked: list[bool]
) -> None:
    """Once, and what is told of it begins anew too; at its end it is found."""
    told: list[VideoProgress] = []
    async with AsyncExitStack() as stack:
        client = stack.enter_context(Client(address))

        def add(progress: VideoProgress) -> None:
            if not told:
                stack.enter_context(holding(address, drafts[1:]))
            told.append(progress)

        assert client.check_file(uploads[1], on_progress=add).matches
    assert asked == [WITHOUT, WITH]
    through = [progress.seen_through_ms for progress in told]
    assert through[0] < through[1] > through[2]
    assert [ORB in progress.verdict.held for progress in told[:3]] == [False, True, True]


def test_a_match_stands_and_a_recipe_is_kept_to(
    address: str, uploads: list[Path], drafts: list[EntryDraft], asked: list[bool]
) -> None:
    """What is known by a digest is hashed once, and what the caller says how to hash is too; not
    what a hash alone says, which may be contradicted."""
    with holding(address, drafts), Client(address) as adding:
        for path in uploads:
            with Client(address) as client:
                verdict = client.check_file(path, recipe=FOR_CHECKS)
                assert (verdict.outcome, ORB in client.held) == (Outcome.NO_MATCH, True)
        assert asked == [WITHOUT, WITHOUT]
        asked.clear()
        found = adding.check_file(uploads[0], recipe=lambda held: FOR_CHECKS)
        assert (found.outcome, asked) == (Outcome.NO_MATCH, [WITHOUT])
        from hashsvc.media import fingerprint

        with uploads[0].open("rb") as file:
            whole = fingerprint(file)
        hashes = tuple(one for one in whole.fingerprints if not one.algorithm.is_digest)
        for known, hashed in ((whole.fingerprints, [WITHOUT]), (hashes, [WITHOUT, WITH])):
            with holding(address, [EntryDraft(whole.media_type, known, PROPAGANDA)]):
                asked.clear()
                with Client(address) as client:
                    assert client.check_file(uploads[0]).matches
            assert asked == hashed


async def test_answers_of_every_kind_tell(
    address: str, uploads: list[Path], drafts: list[EntryDraft]
) -> None:
    """To Check, CheckBatch, CheckMedia and CheckVideo, in both clients."""
    found = MediaFingerprints(MediaType.IMAGE, "", 1, 1, None, drafts[0].fingerprints)
    data, video = uploads[0].read_bytes(), uploads[1].read_bytes()

    async def batches() -> AsyncIterator[list[MediaFingerprints]]:
        yield [found]

    client, other = Client(address), AsyncClient(address)
    with holding(address, drafts), client:
        for answered in (
            lambda: client.check_fingerprints(found),
            lambda: list(client.check_batches([[found]])),
            lambda: client.check_media(BytesIO(data)),
            lambda: next(client.check_video([video])),
        ):
            client._held = Held()
            answered()
            assert ORB in client.held
        async with other, aclosing(other.check_video([video])) as told:
            for awaited in (
                other.check_fingerprints(found),
                anext(other.check_batches(batches())),
                other.check_media(BytesIO(data)),
                anext(told),
            ):
                other._held = Held()
                await awaited
                assert ORB in other.held


def test_the_command_line_finds_them_and_asks_for_no_more(
    address: str,
    uploads: list[Path],
    drafts: list[EntryDraft],
    asked: list[bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a node without any, and of one with some; by decoder processes."""
    monkeypatch.setattr("hashsvc.cli.files.cores", lambda: 1)
    assert hashsvc("check", *uploads, server=address).returncode == 0
    assert asked == [WITHOUT] * 2
    with holding(address, drafts):
        asked.clear()
        done = hashsvc("check", "--json", *uploads, server=address)
        assert (done.returncode, done.stdout.count('"orb"')) == (MATCHED, 2)
        assert sorted(asked) in ([WITHOUT, WITH, WITH], [WITHOUT, WITHOUT, WITH, WITH])


def test_a_second_check_sees_no_less_than_the_first() -> None:
    """It asks for the revision of the first answer, or for what the caller asked."""
    first = Verdict(Outcome.NO_MATCH, Action.ALLOW, "r1", held=frozenset({ORB}))
    for given, then in (("", "r1"), ("r0", "r0")):
        hashing = Hashing(Held(), None, given)
        hashing.recipe()
        assert hashing.min_revision == given
        assert hashing.begins_anew(first)
        assert hashing.min_revision == then
        assert hashing.recipe().local is not None
        assert not hashing.begins_anew(first)
