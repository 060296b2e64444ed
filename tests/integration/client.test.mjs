// moonx-client as people and scripts use it, against a gateway with real Kafka.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { Authority } from './certificates.mjs';
import { assertSame, connectClient, mintToken, moonxClient, seconds, shell, signalTo, startGateway, until, within } from './harness.mjs';

const EXIT_MS = 60_000;
let kafka, producer, gateway, folder;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moonx-client-'));
    kafka = await startKafka();
    await kafka.createTopic('gateway.events', 2);
    await kafka.createTopic('order.updates', 3);
    producer = new Producer(kafka.bootstrap);
    gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2 });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
});

const start = (args, { user = 'alice', env = {} } = {}) =>
    moonxClient(args, { env: { MOONX_URL: gateway.url, MOONX_TOKEN: mintToken({ sub: user }), ...env } });

// Runs to its end: status, the messages, and what was said on stderr.
async function run(args, options) {
    const client = start(args, options);
    const { code } = await within(`the end of ${args.join(' ')}`, EXIT_MS, client.exited);
    return { code, errors: client.errors, messages: messagesOf(client) };
}

const messagesOf = client => client.output.split('\n').slice(0, -1).map(line => JSON.parse(line));

test('what it publishes is in Kafka and comes back to the room', async () => {
    const { code, messages, errors } = await run(['--subscribe', 'chat:lobby', '--publish', 'chat:lobby', 'hello', '{"n":1.50}',
        '--expect', 'published', '--expect', 'hello:n=1.50,from=alice', '--timeout', '55']); // the first publish waits for Kafka's coordinator
    assert.equal(code, 0, errors);
    const { data: { id } } = messages.find(({ type }) => type === 'published');
    assert.equal(messages.find(({ type }) => type === 'hello').id, id);
});

test('an expectation that is not met is named, and the exit status is 1', async () => {
    const { code, errors } = await run(['--send', 'ping', '--expect', 'pong', '--expect', 'pong:serverTime=1', '--timeout', '4', '--quiet']);
    assert.equal(code, 1);
    assert.match(errors, /^moonx-client: expected, and did not come: pong:serverTime=1$/m);
    assert.doesNotMatch(errors, /did not come: pong$/m);
});

test('--once ends with the answers, by their kind', async () => {
    const good = await run(['--send', 'ping', '--send', 'get_rooms', '--once']);
    assert.equal(good.code, 0, good.errors);
    assert.deepEqual(good.messages.slice(-2).map(({ type }) => type), ['pong', 'rooms']);
    const refused = await run(['--send', 'subscribe {"channel":"user:bob"}', '--once']);
    assert.equal(refused.code, 1);
    assert.equal(refused.messages.at(-1).data.code, 'PERMISSION_DENIED');
});

test('lines of standard input are messages, what is none is told, and the end ends it', async () => {
    const client = shell(`printf 'ping\\n\\n{"type":\\nget_rooms\\n{"id":"mine","type":"unsubscribe","data":{"channel":"trades"}}' | build/moonx-client --stdin`,
        { env: { PATH: process.env.PATH, MOONX_URL: gateway.url, MOONX_TOKEN: mintToken() } });
    const { code } = await within('the end', EXIT_MS, client.exited);
    assert.equal(code, 1, 'a line was not JSON');
    assert.match(client.errors, /not sent: not JSON, at byte 9/);
    assert.deepEqual(messagesOf(client).filter(({ ref }) => ref).map(({ type }) => type).slice(-3), ['pong', 'rooms', 'unsubscribed']);
    assert.equal(messagesOf(client).at(-1).ref, 'mine');
});

test('more lines than may wait for their answers all go, in order', async () => {
    const client = shell(`seq 1000 | sed 's/.*/{"id":"n&","type":"ping"}/' | build/moonx-client --stdin`,
        { env: { PATH: process.env.PATH, MOONX_URL: gateway.url, MOONX_TOKEN: mintToken() } });
    assert.equal((await within('the end', EXIT_MS, client.exited)).code, 0, client.errors);
    const pongs = messagesOf(client).filter(({ type }) => type === 'pong');
    assertSame(pongs.map(({ ref }) => ref), Array.from({ length: 1000 }, (_, i) => `n${i + 1}`), 'the answers');
});

