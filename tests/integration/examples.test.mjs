// The examples of /docs, run word by word against the running gateway.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { PATIENCE_MS, mintToken, root, shell, startGateway, until, within } from './harness.mjs';

const SECRET = 'examples-0123456789abcdef0123456789';
const examples = join(root, 'gateway/docs/examples');
const token = mintToken({ sub: 'reader' }, { secret: SECRET });
let gateway, folder;

const start = (more = {}) => startGateway({ dev: true, env: { JWT_SECRET: SECRET }, ...more });

before(async () => {
    gateway = await start();
    folder = mkdtempSync(join(tmpdir(), 'moonx-examples-'));
});

after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
});

test('the page shows prices', async () => {
    const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(readFileSync(join(examples, 'browser.html'))));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'],
        timeout: 2 * PATIENCE_MS });
    try {
        const page = await browser.newPage();
        page.setDefaultTimeout(PATIENCE_MS);
        await page.goto(`http://127.0.0.1:${server.address().port}/?token=${token}&gateway=${encodeURIComponent(gateway.url)}`);
        await until('prices', async () => /^\w+ [\d.]+$/m.test(await page.locator('#prices').textContent()));
    } finally {
        await browser.close();
        server.close();
    }
});

test('Node prints events, and goes on after a restart', async () => {
    copyFileSync(join(examples, 'node.mjs'), join(folder, 'node.mjs'));
    if (!existsSync(join(folder, 'node_modules')))
        symlinkSync(join(root, 'tests/node_modules'), join(folder, 'node_modules'));
    const { port, devDirectory } = gateway;
    const client = shell('exec node node.mjs', { cwd: folder, env: { ...process.env, MOONX_TOKEN: token, MOONX_URL: gateway.url } });
    try {
        await client.line(/^price_update \{/);
        await gateway.stop();
        gateway = Object.assign(await start({ port, env: { JWT_SECRET: SECRET, DEV_DIRECTORY: devDirectory } }), { devDirectory });
        const before = client.output.length;
        await until('another life', () => /^auth_success[\s\S]*^price_update/m.test(client.output.slice(before)));
        assert.match(client.output, /^resumed \{/m);
    } finally {
        client.child.kill('SIGKILL');
    }
});

test('Python prints events', async () => {
    const client = shell(`exec /usr/bin/python3 ${join(examples, 'python.py')}`, { env: { ...process.env, MOONX_TOKEN: token, MOONX_URL: gateway.url } });
    try {
        await client.line(/^subscribed \{.*"chat:lobby"/);
        await client.line(/^price_update \{/);
    } finally {
        client.child.kill('SIGKILL');
    }
});

test('the shell publishes a price and gets it', async () => {
    const kafka = readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim();
    const script = shell(`sh ${join(examples, 'shell.sh')}`, {
        cwd: folder,
        env: { ...process.env, PATH: `${join(root, 'build')}:${process.env.PATH}`, KAFKA: kafka, GATEWAY: `127.0.0.1:${gateway.port}`, MOONX_TOKEN: token },
    });
    assert.equal((await within('the end', 2 * PATIENCE_MS, script.exited)).code, 0, script.errors);
    const [event, health] = script.output.split('\n').filter(line => line.startsWith('{')).slice(-2).map(line => JSON.parse(line));
    assert.equal(event.data.price, '2150.45');
    assert.equal(health.status, 'healthy');
});
