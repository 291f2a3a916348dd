"""From one version to the next and back, under traffic, in the order of docs/operate/upgrade.md."""
ORDER = ["router", "push", "im", "gateway"]


async def test_processes_are_replaced_one_by_one_under_traffic_and_back_again(processes, skein):
    from traffic import Traffic  # its clients take the cluster, which runs by now, from the environment
    upwards, mixes = [name for kind in ORDER for name in processes.of(kind)], set()
    async with Traffic(skein) as traffic:
        async def replace(names, programs):
            for name in names:
                await processes.replace(name, programs)
                mixes.add(tuple(processes.state().items()))
                await traffic.flows(mix=str(processes.state()))
        await traffic.flows(mix="all old")

        # Up. The schema comes first. From then on a process may still die and start again as the old one.
        await processes.migrate(processes.new)
        await traffic.flows(mix="all old, on the new schema")
        await processes.kill_and_start("im-2")
        await traffic.flows(mix="all old, an im started on the new schema")
        await replace(upwards[:-3], processes.new)
        await processes.kill_and_start("im-1")
        await processes.kill_and_start("push-1")
        await traffic.flows(mix="half new, an im and a push started")
        await replace(upwards[-3:], processes.new)
        assert set(processes.state().values()) == {"new"}

        # Back, on the newer schema, in the reverse order; then the older functions.
        await replace(reversed(upwards), processes.old)
        assert set(processes.state().values()) == {"old"}
        await processes.migrate(processes.old)
        await traffic.flows(mix="all old again, on their own functions")
        await traffic.end()
    assert len(mixes) == len(upwards) + 1
    assert traffic.visits > len(mixes)
    assert await processes.total("push", "skein_push_dead_letters_total") == 0
    assert await processes.total("im", "skein_im_unpublished_total") == 0
