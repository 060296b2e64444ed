// Publishing where it is tight: a broker that stands still while clients go on, the development broker, and tables that
// say who may publish what.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startKafka } from '../kafka/kafka.mjs';
import { SECRET, assertSame, memoryKiB, signedIn, startGateway, until } from './harness.mjs';
import { publishMany } from './publisher.mjs';

const ROOM = 'chat:lobby';

const burst = (client, event, count, payload) => publishMany(client, { room: ROOM, event, count, payload });
const count = (answers, is) => answers.filter(answer => answer.is === is).length;

describe('a broker that stands still', () => {
    let kafka, gateway, alice, bob, pids;

    before(async () => {
        kafka = await startKafka();
        await kafka.createTopic('gateway.events', 1);
        gateway = await startGateway({ kafka: kafka.bootstrap, env: { WS_MAX_QUEUE_BYTES: String(8 << 20) } });
        alice = await signedIn(gateway, { user: 'alice', channels: [ROOM] });
        bob = await signedIn(gateway, { user: 'bob', channels: [ROOM] });
        const { ingest, workers } = gateway.pids();
        pids = [ingest, ...workers];
    });

    after(async () => {
        if (kafka?.pid)
            process.kill(kafka.pid, 'SIGCONT');
        await gateway?.stop();
        await kafka?.stop();
    });

    const settled = async () => {
        for (const client of [alice, bob])
            await client.settled();
    };

    test('what has no place is refused at once, the rest is answered in time, and memory stays bounded', { timeout: 300_000 }, async () => {
        assert.ok(count(await burst(alice, 'warm', 2000), 'published') > 0);
        const before = pids.map(pid => memoryKiB(pid));
        process.kill(kafka.pid, 'SIGSTOP');
        const answers = await burst(alice, 'stopped', 4000);
        const refused = answers.filter(answer => answer.is === 'SERVICE_UNAVAILABLE');
        const failed = answers.filter(answer => answer.is === 'PUBLISH_FAILED');
        assert.equal(refused.length + failed.length, answers.length, JSON.stringify(answers.find(answer => answer.is === 'published')));
        assert.ok(failed.length > 0 && failed.length <= 1024, `${failed.length} were taken in`);
        assert.ok(refused.every(answer => answer.ms < 10_000), `refused after ${Math.max(...refused.map(answer => answer.ms))} ms`);
        assert.ok(failed.every(answer => answer.ms < 30_000), `failed after ${Math.max(...failed.map(answer => answer.ms))} ms`);
        const grown = pids.map((pid, i) => memoryKiB(pid) - before[i]);
        assert.ok(grown.every(kib => kib < 24 << 10), `grown by ${grown} KiB`);
        assert.equal((await alice.settled()).type, 'pong');
    });

    test('long ones fill the queue\'s bytes long before its entries', { timeout: 300_000 }, async () => {
        process.kill(kafka.pid, 'SIGCONT');
        await until('published again', async () =>
            (await alice.request('publish', { room: ROOM, event: 'again', payload: {} })).type === 'published');
        process.kill(kafka.pid, 'SIGSTOP');
        const answers = await burst(alice, 'long', 150, () => ({ text: 'x'.repeat(60_000) }));
        assert.ok(count(answers, 'SERVICE_UNAVAILABLE') >= 150 - (4 << 20) / 60_000);
        assert.equal(count(answers, 'SERVICE_UNAVAILABLE') + count(answers, 'PUBLISH_FAILED'), 150);
    });

    test('it goes on: published again, in order, and nothing came twice', { timeout: 300_000 }, async () => {
        process.kill(kafka.pid, 'SIGCONT');
        const last = await until('published', async () => {
            const answer = await alice.request('publish', { room: ROOM, event: 'last', payload: {} });
            return answer.type === 'published' && answer;
        });
        await bob.next(message => message.id === last.data.id);
        await settled();
        for (const event of ['warm', 'stopped']) {
            const seen = bob.all(event).map(message => message.data.n);
            assertSame(seen, [...new Set(seen)].sort((a, b) => a - b), event);
        }
    });
});

