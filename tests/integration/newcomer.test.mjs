// What somebody sees who has just typed `make run`: the greeting, its command lines, Ctrl-C.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { alive, descendantsOf, shell, startGateway } from './harness.mjs';

let gateway, client, stopped;

before(async () => {
    gateway = await startGateway({ dev: true, workers: 2 });
});

after(async () => {
    await client?.stop();
    if (!stopped)
        await gateway?.stop();
});

test('the greeting names the addresses, the broker and its file', async () => {
    await gateway.printed(new RegExp(`ws://127\\.0\\.0\\.1:${gateway.port}/ws`));
    await gateway.printed(new RegExp(`http://127\\.0\\.0\\.1:${gateway.port}/health`));
    const [, broker] = await gateway.printed(/(127\.0\.0\.1:\d+)[^\n]*bootstrap/);
    assert.equal(readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim(), broker);
});

test('the secret is readable by its owner only', () => {
    assert.equal(statSync(join(gateway.devDirectory, 'secret')).mode & 0o777, 0o600);
});

test('the printed client lines connect and show the demo stream of all kinds', async () => {
    const [lines] = await gateway.printed(/^\s*export MOONX_URL=.*\n.*moonx-client$/m);
    client = shell(lines);
    for (const type of ['auto_subscribed', 'price_update', 'trade_update', 'order_update', 'portfolio_update', 'notification'])
        await client.line(new RegExp(`"type":"${type}"`));
});

test('the demo stream has some 20 tokens and a lively pace', async () => {
    const tokens = () => new Set([...client.output.matchAll(/"data":\{[^}]*"token":"([A-Za-z0-9]+)"/g)].map(([, token]) => token));
    await client.line({ test: () => tokens().size >= 15 });
});

test('the printed kcat line publishes a price that arrives', async () => {
    const [, line] = await gateway.printed(/^\s*(.*\| kcat -P .*)$/m);
    const kcat = shell(line);
    assert.equal((await kcat.exited).code, 0, kcat.errors);
    assert.ok((await client.line(/"token":"MOON"/)).includes('"price":"2150.45"'));
});

test('Ctrl-C stops everything soon and leaves nothing behind', async () => {
    const family = descendantsOf(gateway.pid);
    stopped = true;
    await gateway.stop({ signal: 'SIGINT', deadlineMs: 15_000 });
    assert.deepEqual(family.filter(alive), []);
    assert.equal(existsSync(join(gateway.devDirectory, 'bootstrap')), false);
    await client.line(/"type":"reconnect"/);
    await client.exited;
});
