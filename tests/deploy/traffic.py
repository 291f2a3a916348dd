"""Phones that write to each other while something happens to the cluster."""
import asyncio
import collections

# Why a try may come to nothing, as in tests/e2e/client.py, which can be loaded only when there is a cluster.
REFUSED, CUT, UNAVAILABLE = "nobody listens", "the connection ended without an answer", 503

PAUSE_S = 0.1
ANSWERED_WITHIN_S = 60


async def in_thread(function, *arguments):
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


async def phones_in_a_ring(skein, count, may):
    from phone import Phone
    users = await skein.users(*(f"user{i}" for i in range(count)))
    phones = [Phone(user, gateway=0, may=may) for user in users]
    for phone in phones:
        phone.start()
    for phone in phones:
        await phone.is_connected()
    return phones


async def traffic_while(skein, breaking, may=(), count=6, least=20):
    """
    Phones in a ring write to each other until `breaking` has ended, and each at least `least` messages: the even ones over HTTP, the
    odd ones over their connection. Every message has to be answered, and to come to both sides once and in order. `may`: what
    the fault may do to a client that follows the contract (tests/e2e/phone.py). Returns what `breaking` returned, and the phones.
    """
    from client import text_of
    phones = await phones_in_a_ring(skein, count, may)
    broken = asyncio.ensure_future(breaking)
    sent = [0] * count

    async def keep_sending(i):
        phone, recipient = phones[i], phones[(i + 1) % count].user
        while not broken.done() or sent[i] < least:
            draft = phone.user.draft(recipient, str(sent[i]))
            if i % 2:
                answer = await asyncio.wait_for(phone.send(draft), ANSWERED_WITHIN_S)
            else:
                answer = await phone.user.insist(draft, frozenset(may), within_s=ANSWERED_WITHIN_S)
            sent[i] += 1
            assert answer["seq"] == sent[i], "it was stored twice, or an answered one is gone"
            await asyncio.sleep(PAUSE_S)
    try:
        await asyncio.gather(*(keep_sending(i) for i in range(count)))
        for i, phone in enumerate(phones):
            sender = (i - 1) % count
            await phone.has(sent[sender] + sent[i], within_s=90)
            texts = [text_of(m) for m in phone.messages if m["from"] == phones[sender].user.uid]
            assert texts == [str(n) for n in range(sent[sender])]
    finally:
        broken.cancel()
        for phone in phones:
            await phone.stop()
    suffered = collections.Counter(why for phone in phones for why in phone.suffered.elements())
    fruitless = collections.Counter(why for phone in phones for _, why in phone.user.fruitless)
    print(f"{sum(sent)} messages of {count} phones. Connections: {dict(suffered)}, sends without an answer: {dict(fruitless)}, "
          f"over a connection: {sum(phone.lost_sends for phone in phones)}")
    return await broken, phones
