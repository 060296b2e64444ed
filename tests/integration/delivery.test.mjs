// 100,000 events over 4 partitions to 50 clients, while ingest and a worker are killed -9: every connection
// of the workers that were not killed lives, and saw every event of its rooms in order, once.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { produceMany, startKafka } from '../kafka/kafka.mjs';
import { PATIENCE_MS, ioUringAllowed, mintToken, ownerOfConnection, startGateway, until, within } from './harness.mjs';

const EVENTS = 100_000;
const RATE = 6_000;
const PARTITIONS = 4;
const CLIENTS = 50;
const SWARMS = 2;
const userOf = index => `u${index}`;

let kafka;

before(async () => {
    kafka = await startKafka();
});

after(() => kafka?.stop());

class Swarm {
    #child = fork(fileURLToPath(new URL('swarm.mjs', import.meta.url)), { serialization: 'advanced' });

    ask(message, deadlineMs) {
        const answer = new Promise((resolve, reject) => {
            this.#child.once('message', resolve).once('exit', () => reject(new Error('a swarm of clients ended')));
        });
        this.#child.send(message);
        return within(message.do, deadlineMs, answer);
    }

    kill() {
        this.#child.kill('SIGKILL');
    }
}

// The offsets that a user must see, in order, by topic-partition: every price, and its own orders.
function expectations(results) {
    const byUser = new Map(Array.from({ length: CLIENTS }, (_, i) => [userOf(i), {}]));
    const prices = {};
    for (const { n, topic, partition, offset } of results) {
        const key = `${topic}:${partition}`;
        const list = topic === 'price.updates' ? prices : byUser.get(userOf(Math.floor(n / 2) % CLIENTS));
        (list[key] ??= []).push(offset);
    }
    for (const [user, orders] of byUser)
        byUser.set(user, { ...prices, ...orders });
    for (const wanted of byUser.values())
        Object.values(wanted).forEach(offsets => offsets.sort((a, b) => a - b));
    return byUser;
}

// `from` 0: all; a connection opened later has all from the first that it saw.
function assertComplete(connection, wanted) {
    const name = `connection ${connection.index} of ${connection.user}`;
    assert.deepEqual(connection.problems, [], name);
    for (const key of Object.keys(connection.seen))
        assert.ok(key in wanted, `${name}: got ${key}, which is not for it`);
    for (const [key, offsets] of Object.entries(wanted)) {
        const seen = connection.seen[key] ?? [];
        const start = connection.replaces === null ? 0 : Math.max(0, offsets.indexOf(seen[0]));
        const end = connection.closed ? start + seen.length : offsets.length;
        if (connection.replaces !== null && seen.length === 0)
            continue;
        const due = offsets.slice(start, end);
        const at = due.findIndex((offset, i) => offset !== seen[i]);
        assert.equal(at, -1, `${name}: ${key}: at ${at} came ${seen[at]} instead of ${due[at]}`);
        assert.equal(seen.length, due.length, `${name}: ${key}`);
    }
}

for (const flush of ['io_uring', 'sendmsg'])
    describe(`delivery by ${flush}`, { skip: flush === 'io_uring' && !ioUringAllowed() }, () => {
        let gateway, swarms, results, connections, ownerOf;
        const killed = [];

        before(async () => {
            for (const topic of ['price.updates', 'order.updates']) {
                await kafka.deleteTopic(topic).catch(() => {});
                await kafka.createTopic(topic, PARTITIONS);
            }
            gateway = await startGateway({
                kafka: kafka.bootstrap, workers: 2, flush,
                env: { WS_MAX_QUEUE_BYTES: String(64 << 20), RING_BYTES: String(128 << 20) },
            });
            swarms = Array.from({ length: SWARMS }, () => new Swarm());
        });

        after(async () => {
            swarms?.forEach(swarm => swarm.kill());
            await gateway?.stop();
        });

        test('50 clients connect, and every worker has some', async () => {
            const users = Array.from({ length: CLIENTS }, (_, i) => ({ user: userOf(i), token: mintToken({ sub: userOf(i) }) }));
            const answers = await Promise.all(swarms.map((swarm, s) =>
                swarm.ask({ do: 'connect', url: gateway.url, users: users.filter((_, i) => i % SWARMS === s) }, PATIENCE_MS)));
            const { workers } = gateway.pids();
            ownerOf = new Map(answers.flatMap(({ connected }) => connected)
                .map(({ user, localPort }) => [user, ownerOfConnection(gateway.port, localPort, workers)]));
            for (const pid of workers)
                assert.ok([...ownerOf.values()].includes(pid), `worker ${pid} has no client: ${[...ownerOf.values()]}`);
        });

        test('100,000 events are produced while ingest and a worker die', async () => {
            const produced = produceMany(kafka.bootstrap, {
                count: EVENTS, rate: RATE, partitions: PARTITIONS,
                templates: [
                    ['price.updates', '{"token":"T{j%20}","chainId":1,"price":"{n}.50"}'],
                    ['order.updates', `{"orderId":"o-{n}","userId":"u{j%${CLIENTS}}","status":"open"}`],
                ],
            });
            const passed = async (name, least) => until(`${name} ${least}`, async () => await gateway.metric(name) >= least, 240_000);
            await passed('ring_records_total', EVENTS * 0.2);
            await gateway.kill('ingest');
            await passed('ring_records_total', EVENTS * 0.4);
            killed.push(await gateway.kill('worker'));
            await passed('ring_records_total', EVENTS * 0.6);
            await gateway.kill('ingest');
            results = await produced;
            assert.equal(results.length, EVENTS);
            assert.deepEqual(results.filter(({ error }) => error), []);
        });

        test('all clients see the last event of each of their partitions', async () => {
            const wanted = expectations(results);
            const last = Object.fromEntries([...wanted].map(([user, lists]) =>
                [user, Object.fromEntries(Object.entries(lists).map(([key, offsets]) => [key, offsets.at(-1)]))]));
            const answers = await Promise.all(swarms.map(swarm => swarm.ask({ do: 'report', last }, 270_000)));
            connections = answers.flatMap(answer => answer.connections);
        });

        test('only connections of the killed worker broke', () => {
            const told = list => list.map(({ user, closed }) => `${user}: ${closed?.code} ${closed?.reason}`);
            const victim = ({ user, replaces }) => replaces === null && killed.includes(ownerOf.get(user));
            assert.deepEqual(told(connections.filter(connection => connection.closed && !victim(connection))), [], 'broken without need');
            assert.deepEqual(told(connections.filter(connection => !connection.closed && victim(connection))), [], 'outlived their worker');
        });

        test('every connection saw every event of its rooms in order, once', () => {
            const wanted = expectations(results);
            let events = 0;
            for (const connection of connections) {
                assertComplete(connection, wanted.get(connection.user));
                events += Object.values(connection.seen).reduce((sum, offsets) => sum + offsets.length, 0);
            }
            const survivors = connections.filter(({ replaces, closed }) => replaces === null && !closed).length;
            assert.ok(events >= survivors * EVENTS / 2, `${events} events to ${survivors} survivors`);
        });

        // Counters are not exact across a kill -9 of who keeps them; these must not have moved at all.
        test('no reader was lapped, no offset was skipped', async () => {
            assert.ok(await gateway.metric('ring_records_total') > 0);
            assert.equal(await gateway.metric('records_lapped_total'), 0);
            assert.equal(await gateway.metric('kafka_gap_offsets_total'), 0);
        });
    });