test('on a terminal it is short, coloured, and says what an answer answers', async () => {
    const command = 'build/moonx-client --send ping --expect pong';
    const client = shell(`script -qec '${command}' /dev/null </dev/null`,
        { env: { PATH: process.env.PATH, TERM: 'xterm', MOONX_URL: gateway.url, MOONX_TOKEN: mintToken() } });
    assert.equal((await within('the end', EXIT_MS, client.exited)).code, 0, client.output);
    assert.match(client.output, /\x1b\[2mpong +\x1b\[0m \x1b\[2manswers ping, \d+\.\d ms\x1b\[0m \{/);
    assert.match(client.output, /moonx-client: 0 events/, 'the summary');
});

test('a wrong flag suggests the nearest, a wrong token or address ends it', async () => {
    const wrong = await run(['--subscibe', 'x']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.errors, /unknown option --subscibe, did you mean --subscribe\?/);
    assert.match((await run(['--publish', 'chat:lobby', 'hello', 'hi'])).errors, /the payload must be a JSON object/);
    const missing = await run(['--ca', '/nowhere']);
    assert.deepEqual([missing.code, missing.errors.trim()], [2, 'moonx-client: --ca /nowhere: No such file or directory']);
    const refused = await run(['--reconnect'], { env: { MOONX_TOKEN: 'rubbish' } });
    assert.equal(refused.code, 1);
    assert.match(refused.errors, /authentication failed: INVALID_TOKEN/);
    const lost = await run(['--reconnect', '--url', `${gateway.http.replace('http', 'ws')}/nowhere`]);
    assert.equal(lost.code, 1);
    assert.match(lost.errors, /HTTP 404/);
});

// Orders 1, 2, 3 … of a user, one after the other, until done(n) says so; gives the last.
async function orders(user, done) {
    let n = 0;
    while (!done(n))
        await producer.send('order.updates', { orderId: `o${++n}`, userId: user, status: 'open' });
    return n;
}

// Every order once, those of a partition in order.
function assertComplete(client, last) {
    const events = messagesOf(client).filter(({ type }) => type === 'order_update');
    assertSame(events.map(({ data }) => Number(data.orderId.slice(1))).sort((a, b) => a - b),
        Array.from({ length: last }, (_, i) => i + 1), 'the orders');
    const latest = new Map();
    for (const { id } of events) {
        const [, partition, offset] = id.split(':').map(Number);
        assert.ok(offset > (latest.get(partition) ?? -1), `${id} in order`);
        latest.set(partition, offset);
    }
}

const ofOrder = n => new RegExp(`"orderId":"o${n}"`);
const timesIn = (text, word) => text.split(word).length - 1;

test('over the death of its worker it loses nothing and sees nothing twice', async () => {
    const client = start(['--reconnect', '--summary'], { user: 'killed' });
    await client.line(/"type":"auto_subscribed"/);
    let deaths = 0;
    const killing = (async () => {
        await client.line(ofOrder(20));
        for (const worker of gateway.pids().workers) { // one of both holds the client
            await gateway.kill('worker', worker);
            deaths++;
        }
        await until('it is back', () => timesIn(client.output, '"type":"auto_subscribed"') > 1);
    })();
    let back = false;
    killing.finally(() => (back = true)).catch(() => {});
    const last = await orders('killed', n => n >= 100 && back);
    await killing;
    await client.line(ofOrder(last));
    await client.stop();
    assert.equal(deaths, 2);
    assertComplete(client, last);
    assert.match(client.errors, /the connection was cut/);
    assert.match(client.errors, /resumed: \d+ missed events follow/);
    assert.match(client.errors, new RegExp(`moonx-client: ${last} events.*, [23] connections`));
});

test('over a restart of the gateway it comes back when told, and resumes', async () => {
    const own = await startGateway({ kafka: kafka.bootstrap, env: { INSTANCE_ID: 'restarted' } });
    const client = start(['--reconnect', '--url', own.url], { user: 'restarted' });
    let again;
    try {
        await client.line(/"type":"auto_subscribed"/);
        await orders('restarted', n => n === 10);
        await client.line(ofOrder(10));
        await own.stop();
        for (let n = 11; n <= 30; n++) // nobody is there to take them
            await producer.send('order.updates', { orderId: `o${n}`, userId: 'restarted', status: 'open' });
        again = await startGateway({ kafka: kafka.bootstrap, port: own.port, env: { INSTANCE_ID: 'restarted' } });
        await client.line(ofOrder(30));
        await client.stop();
        assert.match(client.output, /"type":"reconnect","timestamp":\d+,"data":\{"afterMs":\d+/);
        assertComplete(client, 30);
        assert.match(client.errors, /closed by the server: 1012/);
        assert.match(client.errors, /resumed: 20 missed events follow/);
    } finally {
        await client.stop();
        await again?.stop();
    }
});

test('what was not answered when its worker died is said again, and counts once', async () => {
    const { ingest, workers } = gateway.pids();
    let client;
    process.kill(ingest, 'SIGSTOP'); // nobody takes what is published
    try {
        client = start(['--reconnect', '--subscribe', 'chat:again', '--publish', 'chat:again', 'hello', '{"n":7}', '--send', 'ping']);
        await client.line(/"type":"pong"/); // so the publish was taken, too
        for (const worker of workers)
            process.kill(worker, 'SIGKILL');
        await until('it is back', () => timesIn(client.output, '"type":"auto_subscribed"') > 1);
    } finally {
        signalTo(ingest, 'SIGCONT'); // on a slow machine it may have been taken for hung, and replaced
    }
    await client.line(/"type":"published"/);
    const marker = await run(['--publish', 'chat:again', 'last', '{}', '--once']);
    assert.equal(marker.code, 0, JSON.stringify(marker));
    await client.line(/"type":"last"/);
    await client.stop();
    assert.equal(messagesOf(client).filter(({ type }) => type === 'hello').length, 1, client.output);
});

test('a position that is too old is told, and it goes on live', async () => {
    const own = await startGateway({ kafka: kafka.bootstrap, env: { INSTANCE_ID: 'epoch' } });
    const client = start(['--reconnect', '--url', own.url], { user: 'epoch' });
    let again;
    try {
        await client.line(/"type":"auto_subscribed"/);
        await own.stop();
        again = await startGateway({ kafka: kafka.bootstrap, port: own.port, env: { INSTANCE_ID: 'epoch', POSITION_EPOCH: '2' } });
        await client.line(/"recovered":false,"reason":"UNKNOWN_POSITION"/);
        await orders('epoch', n => n === 1);
        await client.line(ofOrder(1));
        await client.stop();
        assert.match(client.errors, /not resumed: UNKNOWN_POSITION/);
    } finally {
        await client.stop();
        await again?.stop();
    }
});

test('with --reconnect it waits for a gateway that is not there yet; without it does not', async () => {
    const early = await startGateway({ kafka: kafka.bootstrap, env: { INSTANCE_ID: 'early' } });
    const { port, url } = early;
    await early.stop();
    const eager = await run(['--url', url]);
    assert.equal(eager.code, 1);
    assert.match(eager.errors, /Connection refused/);
    const client = start(['--reconnect', '--url', url, '--count', '1', '--timeout', '60'], { user: 'early' });
    await until('a first try', () => /Connection refused\n.*again in/.test(client.errors));
    const late = await startGateway({ kafka: kafka.bootstrap, port, env: { INSTANCE_ID: 'early' } });
    try {
        await client.line(/"type":"auto_subscribed"/);
        await orders('early', n => n === 1);
        assert.equal((await within('its end', EXIT_MS, client.exited)).code, 0);
    } finally {
        await client.stop();
        await late.stop();
    }
});

test('a newer token in its file prolongs the session', async () => {
    const file = join(folder, 'token');
    const put = token => {
        writeFileSync(`${file}.new`, token);
        renameSync(`${file}.new`, file);
    };
    put(mintToken({ sub: 'prolonged', exp: seconds(20) }));
    const client = start(['--token-file', file]);
    try {
        await client.line(/"type":"token_refresh_required"/);
        await until('the note', () => /waiting for another in/.test(client.errors));
        const exp = seconds(3600);
        put(mintToken({ sub: 'prolonged', exp }));
        await client.line(new RegExp(`"type":"auth_success".*"expiresAt":${exp}000`));
    } finally {
        await client.stop();
    }
});

test('wss: a certificate has to be good, unless nobody cares', async () => {
    const authority = new Authority(folder);
    const good = authority.issue('good', { names: ['127.0.0.1'] });
    const own = await startGateway({ kafka: kafka.bootstrap, ready: 'unasked',
        env: { INSTANCE_ID: 'tls', TLS_CERT_FILE: good.cert, TLS_KEY_FILE: good.key } });
    try {
        await own.printed(/caught up with Kafka/);
        const ask = (...more) => run(['--url', own.url, '--send', 'ping', '--expect', 'pong', ...more]);
        assert.equal((await ask('--ca', authority.file)).code, 0);
        assert.equal((await ask('--insecure')).code, 0);
        assert.match((await ask()).errors, /the server's certificate: /);
        assert.match((await ask('--ca', good.key)).errors, /no certificates in PEM/);
        const named = await ask('--ca', authority.file, '--url', own.url.replace('127.0.0.1', 'localhost'));
        assert.match(named.errors, /the server's certificate: [Hh]ostname mismatch/);
        assert.match((await ask('--url', gateway.url.replace('ws:', 'wss:'))).errors, /TLS: /);
        // many messages and long ones through TLS, both ways
        const client = shell(`seq 300 | sed 's/.*/{"id":"n&","type":"ping","data":{"x":"${'y'.repeat(20_000)}"}}/' | build/moonx-client --stdin --ca ${authority.file}`,
            { env: { PATH: process.env.PATH, MOONX_URL: own.url, MOONX_TOKEN: mintToken() } });
        assert.equal((await within('the end', EXIT_MS, client.exited)).code, 0, client.errors);
        assert.equal(messagesOf(client).filter(({ type }) => type === 'pong').length, 300);
    } finally {
        await own.stop();
    }
});

test('Ctrl-C closes politely: the gateway gets a Close', async () => {
    const client = start([]);
    await client.line(/"type":"auto_subscribed"/);
    client.child.kill('SIGINT');
    assert.equal((await within('its end', EXIT_MS, client.exited)).code, 0, client.errors);
    const other = await connectClient(gateway); // and the gateway lives
    await other.close();
});
