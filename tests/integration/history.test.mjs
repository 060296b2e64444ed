// The history refill on a real Kafka: by record in history_harness.c, by what an operator sees here.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { root, signedIn, startGateway } from './harness.mjs';

const run = promisify(execFile);
const build = process.env.MOONX_BUILD ?? join(root, 'build');
const helpers = process.env.MOONX_TEST_HELPERS ?? join(root, 'build/release/tests/integration');
let kafka, producer, gateway;

before(async () => {
    kafka = await startKafka();
    await Promise.all([kafka.createTopic('price.updates', 2), kafka.createTopic('order.updates', 1)]);
    producer = new Producer(kafka.bootstrap);
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
});

test('record by record: bounded by time and by the ring, over kills in the middle, live_from fixed once', async () => {
    const { stdout } = await run(join(helpers, 'history_harness'), [join(build, 'moonx-ingest'), kafka.bootstrap],
        { timeout: 300_000 });
    assert.match(stdout, /4 tests of the history refill passed/);
});

test('what was there before the start is in the ring, counted, and delivered to nobody live', async () => {
    const { id: before } = await producer.send('order.updates', { orderId: 'before', userId: 'alice' });
    gateway = await startGateway({ kafka: kafka.bootstrap });
    const alice = await signedIn(gateway, { user: 'alice' });
    assert.ok(await gateway.metric('history_records_total') > 0);
    const { id } = await producer.send('order.updates', { orderId: 'after', userId: 'alice' });
    await alice.next(message => message.id === id);
    assert.deepEqual(alice.received.filter(message => message.id === before), []);
    const { partitions } = await (await gateway.get('/debug/kafka')).json();
    const orders = partitions.find(row => row.topic === 'order.updates');
    assert.equal(orders.position, orders.liveFrom + 1);
    assert.ok(orders.wholeFrom < orders.liveFrom, JSON.stringify(orders));
    await alice.close();
});
