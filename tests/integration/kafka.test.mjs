// Kafka as it behaves on bad days: away at start, restarted, killed, growing, losing and regaining a topic.
// The gateway runs through all of it and says what is the matter.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { assertCounted, signedIn, startGateway, until } from './harness.mjs';

let kafka, producer, gateway, client;

before(async () => {
    kafka = await startKafka({ start: false });
});

after(async () => {
    await client?.close();
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
});

// Recovering takes as long as the Kafka client's own backoff and metadata refresh (10 s).
const RECOVERY_MS = 90_000;
const isEvent = id => message => message.id === id;
const price = n => ({ token: 'ETH', chainId: 1, price: String(n) });
const arrives = async (topic, value, options) => client.next(isEvent((await producer.send(topic, value, options)).id), RECOVERY_MS);

test('no broker at start: the gateway runs, is degraded and not ready', async () => {
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, ready: false });
    const answer = await gateway.get('/health');
    const health = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(health));
    assert.equal(health.status, 'degraded');
    assert.equal(health.services.kafka, false);
    assert.equal((await gateway.get('/ready')).status, 503);
});

test('the broker appears: ready and healthy by itself', async () => {
    await kafka.start();
    await Promise.all(['price.updates', 'order.updates'].map(topic => kafka.createTopic(topic, 2)));
    producer = new Producer(kafka.bootstrap);
    await until('ready', () => gateway.answers('/ready', 200), RECOVERY_MS);
    client = await signedIn(gateway, { user: 'alice' });
    await until('healthy', async () => (await gateway.health()).services.kafka === true, RECOVERY_MS);
    await arrives('price.updates', price(1), { partition: 0 });
});

test('a topic that is created later is consumed from its first event', async () => {
    await gateway.printed(/topic trade\.updates does not exist/);
    await gateway.printed(/topic gateway\.events does not exist: waiting for it; until then nobody can publish/);
    await kafka.createTopic('trade.updates', 1);
    const first = await producer.send('trade.updates', { tradeId: 't-0' });
    assert.equal(first.offset, 0);
    await client.next(isEvent(first.id), RECOVERY_MS);
    await gateway.printed(/topic trade\.updates is there now/);
    assert.equal((await client.request('publish', { room: 'chat:x', event: 'said', payload: {} }, RECOVERY_MS)).data.code, 'PUBLISH_FAILED');
    await kafka.createTopic('gateway.events', 1);
    await until('published', async () => (await client.request('publish', { room: 'chat:x', event: 'said', payload: {} }, RECOVERY_MS)).type === 'published', RECOVERY_MS);
});

test('partitions added while running: their events arrive from offset 0', async () => {
    await kafka.addPartitions('order.updates', 5);
    const ids = [];
    for (const partition of [2, 3, 4])
        for (let n = 0; n < 3; n++)
            ids.push((await producer.send('order.updates', { orderId: `o-${n}`, userId: 'alice' }, { partition })).id);
    assert.ok(ids.includes('order.updates:4:0'));
    for (const id of ids)
        await client.next(isEvent(id), RECOVERY_MS);
});

for (const [how, away] of [['shut down', () => kafka.shutdown()], ['killed', () => kafka.kill()]])
    test(`the broker is ${how} and comes back: clients stay, /ready stays, nothing is lost or doubled`, async () => {
        await arrives('price.updates', price(2), { partition: 1 });
        await away();
        const late = producer.send('price.updates', price(3), { partition: 1 });
        await until('degraded', async () => {
            const { status, services } = await gateway.health();
            return status === 'degraded' && services.kafka === false;
        }, RECOVERY_MS);
        assert.equal((await gateway.get('/ready')).status, 200);
        assert.equal((await client.settled()).type, 'pong');
        await kafka.start();
        const { id } = await late;
        await client.next(isEvent(id), RECOVERY_MS);
        await arrives('price.updates', price(4), { partition: 0 });
        await until('healthy', async () => (await gateway.health()).status === 'healthy', RECOVERY_MS);
        for (const partition of [0, 1]) {
            const offsets = client.received.map(({ id: seen }) => seen.split(':')).filter(([topic, p]) => topic === 'price.updates' && Number(p) === partition)
                .map(parts => Number(parts[2]));
            assertCounted(offsets, `offsets of price.updates:${partition}`);
        }
    });

