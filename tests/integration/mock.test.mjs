// The built-in development broker: the same way of an event, without a Kafka of one's own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root, shell, signedIn, startGateway, until } from './harness.mjs';

const run = promisify(execFile);
let gateway, bootstrap;

before(async () => {
    gateway = await startGateway({ dev: true, workers: 2 });
    bootstrap = readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim();
});

after(() => gateway?.stop());

async function tokenOf(user, ...more) {
    const { stdout } = await run(join(root, 'build/moonx-gateway'), ['--dev', 'token', '--user', user, ...more],
        { env: { ...process.env, DEV_DIRECTORY: gateway.devDirectory } });
    return stdout.trim();
}

async function publish(topic, value) {
    const kcat = shell(`kcat -P -b ${bootstrap} -t ${topic} -p 0 <<'END'\n${value}\nEND`);
    assert.equal((await kcat.exited).code, 0, kcat.errors);
}

test('the broker\'s address is in the file and answers kcat', async () => {
    assert.match(bootstrap, /^127\.0\.0\.1:\d+$/);
    const list = shell(`kcat -L -b ${bootstrap}`);
    assert.equal((await list.exited).code, 0);
    for (const topic of ['price.updates', 'order.updates', 'gateway.events'])
        assert.ok(list.output.includes(`"${topic}"`), list.output);
});

test('the token subcommand makes a token that is accepted', async () => {
    const client = await signedIn(gateway, { token: await tokenOf('zoe', '--email', 'zoe@example.org', '--role', 'desk', '--ttl', '60') });
    const { data } = client.all('auth_success')[0];
    assert.deepEqual(data.user, { id: 'zoe', email: 'zoe@example.org', roles: ['desk'] });
    assert.ok(Math.abs(data.expiresAt - Date.now() - 60_000) < 30_000);
    await client.close();
});

test('what kcat publishes arrives, number text unchanged, at whom it concerns', async () => {
    const alice = await signedIn(gateway, { token: await tokenOf('alice') });
    const bob = await signedIn(gateway, { token: await tokenOf('bob') });
    await publish('price.updates', '{"token":"MOCK","chainId":1,"price":10500.250}');
    for (const client of [alice, bob]) {
        const event = await client.next(({ data }) => data.token === 'MOCK');
        assert.match(event.id, /^price\.updates:0:\d+$/);
        assert.ok(event.raw.includes('"data":{"token":"MOCK","chainId":1,"price":10500.250}'), event.raw);
    }
    await publish('order.updates', '{"orderId":"o-1","userId":"alice","status":"open"}');
    await publish('order.updates', '{"orderId":"o-2","userId":"bob","status":"open"}');
    await alice.next(({ data }) => data.orderId === 'o-1');
    await bob.next(({ data }) => data.orderId === 'o-2');
    assert.deepEqual(bob.all('order_update').map(({ data }) => data.orderId), ['o-2']);
    await publish('price.updates', 'not json');
    await publish('price.updates', '{"token":"MOCK","chainId":1,"price":2}');
    await alice.next(({ raw }) => raw.includes('"price":2}'));
    assert.ok(await gateway.metric('events_rejected_total') >= 1);
    await alice.close();
    await bob.close();
});

test('ingest killed: the broker that it hosted comes back, and events flow again', async () => {
    const client = await signedIn(gateway, { token: await tokenOf('alice') }, { recorder: null }); // all topics begin anew
    await client.next('price_update');
    await gateway.kill('ingest');
    const mark = client.received.length;
    await until('events after it', () => client.received.slice(mark).some(({ type }) => type === 'price_update'));
    assert.equal((await client.settled()).type, 'pong');
    assert.equal(client.ended, undefined);
    await client.close();
});
