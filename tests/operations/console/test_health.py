"""What machines ask, of a running gateway: health, readiness, metrics."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain_metrics

from gateway.operations.console.rights import Role
from gateway.operations.metrics.gauges import STANDSTILL
from gateway.operations.metrics.names import METRICS, PROCESS, Sort
from gateway.storage.memory import MemoryStores
from gateway.testing import RunningGateway, running_gateway
from tests.channels.phones import PHONES
from tests.operations.console.browser import CONSOLE, browser
from tests.support import ALICE

LABELS = {each.name: each.labels for each in METRICS}
OPEN = "application/openmetrics-text; version=1.0.0"


async def scraped(gateway: RunningGateway) -> dict[str, Family]:
    """The metrics of a gateway, by name."""
    answer = await browser(gateway).get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in plain_metrics(answer.text)}


def values(family: Family) -> dict[tuple[str, ...], float]:
    """The samples of a family, by the values of its labels."""
    return {
        tuple(sample.labels[name] for name in LABELS[family.name]): sample.value for sample in family.samples
    }


async def converse(gateway: RunningGateway) -> None:
    """Alice opens the service, asks for something wrong, and writes to a number that does not exist."""
    alice = await gateway.handset(ALICE)
    await alice.send("KTFX", "161")
    await alice.expect("飞信")
    await alice.send("XYZ", "161")
    await alice.expect("")
    with pytest.raises(Exception, match="ESME_RINVDSTADR"):
        await alice.send("KTFX", "999")
    await gateway.settle()


async def test_phones_of_the_console_take_no_sms_of_customers(tmp_path: Path) -> None:
    """While nobody else is bound, nothing is: the alert FetionNoBind goes by that."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        assert values((await scraped(gateway))["fetion_binds"]) == {("receiving",): 0, ("other",): 1}
        await gateway.handset(ALICE)
        assert values((await scraped(gateway))["fetion_binds"]) == {("receiving",): 1, ("other",): 1}


