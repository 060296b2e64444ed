// Back ends that produce in transactions: what becomes of their events, and of the places in a partition that no
// message stands in (the ends of transactions, aborted ones), for clients that resume and for lag.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { connectClient, mintToken, signedIn, startGateway, until } from './harness.mjs';

const TOPIC = 'wallet.updates';

let kafka, producer, plain, gateway, dir;

before(async () => {
    kafka = await startKafka();
    await kafka.createTopic(TOPIC, 2);
    producer = new Producer(kafka.bootstrap, { transactional: 'wallets' });
    plain = new Producer(kafka.bootstrap);
    dir = mkdtempSync(join(tmpdir(), 'moonx-transactions-'));
    writeFileSync(join(dir, 'routes'), `${TOPIC} wallet_update user:{userId}\n`);
    gateway = await start();
});

after(async () => {
    await producer?.stop();
    await plain?.stop();
    await gateway?.stop();
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
});

const start = (env = {}) => startGateway({ kafka: kafka.bootstrap, env: { ROUTES_FILE: join(dir, 'routes'), ...env } });
const wallet = n => ({ userId: 'alice', n });
const partitions = async () => (await (await gateway.get('/debug/kafka')).json()).partitions;
// Not "no lag": the broker's end is looked at once a second, and until then an old one hides all lag.
const caughtUp = (partition, end) => until(`partition ${partition} is read to its end, ${end}`, async () => {
    const { position, highWatermark, lag } = (await partitions())[partition];
    return position === end && highWatermark === end && lag === 0;
});

// [{id, …}] of those sent to partition 0, then the transaction's end.
async function transaction(numbers, end) {
    await producer.begin();
    const sent = numbers.map(n => producer.send(TOPIC, wallet(n), { partition: 0 }));
    await producer[end]();
    return Promise.all(sent);
}

async function resume(offsets) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    client.send('authenticate', { token: mintToken({ sub: 'alice' }), resume: { epoch: '1', topics: { [TOPIC]: offsets } } });
    const { data } = await client.next('resumed');
    const events = [];
    for (let i = 0; i < data.count; i++)
        events.push((await client.next('wallet_update')).data.n);
    await client.close();
    return { data, events };
}

test('what is committed arrives, what is aborted never; behind the end of a transaction there is no lag', async () => {
    const alice = await signedIn(gateway, { user: 'alice' });
    await transaction([1, 2], 'abort');
    const committed = await transaction([3, 4], 'commit');
    const seen = [await alice.next('wallet_update'), await alice.next('wallet_update')];
    assert.deepEqual(seen.map(({ id }) => id), committed.map(({ id }) => id));
    const marker = committed[1].offset + 1;
    await caughtUp(0, marker + 1);
    // A marker wakes no worker: a pong before it looks by itself still tells the place of the last event.
    await until('the position told is that of the marker', async () =>
        (await alice.settled()).data.position.topics[TOPIC].join() === `${marker},-1`);
    assert.deepEqual(alice.all('wallet_update').length, 2);
    await alice.close();
});

test('a resume from the last event, or from within what was aborted, misses nothing, also at another host', async () => {
    const [, last] = await transaction([5, 6], 'commit');
    await transaction([7, 8], 'abort');
    const end = last.offset + 5; // the commit's marker, two aborted events and their marker
    await caughtUp(0, end);
    for (const restart of [false, true]) {
        if (restart) {
            await gateway.stop();
            gateway = await start();
        }
        for (const offset of [last.offset, last.offset + 1, last.offset + 3])
            assert.deepEqual(await resume([offset, -1]), { data: { recovered: true, count: 0 }, events: [] });
        assert.deepEqual((await resume([last.offset - 1, -1])).events, [6]);
    }
    // A host whose history begins behind all of it knows as much of the end.
    await gateway.stop();
    gateway = await start({ HISTORY_SECONDS: '0' });
    assert.deepEqual((await resume([end - 1, -1])).data, { recovered: true, count: 0 });
});

test('a transaction that was open when the gateway started comes live when it is committed', async () => {
    await producer.begin();
    const open = await (async () => {
        const sent = [9, 10].map(n => producer.send(TOPIC, wallet(n), { partition: 1 }));
        return Promise.all(sent);
    })();
    await gateway.stop();
    gateway = await start();
    const alice = await signedIn(gateway, { user: 'alice' });
    const behind = await plain.send(TOPIC, wallet(11), { partition: 1 });
    await alice.settled();
    assert.equal(alice.all('wallet_update').length, 0);
    await producer.commit();
    for (const { id } of [...open, behind])
        assert.equal((await alice.next('wallet_update')).id, id);
    await caughtUp(1, behind.offset + 2);
    await alice.close();
});