test('/debug/kafka names every partition with its position', async () => {
    const text = await (await gateway.get('/debug/kafka')).text();
    for (const topic of ['price.updates', 'order.updates', 'trade.updates'])
        assert.ok(text.includes(topic), text);
});

let life = 1; // of the topic: its ids come again in the next one, and the history tells them apart by this

// Only offsets that go back show a new topic of the same name, so the new one has fewer events here.
async function recreate(between) {
    await kafka.deleteTopic('trade.updates');
    await between();
    const restarts = await gateway.metric('kafka_topic_restarts_total');
    await kafka.createTopic('trade.updates', 1);
    life++;
    const tag = `again after ${restarts}`;
    const { id, offset } = await producer.send('trade.updates', { tradeId: tag, life });
    assert.equal(offset, 0);
    const event = await client.next(message => message.id === id && message.data.tradeId === tag, RECOVERY_MS);
    assert.equal(event.type, 'trade_update');
    assert.equal(await gateway.metric('kafka_topic_restarts_total'), restarts + 1);
}

const trades = async count => {
    for (let n = 0; n < count; n++)
        await arrives('trade.updates', { tradeId: `t-${n}`, life });
};

test('a topic deleted and created again before anybody noticed: its events arrive, the restart is counted', async () => {
    await trades(5);
    await recreate(() => {});
});

test('a topic that is gone and comes back later: the same', async () => {
    await trades(3);
    await recreate(() => gateway.printed(/topic trade\.updates is gone/, RECOVERY_MS));
});

// Ingest stands still while `change` happens, and is killed then: only its successor can notice.
async function whileIngestIsAway(change) {
    for (const end = performance.now() + 300; performance.now() < end;) // until it has noted one of them
        await trades(1);
    process.kill(gateway.pids().ingest, 'SIGSTOP');
    await change(client.received.filter(({ data }) => data?.life === life).length);
    await gateway.kill('ingest');
}

test('a topic made anew while ingest is away, and longer than before: all of its events arrive, the restart is counted', async () => {
    const restarts = await gateway.metric('kafka_topic_restarts_total'), sent = [];
    await whileIngestIsAway(async before => {
        await kafka.deleteTopic('trade.updates');
        await kafka.createTopic('trade.updates', 1);
        life++;
        while (sent.length < before + 5)
            sent.push(await producer.send('trade.updates', { tradeId: `longer-${sent.length}`, life }));
    });
    assert.equal(sent[0].offset, 0);
    await client.next(message => message.id === sent.at(-1).id && message.data.life === life, RECOVERY_MS);
    await arrives('trade.updates', { tradeId: 'goes on', life });
    assert.deepEqual(client.received.filter(({ data }) => data?.life === life).map(({ id }) => Number(id.split(':')[2])),
        Array.from({ length: sent.length + 1 }, (_, offset) => offset));
    assert.equal(await gateway.metric('kafka_topic_restarts_total'), restarts + 1);
    await gateway.printed(/OFFSETS WENT BACK/);
});

test('the message by which the topic would be known again has expired meanwhile: ingest goes on where it stood', async () => {
    const restarts = await gateway.metric('kafka_topic_restarts_total');
    await whileIngestIsAway(() => kafka.trim('trade.updates', 1));
    await arrives('trade.updates', { tradeId: 'behind what expired', life });
    assertCounted(client.received.filter(({ data }) => data?.life === life).map(({ id }) => Number(id.split(':')[2])), 'offsets of trade.updates:0');
    assert.equal(await gateway.metric('kafka_topic_restarts_total'), restarts);
});