describe('publishing to the development broker', () => {
    let gateway, alice, bob;

    before(async () => {
        gateway = await startGateway({ dev: true, workers: 2, env: { JWT_SECRET: SECRET } });
        alice = await signedIn(gateway, { user: 'alice', channels: [ROOM] });
        bob = await signedIn(gateway, { user: 'bob', channels: [ROOM] });
    });

    after(() => gateway?.stop());

    test('an event to both, its answer with its id, a retry of it to nobody', async () => {
        for (let i = 0; i < 2; i++)
            alice.send('publish', { room: ROOM, event: 'said', payload: { text: 'hello' } }, { id: 'one' });
        const answers = [await alice.next('published'), await alice.next('published')];
        const ids = answers.map(answer => answer.data.id);
        for (const client of [alice, bob]) {
            const event = await client.next('said');
            assert.ok(ids.includes(event.id));
            assert.deepEqual([event.data, event.from], [{ text: 'hello' }, 'alice']);
        }
        await alice.request('publish', { room: ROOM, event: 'fence', payload: {} });
        for (const client of [alice, bob]) {
            await client.next('fence');
            assert.equal(client.all('said').length, 1);
        }
    });

    test('typing to the other alone', async () => {
        alice.send('typing', { room: ROOM, isTyping: true });
        assert.deepEqual((await bob.next('typing')).data, { room: ROOM, userId: 'alice', isTyping: true });
        await alice.request('publish', { room: ROOM, event: 'fence', payload: {} });
        await alice.next('fence');
        assert.equal(alice.all('typing').length, 0);
    });
});

describe('events that are too long', () => {
    // An eighth of the ring is one's limit, Kafka's another.
    for (const [what, ring, sizes] of [['a small ring', 1 << 20, [60_000, 110_000, 120_000, 131_072, 200_000, 900_000]],
        ['Kafka', 32 << 20, [500_000, 999_999, 1_040_000, 1_047_500]]])
        test(`${what}: published means that they came, and what can't come is refused`, async () => {
            const gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET, RING_BYTES: String(ring), WS_MAX_MESSAGE_BYTES: '1048576' } });
            const alice = await signedIn(gateway, { user: 'alice', channels: [ROOM] });
            const came = [];
            for (const size of sizes) {
                const answer = await alice.request('publish', { room: ROOM, event: 'long', payload: { text: 'x'.repeat(size) } });
                if (answer.type === 'published')
                    assert.equal((await alice.next('long')).data.text.length, size);
                else
                    assert.deepEqual(answer.data, { code: 'PUBLISH_FAILED', message: 'The event is too long' }, `${size} bytes`);
                came.push(answer.type === 'published');
            }
            assert.ok(came[0] && !came.at(-1), came.join());
            await gateway.stop();
        });
});

describe('tables that say who may publish what', () => {
    const dir = mkdtempSync(join(tmpdir(), 'moonx-uplink-'));
    let gateway, support, bob;

    before(async () => {
        writeFileSync(join(dir, 'rooms'), 'notifications:{userId}  owner  role:support\nchat:*  user  user\n');
        writeFileSync(join(dir, 'routes'), 'fills  fill  chat:{desk}\ngateway.events - -\n');
        gateway = await startGateway({ dev: true, env: {
            JWT_SECRET: SECRET, AUTO_JOIN_ROOMS: 'notifications:{userId}',
            ROOMS_FILE: join(dir, 'rooms'), ROUTES_FILE: join(dir, 'routes'),
        } });
        support = await signedIn(gateway, { user: 'sue', roles: ['support'], channels: [ROOM] });
        bob = await signedIn(gateway, { user: 'bob', channels: [ROOM] });
    });

    after(async () => {
        await gateway?.stop();
        rmSync(dir, { recursive: true, force: true });
    });

    test('a notification to another user: allowed to a role, denied to others', async () => {
        const note = { type: 'warning', title: 'Margin', message: 'Please look', userId: 'bob' };
        const answer = await support.request('notification', note);
        assert.equal(answer.type, 'notification_received', answer.raw);
        const event = await bob.next('notification');
        assert.equal(event.id, answer.data.id);
        assert.equal(event.from, 'sue');
        assert.deepEqual(event.data, { type: 'warning', title: 'Margin', message: 'Please look', timestamp: answer.data.timestamp });
        assert.equal((await bob.request('notification', { ...note, userId: 'sue' })).data.code, 'PERMISSION_DENIED');
        assert.equal(support.all('notification').length, 0);
    });

    test('the type of a route is its back end\'s: no client can publish one', async () => {
        for (const event of ['fill', 'price_update'])
            assert.equal((await bob.request('publish', { room: ROOM, event, payload: {} })).data.code, 'INVALID_MESSAGE');
        bob.sendText(`{"type":"publish","id":"e","data":{"room":"${ROOM}","event":"f\\u0069ll","payload":{}}}`);
        assert.equal((await bob.next(message => message.ref === 'e')).data.code, 'INVALID_MESSAGE');
        for (const event of ['fills', 'Fill', 'fil'])
            assert.equal((await bob.request('publish', { room: ROOM, event, payload: {} })).type, 'published');
    });
});
