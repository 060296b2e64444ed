// Invariant 6: clients come and go, and leave nothing behind. What a worker has once had use for it keeps, so the first
// rounds are not counted.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { memoryKiB, signedIn, startGateway, until } from '../integration/harness.mjs';
import { Producer } from '../kafka/kafka.mjs';

// 2,000 connections after the warm rounds: 100 bytes that each left behind would be seen.
const CLIENTS = 100, WARM = 5, ROUNDS = 25, MAX_KIB = 200;

const sum = list => list.reduce((total, one) => total + one, 0);

export async function churn(kafka) {
    const gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2 });
    const producer = new Producer(kafka.bootstrap);
    const descriptors = () => sum(gateway.pids().workers.map(pid => readdirSync(`/proc/${pid}/fd`).length));
    const round = async () => {
        const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) =>
            signedIn(gateway, { user: `u${i}`, channels: [`chat:${i}`] })));
        const { id } = await producer.send('trade.updates', { tradeId: 't', padding: 'x'.repeat(1000) });
        await Promise.all(clients.map(client => client.next(message => message.id === id)));
        clients.forEach(({ ws }, i) => i % 2 ? ws.terminate() : ws.close());
        await Promise.all(clients.map(({ closed }) => closed));
        await until('all connections to be gone', async () => await gateway.metric('connections') === 0);
        return { KiB: sum(gateway.pids().workers.map(pid => memoryKiB(pid))), files: descriptors() };
    };
    try {
        const rounds = [];
        for (let i = 0; i < ROUNDS; i++)
            rounds.push(await round());
        const base = rounds[WARM - 1], end = rounds.at(-1);
        // the connection that asked for the last figures may not be quite gone
        await until(`${base.files} descriptors again`, () => descriptors() <= base.files);
        assert.ok(end.KiB <= base.KiB + MAX_KIB, `${base.KiB} KiB became ${end.KiB}`);
        return `${base.KiB} KiB, ${base.files} descriptors; ${ROUNDS - WARM} rounds later ${end.KiB}, ${descriptors()}`;
    } finally {
        await producer.stop();
        await gateway.stop();
    }
}