async def test_metrics_say_what_happened(tmp_path: Path) -> None:
    """The values of a scrape are those of the conversation; every metric has its help and sort."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        before = await scraped(gateway)
        await converse(gateway)
        after = await scraped(gateway)
    assert values(before["fetion_messages"]) == {}
    came = {key[1:3]: value for key, value in values(after["fetion_messages"]).items() if key[0] == "in"}
    left = {key[1:3]: value for key, value in values(after["fetion_messages"]).items() if key[0] == "out"}
    assert came == {("base", "done"): 1, ("base", "misunderstood"): 1}
    assert sum(left.values()) >= 2
    assert {outcome for _, outcome in left} == {"sent"}
    assert values(after["fetion_refusals"]) == {("ESME_RINVDSTADR",): 1}
    assert values(after["fetion_binds"]) == {("receiving",): 1, ("other",): 0}
    assert values(after["fetion_outbox_depth"]) == {(): 0}
    assert values(after["fetion_ready"]) == {(): 1}
    sizes = {sample.name: sample.value for sample in after["fetion_round_trip_seconds"].samples}
    assert sizes["fetion_round_trip_seconds_count"] == 2
    known = {each.name: each for each in METRICS}
    assert set(known) <= set(after)
    for name, each in known.items():
        assert after[name].documentation == each.help
        assert after[name].type == each.sort.value
    assert set(after) - set(known) <= {each.name for each in PROCESS}


async def test_both_formats(tmp_path: Path) -> None:
    """Who accepts OpenMetrics gets it, with the same names."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        plain = await scraped(gateway)
        answer = await browser(gateway).get("/metrics", accept=OPEN)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    parse: Callable[[str], Iterable[Family]] = openmetrics.text_string_to_metric_families
    assert {family.name for family in parse(answer.text)} == set(plain)


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x", "text/plain; version=.", ";;,=", "*/*"]
)
async def test_odd_wishes(tmp_path: Path, accept: str) -> None:
    """A header Accept that means nothing gets metrics all the same."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        answer = await browser(gateway).get("/metrics", accept=accept)
    assert answer.status == 200
    assert "fetion_ready 1.0" in answer.text


async def test_labels_are_bounded_and_name_nobody(tmp_path: Path) -> None:
    """However many handsets write, the number of series stays; no label holds a number of a handset."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        await converse(gateway)
        before = await scraped(gateway)
        for last in range(10):
            handset = await gateway.handset(f"1380013801{last}")
            await handset.send("KTFX", "161")
            await handset.expect("飞信")
            with pytest.raises(Exception, match="ESME_RINVDSTADR"):
                await handset.send("KTFX", f"99{last}")
        await gateway.settle()
        after = await scraped(gateway)
    counts = [sum(len(family.samples) for family in series.values()) for series in (before, after)]
    assert counts[0] == counts[1]
    labels = {value for each in after.values() for sample in each.samples for value in sample.labels.values()}
    assert not [value for value in labels if len(value) >= 11 and value.isdigit()]


async def test_who_may_scrape(tmp_path: Path) -> None:
    """This machine may; behind a proxy nobody is this machine; then headquarters' operators may, a province's
    may not."""
    async with running_gateway(tmp_path / "near", CONSOLE) as gateway:
        near = browser(gateway)
        assert (await near.get("/metrics")).status == 200
        forwarded = await near.get("/metrics", x_forwarded_for="192.0.2.1")
        assert forwarded.status == 401
    behind = {"console": {**CONSOLE["console"], "behind_proxy": True}}
    async with running_gateway(tmp_path / "proxy", behind) as gateway:
        assert (await browser(gateway).get("/metrics")).status == 401
        assert (await browser(gateway, Role.OPERATOR).get("/metrics")).status == 200
        assert (await browser(gateway, Role.OPERATOR, "200").get("/metrics")).status == 403
        assert (await browser(gateway, Role.CUSTOMER_SERVICE).get("/metrics")).status == 403
        stranger = await browser(gateway).get("/readyz")
        assert (stranger.status, stranger.text) == (200, "ready\n")


async def test_health_while_the_store_hangs(tmp_path: Path) -> None:
    """A store that does not return: soon not ready, with the reason; later not healthy. Both are told, and
    metrics too, while it hangs; all is well when it returns."""
    stores = MemoryStores()
    async with running_gateway(tmp_path, CONSOLE, open_store=stores.open_store) as gateway:
        machine = browser(gateway)
        assert (await machine.get("/healthz")).text == "ok\n"
        assert (await machine.get("/readyz")).text == "ready\n"
        alice = await gateway.handset(ALICE)
        commit, returns = gateway.app.store.commit, asyncio.Event()

        async def hang(given: object) -> None:
            await returns.wait()
            await commit(given)  # type: ignore[arg-type]

        gateway.app.store.commit = hang  # type: ignore[method-assign, assignment]
        sending = asyncio.create_task(alice.send("KTFX", "161"))
        while not gateway.app.pipeline.lasts_s:
            await asyncio.sleep(0.001)
            gateway.clock.move_to(gateway.clock.now_ms() + 1)
        gateway.clock.move_to(gateway.clock.now_ms() + 6_000)
        await gateway.app.tick(housekeeping=False)
        ready = await machine.get("/readyz")
        assert ready.status == 503
        assert ready.text.startswith("not ready\nfor ")
        as_json = await machine.get("/readyz", accept="application/json")
        assert as_json.json["ready"] is False
        assert "storage.failed" in as_json.json["faults"][0]
        assert (await machine.get("/healthz")).status == 200
        gateway.clock.move_to(gateway.clock.now_ms() + int(STANDSTILL * 1000))
        assert (await machine.get("/healthz")).status == 503
        metrics = await scraped(gateway)
        assert values(metrics["fetion_ready"]) == values(metrics["fetion_store_up"]) == {(): 0}
        assert values(metrics["fetion_store_failures"]) == {(): 1}
        returns.set()
        await sending
        await gateway.settle()
        assert (await machine.get("/readyz")).text == "ready\n"
        assert (await machine.get("/healthz")).text == "ok\n"


async def test_not_ready_while_stopping(tmp_path: Path) -> None:
    """While the gateway stops it takes no SMS, and says so."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        gateway.app.queue.stopping = True
        answer = await browser(gateway).get("/readyz")
        assert (answer.status, answer.text) == (503, "not ready\nit is stopping\n")


def test_every_metric_has_one_name() -> None:
    """Names begin with fetion_, are all different, and none of a counter says _total itself."""
    every = [each.name for each in (*METRICS, *PROCESS)]
    assert len(set(every)) == len(every)
    assert all(name.startswith("fetion_") for name in every)
    assert not [each.name for each in METRICS if each.sort is Sort.COUNTER and each.name.endswith("_total")]
